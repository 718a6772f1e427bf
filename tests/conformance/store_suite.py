"""What every store must do; each implementation runs this suite by subclassing `StoreSuite`."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flowcore.contracts import Change, Store
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.events import (
    TOP,
    Event,
    ExecutionId,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowRetrying,
    WorkflowStarted,
)
from flowcore.values import Blob, freeze

WORKFLOW = parse_workflow({"name": "kept", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
OTHER = parse_workflow({"name": "other", "nodes": [{"id": "b", "node_type": "debug.noop"}]})
ONE, TWO = ExecutionId("one"), ExecutionId("two")
INSIDE = (("loop", 3, 1), ("sub", None, 2))
ERROR = {
    "type": "RetryableNodeError",
    "code": "x",
    "message": "é \u2028",
    "path": [["loop", 3, 1]],
    "details": {"n": 1},
}
VALUE = freeze(
    {
        "integers": [2**63 - 1, -(2**63), 0],
        "floats": [0.1, 1.0, 5e-324, -1e300],
        "text": "é\0\U0001f600",
        "": [None, True],
    }
)
STATE = {"cursor": 7}

#: One of each type of event, with everything that may stand in it.
EVERY_EVENT: list[Event] = [
    WorkflowStarted(1, 1_000, "kept", 3, {"x": VALUE}, {"type": "Node", "node": "t"}, {"debug.noop": 1}),
    WorkflowResumed(2, 1_001, "crash"),
    NodeStarted(3, 1_002, INSIDE, "a", 1, "debug.noop"),
    NodeEvent(4, 1_003, INSIDE, "a", 1, "Progress", {"percent": 12.5, "message": "on"}),
    NodeWaiting(5, 1_004, TOP, "a", 1, 2_000_000, "go", None, STATE),
    NodeWoken(6, 1_005, TOP, "a", 1, "signal", VALUE),
    NodeRetrying(7, 1_006, TOP, "a", 1, ERROR, 1.5, 3_000_000, None),
    NodeInterrupted(8, 1_007, TOP, "a", 2),
    NodeCompleted(
        9, 1_008, INSIDE, "a", 3, {"result": VALUE, "none": None}, 0.25, {"execution_id": "e", "seq": 4}, STATE
    ),
    NodeFailed(10, 1_009, TOP, "b", 1, ERROR, "route", 2.0, None),
    NodeSkipped(11, 1_010, TOP, "c", 0, "nothing live reached it"),
    NodeCancelled(12, 1_011, TOP, "d", 1, "stopped", STATE),
    WorkflowRetrying(13, 1_012, INSIDE, 2, ERROR, 0.0, 4_000_000),
    WorkflowCompleted(14, 1_013, "failed", None, ERROR, 13.0),
]


def first() -> WorkflowStarted:
    return WorkflowStarted(1, 1_000, "kept", None, {"x": 1}, {"type": "Manual"}, {"debug.noop": 1})


def started(seq: int) -> NodeStarted:
    return NodeStarted(seq, 1_000 + seq, TOP, "a", seq, "debug.noop")


def completed(seq: int) -> WorkflowCompleted:
    return WorkflowCompleted(seq, 2_000, "succeeded", {"a": {}}, None, 1.0)


def carrying(seq: int, value: Any) -> NodeCompleted:
    return NodeCompleted(seq, 1_000 + seq, TOP, "a", 1, {"result": value}, 0.5, None, None)


class StoreSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        raise AssertionError("an implementation gives its own")

    def test_a_new_execution_has_its_document_and_first_event(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first())
        record = store.record(ONE)
        assert record is not None
        assert (record.execution_id, record.workflow, record.status) == (ONE, WORKFLOW, "running")
        assert list(store.read(ONE).events) == [first()]

    def test_events_come_back_in_order_from_any_seq_and_in_pages(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first())
        store.append(ONE, [started(2), started(3)])
        store.append(ONE, [started(4)])
        whole: list[Event] = [first(), started(2), started(3), started(4)]
        assert list(store.read(ONE).events) == whole
        assert list(store.read(ONE, after=2).events) == whole[2:]
        assert list(store.read(ONE, after=1, limit=2).events) == whole[1:3]
        assert list(store.read(ONE, after=4).events) == []
        assert store.read(ONE).first_seq == 1

    def test_executions_are_apart(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first())
        store.create(TWO, WORKFLOW, first())
        store.append(TWO, [started(2)])
        assert len(store.read(ONE).events) == 1
        assert len(store.read(TWO).events) == 2

    def test_the_last_event_makes_the_status_final(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first())
        store.append(ONE, [started(2), completed(3)])
        record = store.record(ONE)
        assert record is not None
        assert record.status == "succeeded"

    @pytest.mark.parametrize("seq", [1, 3, 10])
    def test_an_event_that_does_not_follow_is_refused_and_nothing_changes(self, store: Store, seq: int) -> None:
        store.create(ONE, WORKFLOW, first())
        with pytest.raises(StoreError) as caught:
            store.append(ONE, [started(seq)])
        assert caught.value.code == "store.gap"
        assert list(store.read(ONE).events) == [first()]

    def test_an_execution_begins_once(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first())
        with pytest.raises(StoreError):
            store.create(ONE, WORKFLOW, first())

    def test_unknown_executions_are_told(self, store: Store) -> None:
        assert store.record(ONE) is None
        with pytest.raises(StoreError) as caught:
            store.read(ONE)
        assert caught.value.code == "execution.unknown"
        with pytest.raises(StoreError):
            store.append(ONE, [started(2)])

    def test_every_event_comes_back_as_it_was(self, store: Store) -> None:
        store.commit([Change(ONE, EVERY_EVENT, WORKFLOW)])
        kept = list(store.read(ONE).events)
        assert kept == EVERY_EVENT
        assert [type(event) for event in kept] == [type(event) for event in EVERY_EVENT]
        assert repr(kept) == repr(EVERY_EVENT)  # 1 is no 1.0, and no True

    @pytest.mark.parametrize("size", [0, 10, 300_000])
    def test_blobs_come_back_with_their_content(self, store: Store, size: int) -> None:
        blob = Blob.from_bytes(bytes(size), media_type="image/png")
        store.create(ONE, WORKFLOW, first())
        store.append(ONE, [carrying(2, {"deep": [blob]}), carrying(3, blob)])
        _, deep, top = store.read(ONE).events
        assert isinstance(deep, NodeCompleted)
        assert isinstance(top, NodeCompleted)
        for kept in (deep.outputs["result"]["deep"][0], top.outputs["result"]):
            assert (kept.sha256, kept.size, kept.media_type) == (blob.sha256, size, "image/png")
            assert kept.read() == bytes(size)

    def test_large_values_come_back_wherever_they_are(self, store: Store) -> None:
        text = "é" * 200_000
        rows = [{"number": number, "text": "x" * 100} for number in range(4_000)]
        whole: list[Event] = [
            first()._replace(inputs={"rows": rows}),
            *[carrying(seq, rows) for seq in range(2, 12)],
            carrying(12, {"deep": {"deeper": {"deepest": [rows, text, Blob.from_bytes(b"x")]}}}),
            NodeEvent(13, 2_000, TOP, "a", 1, "StdoutLine", {"line": text}),
            completed(14)._replace(outputs={"a": {"result": rows}}),
        ]
        store.create(ONE, WORKFLOW, whole[0])
        store.append(ONE, whole[1:])
        assert list(store.read(ONE).events) == whole

    def test_an_execution_has_the_documents_that_it_runs_by_name(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first(), {"other": OTHER, "me": WORKFLOW})
        record = store.record(ONE)
        assert record is not None
        assert record.named == {"other": OTHER, "me": WORKFLOW}

    def test_changes_of_several_executions_are_kept_together_and_refused_one_by_one(self, store: Store) -> None:
        store.create(ONE, WORKFLOW, first())
        refusals = store.commit(
            [
                Change(ONE, [started(2), started(3)]),
                Change(TWO, [first(), started(2)], WORKFLOW, {}),
                Change(ExecutionId("three"), [started(2)]),
                Change(ONE, [started(9)]),
                Change(TWO, [first()], WORKFLOW),
                Change(TWO, [completed(3)]),
            ]
        )
        codes = [None if refusal is None else refusal.code for refusal in refusals]
        assert codes == [None, None, "execution.unknown", "store.gap", "store.exists", None]
        assert [event.seq for event in store.read(ONE).events] == [1, 2, 3]
        assert [event.seq for event in store.read(TWO).events] == [1, 2, 3]

    def test_executions_are_listed_newest_first_in_pages_and_by_status(self, store: Store) -> None:
        ids = [ExecutionId(f"e{number}") for number in range(5)]
        for execution_id in ids:
            store.create(execution_id, WORKFLOW, first())
        store.append(ids[1], [started(2), completed(3)])
        listed = store.executions(limit=3)
        assert [summary.execution_id for summary in listed] == [ids[4], ids[3], ids[2]]
        assert [summary.execution_id for summary in store.executions(before=ids[2])] == [ids[1], ids[0]]
        (ended,) = store.executions(status="succeeded")
        assert (ended.execution_id, ended.workflow_id, ended.seq) == (ids[1], "kept", 3)
        assert (ended.started_us, ended.ended_us) == (1_000, 2_000)
        assert (listed[0].status, listed[0].seq, listed[0].ended_us) == ("running", 1, None)
        with pytest.raises(StoreError) as caught:
            store.executions(before=ExecutionId("nobody"))
        assert caught.value.code == "execution.unknown"

    def test_it_can_be_opened_again_after_it_was_closed(self, store: Store) -> None:
        store.close()
        store.open()
        store.create(ONE, WORKFLOW, first())
        assert list(store.read(ONE).events) == [first()]

    def test_a_store_that_blocks_is_read_by_many_threads_while_it_is_written(self, store: Store) -> None:
        if not store.blocking:
            return
        store.create(ONE, WORKFLOW, first())
        wrong: list[object] = []
        done = threading.Event()

        def read() -> None:
            latest = 1
            while not done.is_set():
                seqs = [event.seq for event in store.read(ONE, limit=10_000).events]
                if seqs != list(range(1, len(seqs) + 1)) or len(seqs) < latest:
                    wrong.append(seqs)
                latest = len(seqs)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for seq in range(2, 60, 2):
            store.append(ONE, [started(seq), started(seq + 1)])
        done.set()
        for reader in readers:
            reader.join()
        assert wrong == []
