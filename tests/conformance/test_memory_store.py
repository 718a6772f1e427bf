"""The memory store keeps the contract of stores, and its ring is bounded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from flowcore.events import ExecutionId
from flowruntime.journal import HistoryGap, Journal
from flowruntime.stores import MemoryStore
from flowruntime.testing.stores import StoreSuite
from flowruntime.testing.stores.samples import ONE, TWO, WORKFLOW, append, carrying, completed, create, first, started

from tests.conformance.store_clocks import StoreClock


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def clock(self) -> StoreClock:
        return StoreClock()

    @pytest.fixture
    def store(self, clock: StoreClock) -> MemoryStore:
        return MemoryStore(now_us=clock.now_us)

    @pytest.fixture
    def pass_seconds(self, clock: StoreClock) -> Callable[[float], None]:
        return clock.pass_seconds


def test_the_oldest_finished_executions_leave_a_full_ring_first() -> None:
    store = MemoryStore(ring_events=10)
    for number in range(6):
        execution_id = ExecutionId(str(number))
        create(store, execution_id, once=("numbers", str(number)))
        append(store, execution_id, started(2), completed(3))
    assert [number for number in range(6) if store.record(ExecutionId(str(number)))] == [3, 4, 5]
    assert [number for number in range(6) if store.created_once("numbers", str(number))] == [3, 4, 5]


def test_what_runs_does_not_push_out_what_has_ended_and_drops_its_own_oldest_events_instead() -> None:
    store = MemoryStore(ring_events=80)
    create(store, ONE)
    append(store, ONE, completed(2))
    create(store, TWO)
    for seq in range(2, 202):
        append(store, TWO, started(seq))
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
    for execution_id in (ONE, TWO):
        create(store, execution_id)
        append(store, execution_id, *[started(seq) for seq in range(2, 10)], completed(10))
    assert store.record(ONE) is None
    assert store.record(TWO) is not None


def test_what_has_left_the_ring_is_let_go_of_as_soon_as_as_much_has_come() -> None:
    class Value(dict[str, Any]):
        """Can be asked whether it is still there."""

    store = MemoryStore(ring_events=30)
    values: list[weakref.ref[Value]] = []
    for number in range(100):
        value = Value()
        values.append(weakref.ref(value))
        execution_id = ExecutionId(str(number))
        create(store, execution_id)
        append(store, execution_id, carrying(2, value), completed(3))
        del value
        assert sum(value() is not None for value in values) <= 11  # ten are kept, one is on its way


def test_a_full_ring_gives_the_garbage_collector_no_reason_to_walk_over_it() -> None:
    store = MemoryStore(ring_events=10_000)
    collections: list[str] = []

    def fill(executions: range) -> None:
        for number in executions:
            execution_id = ExecutionId(str(number))
            create(store, execution_id)
            for begin in range(2, 2002, 250):
                append(store, execution_id, *[started(seq) for seq in range(begin, begin + 250)])
            append(store, execution_id, completed(2002))

    def collected(phase: str, _about: dict[str, int]) -> None:
        collections.append(phase)

    fill(range(10))
    gc.collect()
    gc.callbacks.append(collected)
    try:
        fill(range(10, 30))
    finally:
        gc.callbacks.remove(collected)
    assert collections == []
