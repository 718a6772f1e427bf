"""What every store must do; each implementation runs this suite by subclassing `StoreSuite`."""

from __future__ import annotations

import pytest
from flowcore.contracts import Store
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.events import TOP, Event, ExecutionId, NodeStarted, WorkflowCompleted, WorkflowStarted

WORKFLOW = parse_workflow({"name": "kept", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
ONE, TWO = ExecutionId("one"), ExecutionId("two")


def first() -> WorkflowStarted:
    return WorkflowStarted(1, 1_000, "kept", None, {"x": 1}, {"type": "Manual"}, {"debug.noop": 1})


def started(seq: int) -> NodeStarted:
    return NodeStarted(seq, 1_000 + seq, TOP, "a", seq, "debug.noop")


def completed(seq: int) -> WorkflowCompleted:
    return WorkflowCompleted(seq, 2_000, "succeeded", {"a": {}}, None, 1.0)


class StoreSuite:
    """Give `store` as a fixture; it is empty and closed by the fixture."""

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
