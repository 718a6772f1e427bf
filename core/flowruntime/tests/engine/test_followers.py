"""Followers that join late, stop early, or are too slow for the ring."""

from typing import Any

import anyio
import pytest
from flowcore.events import NodeEvent
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.runtime import HistoryGap
from flowruntime.stores import MemoryStore
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import events_of, log_of, names, of
from tests.engine_nodes import workflow


@node("local.talk", effects="pure")
async def talk(ctx: Context, *, lines: int, every: int = 0) -> None:
    """Say something many times, napping now and then."""
    for number in range(lines):
        ctx.events.info(f"{number}")
        if every and number % every == 0:
            await ctx.sleep(1)


def talking(lines: int, every: int = 0) -> dict[str, Any]:
    return workflow({"t": {"node_type": "talk", "config": {"lines": lines, "every": every}}})


def small_ring(runtime: Runtime, events: int) -> None:
    """Have the runtime keep few events."""
    runtime._journal.store = MemoryStore(ring_events=events)


@pytest.mark.parametrize("after", [0, 1, 5, 255, 256, 257, 900, 10_000])
async def test_a_follower_may_join_a_running_execution_from_any_seq(after: int) -> None:
    clock = ManualClock()
    async with Runtime(nodes=[talk], clock=clock) as runtime:
        execution_id = await runtime.submit(talking(1000, every=300))
        await anyio.wait_all_tasks_blocked()
        seen: list[int] = []

        async def follow() -> None:
            seen.extend([event.seq async for event in runtime.follow(execution_id, after)])  # type: ignore[union-attr]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            for _ in range(5):
                await anyio.wait_all_tasks_blocked()
                clock.advance(1)
        last = runtime.snapshot(execution_id).seq
    assert last == 1004
    assert seen == list(range(after + 1, last + 1))


async def test_a_follower_that_joins_after_the_end_sees_the_whole_log() -> None:
    async with Runtime(nodes=[talk]) as runtime:
        result = await runtime.run(talking(600))
        events = await log_of(runtime, result.execution_id)
    assert [event.seq for event in events] == list(range(1, 605))
    assert names([events[0], events[-1]]) == ["WorkflowStarted", "WorkflowCompleted"]


async def test_a_follower_that_stops_in_the_middle_costs_the_execution_nothing() -> None:
    async with Runtime(nodes=[talk], clock=ManualClock(autojump=True)) as runtime:
        execution_id = await runtime.submit(talking(1000, every=10))
        seen = 0
        async for _ in runtime.follow(execution_id):
            seen += 1
            if seen == 42:
                break
        assert (await runtime.wait(execution_id)).success


async def test_a_follower_that_is_cancelled_harms_neither_the_execution_nor_the_others() -> None:
    async with Runtime(nodes=[talk], clock=ManualClock(autojump=True)) as runtime:
        execution_id = await runtime.submit(talking(100, every=1))
        whole: list[Any] = []

        async def follow(scope: anyio.CancelScope) -> None:
            with scope:
                async for _ in runtime.follow(execution_id):
                    pass

        async def follow_all() -> None:
            whole.extend(await log_of(runtime, execution_id))

        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            tasks.start_soon(follow, scope)
            tasks.start_soon(follow_all)
            await anyio.lowlevel.checkpoint()
            scope.cancel()
        assert (await runtime.wait(execution_id)).success
    assert len(whole) == 104


async def test_a_follower_whose_past_the_ring_has_dropped_is_told_of_the_gap_and_sees_the_rest_whole() -> None:
    clock = ManualClock()
    async with Runtime(nodes=[talk], clock=clock) as runtime:
        small_ring(runtime, 1000)
        execution_id = await runtime.submit(talking(3000, every=2900))
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
        await anyio.wait_all_tasks_blocked()
        seen: list[Any] = []

        async def follow() -> None:
            seen.extend(await log_of(runtime, execution_id))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            clock.advance(1)
    gap, *events = seen
    assert isinstance(gap, HistoryGap)
    assert (gap.first, events[0].seq) == (1, gap.last + 1)
    assert gap.last > 1000
    assert [event.seq for event in events] == list(range(gap.last + 1, 3005))


async def test_a_follower_that_falls_behind_the_ring_is_told_of_the_gap_where_it_was() -> None:
    clock = ManualClock()
    async with Runtime(nodes=[talk], clock=clock) as runtime:
        small_ring(runtime, 1000)
        execution_id = await runtime.submit(talking(5000, every=2000))
        await anyio.wait_all_tasks_blocked()
        follower = aiter(runtime.follow(execution_id))
        first = await anext(follower)
        clock.advance(1)
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
        rest = [event async for event in follower]
    (gap,) = of(rest, HistoryGap)
    before, after = rest[: rest.index(gap)], rest[rest.index(gap) + 1 :]
    assert [first.seq, *[event.seq for event in before]] == list(range(1, gap.first))  # type: ignore[union-attr]
    assert [event.seq for event in after] == list(range(gap.last + 1, 5005))  # type: ignore[union-attr]


async def test_the_snapshot_of_an_execution_whose_first_events_are_dropped_still_says_how_it_ended() -> None:
    async with Runtime(nodes=[talk]) as runtime:
        small_ring(runtime, 1000)
        result = await runtime.run(talking(3000))
        assert runtime.snapshot(result.execution_id).status == "succeeded"


async def test_what_a_node_says_comes_in_order_between_its_start_and_its_end() -> None:
    events = await events_of(talking(500, every=100), nodes=[talk])
    assert [event.content["message"] for event in of(events, NodeEvent)] == [str(n) for n in range(500)]
    assert names(events)[:2] == ["WorkflowStarted", "NodeStarted"]
    assert names(events)[-2:] == ["NodeCompleted", "WorkflowCompleted"]
