"""What every store must do with executions and their events: `flowcore.contracts.Store`."""

from __future__ import annotations

import threading

import pytest
from flowcore.contracts import Change, Store
from flowcore.errors import StoreError
from flowcore.events import TOP, Event, ExecutionId, NodeCompleted, NodeEvent
from flowcore.values import Blob

from flowruntime.testing.stores.samples import (
    EVERY_EVENT,
    FOUR,
    ONE,
    OTHER,
    THREE,
    TWO,
    WORKFLOW,
    append,
    carrying,
    codes,
    completed,
    create,
    first,
    refusal,
    started,
)

__all__ = ["ExecutionSuite"]


class ExecutionSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    # --- logs ---------------------------------------------------------------------------------------

    def test_a_new_execution_has_its_document_and_first_event(self, store: Store) -> None:
        create(store, ONE)
        record = store.record(ONE)
        assert record is not None
        assert (record.execution_id, record.workflow, record.status) == (ONE, WORKFLOW, "pending")
        assert (record.named, record.quarantine) == ({}, None)
        assert list(store.read(ONE).events) == [first()]

    def test_events_come_back_in_order_from_any_seq_and_in_pages(self, store: Store) -> None:
        create(store, ONE)
        append(store, ONE, started(2), started(3))
        append(store, ONE, started(4))
        whole: list[Event] = [first(), started(2), started(3), started(4)]
        assert list(store.read(ONE).events) == whole
        assert list(store.read(ONE, after=2).events) == whole[2:]
        assert list(store.read(ONE, after=1, limit=2).events) == whole[1:3]
        assert list(store.read(ONE, after=4).events) == []
        assert store.read(ONE).first_seq == 1

    def test_executions_are_apart(self, store: Store) -> None:
        create(store, ONE, TWO)
        append(store, TWO, started(2))
        assert len(store.read(ONE).events) == 1
        assert len(store.read(TWO).events) == 2

    @pytest.mark.parametrize("seq", [1, 3, 10])
    def test_an_event_that_does_not_follow_is_refused_and_nothing_changes(self, store: Store, seq: int) -> None:
        create(store, ONE)
        assert refusal(store, ONE, started(seq)) == "store.gap"
        assert list(store.read(ONE).events) == [first()]

    def test_a_new_execution_begins_with_event_1(self, store: Store) -> None:
        assert refusal(store, ONE, started(2), workflow=WORKFLOW) == "store.gap"
        assert refusal(store, ONE, workflow=WORKFLOW) == "store.gap"
        assert store.record(ONE) is None

    def test_an_execution_begins_once(self, store: Store) -> None:
        create(store, ONE)
        assert refusal(store, ONE, first(), workflow=OTHER) == "store.exists"
        record = store.record(ONE)
        assert record is not None
        assert record.workflow == WORKFLOW

    def test_unknown_executions_are_told(self, store: Store) -> None:
        assert store.record(ONE) is None
        with pytest.raises(StoreError) as caught:
            store.read(ONE)
        assert caught.value.code == "execution.unknown"
        assert refusal(store, ONE, started(2)) == "execution.unknown"
        assert refusal(store, ONE) == "execution.unknown"

    def test_every_event_comes_back_as_it_was(self, store: Store) -> None:
        store.commit([Change(ONE, EVERY_EVENT, WORKFLOW)])
        kept = list(store.read(ONE).events)
        assert kept == EVERY_EVENT
        assert [type(event) for event in kept] == [type(event) for event in EVERY_EVENT]
        assert repr(kept) == repr(EVERY_EVENT)  # 1 is no 1.0, and no True

    @pytest.mark.parametrize("size", [0, 10, 300_000])
    def test_blobs_come_back_with_their_content(self, store: Store, size: int) -> None:
        blob = Blob.from_bytes(bytes(size), media_type="image/png")
        create(store, ONE)
        append(store, ONE, carrying(2, {"deep": [blob]}), carrying(3, blob))
        _, deep, top = store.read(ONE).events
        assert isinstance(deep, NodeCompleted)
        assert isinstance(top, NodeCompleted)
        for kept in (deep.outputs["result"]["deep"][0], top.outputs["result"]):
            assert (kept.sha256, kept.size, kept.media_type) == (blob.sha256, size, "image/png")
            assert kept.read() == bytes(size)

    def test_large_values_come_back_wherever_they_are(self, store: Store) -> None:
        text = "é" * 200_000
        rows = [{"number": number, "text": "x" * 100} for number in range(4_000)]
        begin = first()._replace(inputs={"rows": rows})
        rest: list[Event] = [
            *[carrying(seq, rows) for seq in range(2, 12)],
            carrying(12, {"deep": {"deeper": {"deepest": [rows, text, Blob.from_bytes(b"x")]}}}),
            NodeEvent(13, 2_000, TOP, "a", 1, "StdoutLine", {"line": text}),
            completed(14)._replace(outputs={"a": {"result": rows}}),
        ]
        store.commit([Change(ONE, [begin], WORKFLOW)])
        append(store, ONE, *rest)
        assert list(store.read(ONE).events) == [begin, *rest]

    def test_an_execution_has_the_documents_that_it_runs_by_name(self, store: Store) -> None:
        create(store, ONE, named={"other": OTHER, "me": WORKFLOW})
        record = store.record(ONE)
        assert record is not None
        assert record.named == {"other": OTHER, "me": WORKFLOW}

    def test_changes_of_several_executions_are_kept_together_and_refused_one_by_one(self, store: Store) -> None:
        create(store, ONE)
        assert codes(
            store,
            Change(ONE, [started(2), started(3)]),
            Change(TWO, [first(), started(2)], WORKFLOW, {}),
            Change(THREE, [started(2)]),
            Change(ONE, [started(9)]),
            Change(TWO, [first()], WORKFLOW),
            Change(TWO, [completed(3)]),
        ) == [None, None, "execution.unknown", "store.gap", "store.exists", None]
        assert [event.seq for event in store.read(ONE).events] == [1, 2, 3]
        assert [event.seq for event in store.read(TWO).events] == [1, 2, 3]

    def test_what_follows_an_execution_is_kept_with_its_end(self, store: Store) -> None:
        create(store, ONE)
        append(store, ONE, completed(2, "failed"), follower=Change(TWO, [first()], OTHER, {"me": OTHER}))
        record = store.record(TWO)
        assert record is not None
        assert (record.workflow, record.status, record.named) == (OTHER, "pending", {"me": OTHER})
        assert list(store.unowned()) == [TWO]
        append(store, TWO, started(2))
        beginning = Change(THREE, [first(), completed(2)], WORKFLOW, follower=Change(FOUR, [first()], OTHER))
        assert codes(store, beginning) == [None]
        assert [one.execution_id for one in store.executions()] == [FOUR, THREE, TWO, ONE]

    def test_what_follows_an_execution_is_refused_with_its_end(self, store: Store) -> None:
        create(store, ONE)
        follower = Change(TWO, [first()], OTHER)
        assert refusal(store, ONE, completed(3), follower=follower) == "store.gap"
        assert refusal(store, ONE, completed(2), token=1, follower=follower) == "lease.lost"
        assert refusal(store, THREE, completed(2), follower=follower) == "execution.unknown"
        assert store.record(TWO) is None
        append(store, ONE, completed(2), follower=follower)
        assert refusal(store, ONE, completed(3), follower=Change(THREE, [first()], OTHER)) == "execution.final"
        assert store.record(THREE) is None

    def test_an_end_is_refused_with_what_follows_it(self, store: Store) -> None:
        create(store, ONE, TWO)
        assert refusal(store, ONE, completed(2), follower=Change(TWO, [first()], OTHER)) == "store.exists"
        unowned = Change(THREE, [first()], OTHER, owner=1234)
        assert refusal(store, ONE, carrying(2), completed(3), follower=unowned) == "owner.unknown"
        beginning = Change(FOUR, [first()], OTHER, {"other": OTHER}, follower=unowned)
        assert codes(store, beginning) == ["owner.unknown"]
        assert (store.record(THREE), store.record(FOUR)) == (None, None)
        assert list(store.read(ONE).events) == [first()]
        assert list(store.unowned()) == [ONE, TWO]
        append(store, ONE, carrying(2), completed(3), follower=Change(FOUR, [first()], OTHER, {"other": OTHER}))
        record = store.record(FOUR)
        assert record is not None
        assert (record.workflow, record.named) == (OTHER, {"other": OTHER})

    # --- status -------------------------------------------------------------------------------------

    def test_the_status_is_what_the_latest_change_says(self, store: Store) -> None:
        create(store, ONE)
        for seq, status in ((2, "running"), (3, "waiting"), (4, "running")):
            append(store, ONE, started(seq), status=status)
            assert [one.status for one in store.executions()] == [status]

    def test_a_change_without_events_changes_the_status_alone(self, store: Store) -> None:
        create(store, ONE)
        append(store, ONE, status="waiting")
        record = store.record(ONE)
        assert record is not None
        assert record.status == "waiting"
        assert list(store.read(ONE).events) == [first()]

    @pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
    def test_the_last_event_makes_the_status_final(self, store: Store, status: str) -> None:
        create(store, ONE)
        append(store, ONE, started(2), completed(3, status), status="waiting")  # type: ignore[arg-type]
        record = store.record(ONE)
        assert record is not None
        assert record.status == status

    def test_what_has_ended_is_not_written_on(self, store: Store) -> None:
        create(store, ONE)
        append(store, ONE, completed(2))
        assert refusal(store, ONE, started(3)) == "execution.final"
        assert refusal(store, ONE, status="running") is None
        assert [one.status for one in store.executions()] == ["succeeded"]
        assert len(store.read(ONE).events) == 2

    def test_what_begins_and_ends_in_one_change_is_final(self, store: Store) -> None:
        store.commit([Change(ONE, [first(), completed(2)], WORKFLOW)])
        assert [(one.status, one.ended_us) for one in store.executions()] == [("succeeded", 2_000)]
        assert list(store.unowned()) == []

    # --- once ---------------------------------------------------------------------------------------

    def test_of_what_may_begin_one_execution_only_the_first_begins(self, store: Store) -> None:
        assert store.created_once("hook", "delivery 7") is None
        create(store, ONE, once=("hook", "delivery 7"))
        assert refusal(store, TWO, first(), workflow=WORKFLOW, once=("hook", "delivery 7")) == "store.seen"
        assert store.record(TWO) is None
        assert store.created_once("hook", "delivery 7") == ONE
        create(store, TWO, once=("hook", "delivery 8"))
        create(store, THREE, once=("another hook", "delivery 7"))
        assert store.created_once("another hook", "delivery 7") == THREE

    def test_what_began_once_is_remembered_when_it_has_ended(self, store: Store) -> None:
        create(store, ONE, once=("hook", "7"))
        append(store, ONE, completed(2))
        assert refusal(store, TWO, first(), workflow=WORKFLOW, once=("hook", "7")) == "store.seen"

    def test_of_two_in_one_commit_the_second_is_refused(self, store: Store) -> None:
        once = ("schedule", "12:00")
        changes = [Change(name, [first()], WORKFLOW, once=once) for name in (ONE, TWO)]
        assert codes(store, *changes) == [None, "store.seen"]

    def test_what_was_refused_may_begin_after_all(self, store: Store) -> None:
        create(store, ONE)
        assert refusal(store, ONE, first(), workflow=WORKFLOW, once=("hook", "7")) == "store.exists"
        assert store.created_once("hook", "7") is None
        create(store, TWO, once=("hook", "7"))

    # --- lists --------------------------------------------------------------------------------------

    def test_executions_are_listed_newest_first_in_pages_and_by_status(self, store: Store) -> None:
        ids = [ExecutionId(f"e{number}") for number in range(5)]
        create(store, *ids)
        append(store, ids[1], started(2), completed(3))
        append(store, ids[2], started(2))
        listed = store.executions(limit=3)
        assert [summary.execution_id for summary in listed] == [ids[4], ids[3], ids[2]]
        assert [summary.execution_id for summary in store.executions(before=ids[2])] == [ids[1], ids[0]]
        (ended,) = store.executions(status="succeeded")
        assert (ended.execution_id, ended.workflow_id, ended.seq) == (ids[1], "kept", 3)
        assert (ended.started_us, ended.ended_us, ended.owner) == (1_000, 2_000, None)
        assert (listed[0].status, listed[0].seq, listed[0].ended_us) == ("pending", 1, None)
        assert [summary.execution_id for summary in store.executions(status="pending", limit=2)] == [ids[4], ids[3]]
        assert [summary.execution_id for summary in store.executions(status="running")] == [ids[2]]
        assert [summary.execution_id for summary in store.executions(status="pending", before=ids[3])] == [ids[0]]
        assert [store.summary(summary.execution_id) for summary in listed] == list(listed)
        assert store.summary(ExecutionId("nobody")) is None
        with pytest.raises(StoreError) as caught:
            store.executions(before=ExecutionId("nobody"))
        assert caught.value.code == "execution.unknown"

    # --- life ---------------------------------------------------------------------------------------

    def test_what_was_kept_is_there_after_it_was_closed_and_opened_again(self, store: Store) -> None:
        create(store, ONE, named={"other": OTHER}, once=("hook", "7"))
        append(store, ONE, started(2))
        store.close()
        store.open()
        record = store.record(ONE)
        assert record is not None
        assert (record.workflow, record.status, record.named) == (WORKFLOW, "running", {"other": OTHER})
        append(store, ONE, started(3), completed(4))
        assert list(store.read(ONE).events) == [first(), started(2), started(3), completed(4)]
        assert store.created_once("hook", "7") == ONE

    def test_a_store_that_blocks_is_read_by_many_threads_while_others_write(self, store: Store) -> None:
        if not store.blocking:
            return
        ids = [ExecutionId(f"e{number}") for number in range(3)]
        create(store, *ids)
        wrong: list[object] = []
        done = threading.Event()

        def read() -> None:
            latest = 1
            while not done.is_set():
                seqs = [event.seq for event in store.read(ids[0], limit=10_000).events]
                if seqs != list(range(1, len(seqs) + 1)) or len(seqs) < latest:
                    wrong.append(seqs)
                latest = len(seqs)

        def write(execution_id: ExecutionId) -> None:
            for seq in range(2, 60, 2):
                refused = refusal(store, execution_id, started(seq), started(seq + 1))
                if refused is not None:
                    wrong.append(refused)

        readers = [threading.Thread(target=read) for _ in range(3)]
        writers = [threading.Thread(target=write, args=(execution_id,)) for execution_id in ids]
        for thread in (*readers, *writers):
            thread.start()
        for writer in writers:
            writer.join()
        done.set()
        for reader in readers:
            reader.join()
        assert wrong == []
        assert [summary.seq for summary in store.executions()] == [59, 59, 59]
