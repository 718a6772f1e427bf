"""Progress and lines are merged and bounded, and nothing that counts is lost."""

import itertools
import threading
from typing import Any

import anyio
import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeEvent, NodeFailed, NodeStarted
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import events_of, log_of, of
from tests.engine_nodes import ALL, workflow


def said(events: list[Any], *kinds: str) -> list[NodeEvent]:
    return [event for event in of(events, NodeEvent) if event.event_type in kinds]


@node("local.works", effects="pure")
async def works(ctx: Context, *, steps: int = 1000, seconds: float = 0.01, fails: bool = False) -> None:
    """Report progress a hundred times a second."""
    for step in range(steps):
        ctx.events.progress(100 * (step + 1) / steps, f"step {step + 1}")
        await ctx.sleep(seconds)
    if fails:
        raise ValueError("It broke at the end.")


async def test_progress_is_merged_to_ten_a_second_and_the_last_one_is_not_lost() -> None:
    events = await events_of(workflow({"w": "works"}), nodes=[works])
    progress = said(events, "Progress")
    assert 95 <= len(progress) <= 101  # ten seconds
    gaps_us = [later.at_us - earlier.at_us for earlier, later in itertools.pairwise(progress)]
    assert min(gaps_us[:-1]) >= 100_000
    assert progress[-1].content == {"percent": 100.0, "message": "step 1000"}
    percents = [event.content["percent"] for event in progress]
    assert percents == sorted(percents)


@pytest.mark.parametrize("fails", [False, True])
async def test_progress_that_is_held_is_recorded_before_the_end_of_its_node(*, fails: bool) -> None:
    config = {"steps": 3, "seconds": 0.0, "fails": fails}
    events = await events_of(workflow({"w": {"node_type": "works", "config": config}}), nodes=[works])
    progress = said(events, "Progress")
    assert [event.content["message"] for event in progress] == ["step 1", "step 3"]
    (end,) = of(events, NodeFailed) if fails else of(events, NodeCompleted)
    assert progress[-1].seq == end.seq - 1


async def test_progress_that_is_held_when_the_execution_is_cancelled_is_recorded() -> None:
    clock = ManualClock()
    config = {"steps": 5, "seconds": 0.03}
    async with Runtime(nodes=[*ALL, works], clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"w": {"node_type": "works", "config": config}}))
        await anyio.wait_all_tasks_blocked()
        clock.advance(0.03)
        await anyio.wait_all_tasks_blocked()
        runtime.cancel(execution_id)
        events = await log_of(runtime, execution_id)
    assert [event.content["message"] for event in said(events, "Progress")] == ["step 1", "step 2"]
    (end,) = of(events, NodeCancelled)
    assert said(events, "Progress")[-1].seq == end.seq - 1


async def test_progress_that_is_held_is_recorded_in_time_while_the_node_says_nothing_more() -> None:
    @node("local.pauses", effects="pure")
    async def pauses(ctx: Context) -> None:
        ctx.events.progress(1)
        ctx.events.progress(2)
        await ctx.sleep(60)

    events = await events_of(workflow({"p": "pauses"}), nodes=[pauses])
    (start,) = of(events, NodeStarted)
    assert [event.at_us - start.at_us for event in said(events, "Progress")] == [0, 100_000]


async def test_lines_are_merged_in_the_order_in_which_they_were_printed() -> None:
    @node("local.prints", effects="pure")
    async def prints(ctx: Context) -> None:
        for number in range(100):
            ctx.events.stdout_line(f"out {number}")
            if number % 10 == 9:
                ctx.events.stderr_line(f"err {number}")
                await ctx.sleep(0.03)

    events = await events_of(workflow({"p": "prints"}), nodes=[prints])
    lines = said(events, "StdoutLine", "StderrLine")
    printed = [line for event in lines for line in event.content["line"].split("\n")]
    expected = []
    for number in range(100):
        expected.append(f"out {number}")
        if number % 10 == 9:
            expected.append(f"err {number}")
    assert printed == expected
    assert len(lines) < 25
    assert {event.event_type for event in lines if "err" in event.content["line"]} == {"StderrLine"}


async def test_what_is_held_comes_before_what_the_node_says_afterwards() -> None:
    @node("local.mixes", effects="pure")
    async def mixes(ctx: Context) -> None:
        ctx.events.stdout_line("one")
        ctx.events.stdout_line("two")
        ctx.events.warning("three")
        ctx.events.stdout_line("four")

    events = await events_of(workflow({"m": "mixes"}), nodes=[mixes])
    assert [next(iter(event.content.values())) for event in of(events, NodeEvent)] == ["one", "two", "three", "four"]


@pytest.mark.parametrize("size", [100, 1000, 600_000])
async def test_lines_are_cut_at_one_mebibyte_an_attempt_with_one_warning(size: int) -> None:
    @node("local.floods", effects="pure")
    async def floods(ctx: Context, *, size: int) -> None:
        for number in range(3 * (1 << 20) // (size + 1)):
            (ctx.events.stderr_line if number % 2 else ctx.events.stdout_line)("é" * (size // 2) + "." * (size % 2))
        if ctx.attempt == 1:
            raise ValueError("Once more.")

    policy = {"max_attempts": 2, "delay_ms": 0}
    document = workflow({"f": {"node_type": "floods", "config": {"size": size}, "retry_policy": policy}})
    events = await events_of(document, nodes=[floods])
    for attempt in (1, 2):
        spoken = [event for event in of(events, NodeEvent) if event.attempt == attempt]
        (warning,) = (event for event in spoken if event.event_type == "Warning")
        assert "1 MiB" in warning.content["message"]
        kept = sum(len(event.content["line"].encode()) + 1 for event in spoken if event.event_type != "Warning")
        assert (1 << 20) - size - 1 <= kept <= 1 << 20
        assert warning is spoken[-1]


async def test_what_a_thread_says_keeps_its_order() -> None:
    @node("local.thread_talk")
    def thread_talk(ctx: Context) -> bool:
        for number in range(200):
            ctx.events.stdout_line(f"{number}")
        ctx.events.info("done")
        return threading.current_thread() is not threading.main_thread()

    async with Runtime(nodes=[thread_talk]) as runtime:
        events = await log_of(runtime, await runtime.submit(workflow({"t": "thread_talk"})))
    lines = [line for event in said(events, "StdoutLine") for line in event.content["line"].split("\n")]
    assert lines == [str(number) for number in range(200)]
    assert of(events, NodeEvent)[-1].content == {"message": "done"}
    assert events[-1].outputs == {"t": {"result": True}}
