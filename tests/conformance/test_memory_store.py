"""The memory store keeps the contract of stores, and its ring is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flowcore.events import ExecutionId
from flowruntime.journal import HistoryGap, Journal
from flowruntime.stores import MemoryStore

from tests.conformance.store_suite import ONE, TWO, WORKFLOW, StoreSuite, completed, first, started


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def store(self) -> Iterator[MemoryStore]:
        store = MemoryStore()
        yield store
        store.close()


def test_the_oldest_finished_executions_leave_a_full_ring_first() -> None:
    store = MemoryStore(ring_events=10)
    for number in range(6):
        execution_id = ExecutionId(str(number))
        store.create(execution_id, WORKFLOW, first())
        store.append(execution_id, [started(2), completed(3)])
    assert [number for number in range(6) if store.record(ExecutionId(str(number)))] == [3, 4, 5]


def test_what_runs_does_not_push_out_what_has_ended_and_drops_its_own_oldest_events_instead() -> None:
    store = MemoryStore(ring_events=80)
    store.create(ONE, WORKFLOW, first())
    store.append(ONE, [completed(2)])
    store.create(TWO, WORKFLOW, first())
    for seq in range(2, 202):
        store.append(TWO, [started(seq)])
    assert store.record(ONE) is not None
    page = store.read(TWO, limit=10_000)
    assert page.first_seq > 1
    assert [event.seq for event in page.events] == list(range(page.first_seq, 202))
    assert len(page.events) <= 80


async def test_a_follower_of_a_ring_that_moved_on_is_told_of_the_gap() -> None:
    store = MemoryStore(ring_events=80)
    journal = Journal(store)
    log = journal.create(ONE, WORKFLOW, first())
    for seq in range(2, 202):
        log.append(started(seq))
        log.flush()
    log.append(completed(202))
    journal.close_log(log)
    told = [event async for event in journal.follow(ONE)]
    gap = told[0]
    assert isinstance(gap, HistoryGap)
    assert gap.first == 1
    assert [event.seq for event in told[1:]] == list(range(gap.last + 1, 203))  # type: ignore[union-attr]


def test_the_execution_that_ended_last_is_kept_however_long_it_was() -> None:
    store = MemoryStore(ring_events=10)
    store.create(ONE, WORKFLOW, first())
    store.append(ONE, [started(seq) for seq in range(2, 10)] + [completed(10)])
    store.create(TWO, WORKFLOW, first())
    store.append(TWO, [started(seq) for seq in range(2, 10)] + [completed(10)])
    assert store.record(ONE) is None
    assert store.record(TWO) is not None
