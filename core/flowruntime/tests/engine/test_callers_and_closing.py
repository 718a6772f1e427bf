"""Who runs, cancels and closes: the caller's task stays usable, and a closed runtime leaves nothing behind."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeStarted, WorkflowCompleted
from flowruntime import Runtime
from flowruntime.authoring import Context, Wait, node
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import log_of, names, of, turns_until, until_begun
from tests.engine_nodes import ALL, workflow

RUNTIMES: list[Runtime] = []


@node("local.cancels", effects="pure")
async def cancels(ctx: Context, *, then_seconds: float = 0) -> str:
    """Cancel the execution that this attempt belongs to."""
    RUNTIMES[-1].cancel(ctx.execution_id)
    if then_seconds:
        await ctx.sleep(then_seconds)
    return "went on"


@node("local.defiant", effects="pure")
async def defiant(ctx: Context) -> str:
    """Swallow the cancellation."""
    try:
        await ctx.sleep(1000)
    except asyncio.CancelledError:
        return "went on"
    return "slept"


@node("local.ask", effects="pure")
async def ask(ctx: Context, *, seconds: float | None = None) -> Any:
    """Wait for the signal `go`, or for a time."""
    if ctx.woken is not None:
        return ctx.woken.value
    return Wait(signal="go", until=None if seconds is None else ctx.now() + timedelta(seconds=seconds))


NODES = [*ALL, cancels, defiant, ask]


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def test_a_timeout_around_run_cancels_the_execution_and_comes_out_as_a_timeout() -> None:
    ids: list[str] = []

    @node("local.provoke", effects="pure")
    async def provoke(ctx: Context) -> None:
        ids.append(ctx.execution_id)
        timeout.reschedule(asyncio.get_running_loop().time())
        await ctx.sleep(1000)

    async with Runtime(nodes=[*NODES, provoke], clock=ManualClock()) as runtime:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as timeout:
                await runtime.run(workflow({"p": "provoke", "nap": "nap"}))
        assert cancelling() == 0
        await anyio.lowlevel.checkpoint()
        events = await log_of(runtime, ids[0])
    assert {event.node_id for event in of(events, NodeCancelled)} == {"p", "nap"}
    assert events[-1].status == "cancelled"


async def test_the_cancelled_caller_s_task_can_be_used_afterwards() -> None:
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True)) as runtime:
        with anyio.move_on_after(0) as scope:
            await runtime.run(workflow({"nap": "nap"}))
        assert scope.cancelled_caught
        assert cancelling() == 0
        assert (await runtime.run(workflow({"nap": "nap"}))).success


async def test_run_raises_the_cancellation_of_its_caller_once_the_execution_has_ended() -> None:
    clock = ManualClock(autojump=True)
    ids: list[str] = []

    @node("local.tidy", effects="pure")
    async def tidy(ctx: Context) -> None:
        ids.append(ctx.execution_id)
        try:
            await ctx.sleep(1000)
        finally:
            await ctx.sleep(3)

    async with Runtime(nodes=[*NODES, tidy], clock=clock) as runtime:
        task = asyncio.create_task(runtime.run(workflow({"t": "tidy", "d": "defiant", "a": "ask"})))
        await turns_until(lambda: bool(ids))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        snapshot = runtime.snapshot(ids[0])
    assert (snapshot.status, snapshot.duration_ms) == ("cancelled", 3000)
    assert {view.node_id: view.status for view in snapshot.nodes.values()} == {
        "t": "cancelled",
        "d": "completed",
        "a": "cancelled",
    }


async def test_a_cancellation_of_the_caller_that_a_node_swallows_still_cancels_the_execution() -> None:
    ids: list[str] = []

    @node("local.first", effects="pure")
    async def first(ctx: Context) -> str:
        ids.append(ctx.execution_id)
        try:
            await ctx.sleep(1000)
        except asyncio.CancelledError:
            return "swallowed"
        return "slept"

    document = workflow({"f": "first", "then": "free"}, "f.result -> then.value")
    async with Runtime(nodes=[*ALL, first], clock=ManualClock()) as runtime:
        task = asyncio.create_task(runtime.run(document))
        await turns_until(lambda: bool(ids))
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        await asyncio.wait([task])
        events = await log_of(runtime, ids[0])
    assert [event.node_id for event in of(events, NodeStarted)] == ["f"]
    assert events[-1].status == "cancelled"


async def test_a_node_that_cancels_its_own_execution_and_returns_at_once_is_completed() -> None:
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True)) as runtime:
        RUNTIMES.append(runtime)
        result = await runtime.run(workflow({"c": "cancels", "then": "free"}, "c.result -> then.value"))
        assert cancelling() == 0
        await anyio.lowlevel.checkpoint()
        submitted = await runtime.wait(await runtime.submit(workflow({"c": "cancels"})))
    assert (result.status, submitted.status) == ("cancelled", "cancelled")
    assert result.node_outputs == {"c": {"result": "went on"}}
    assert result.completed_nodes == ("c",)


async def test_a_node_that_cancels_its_own_execution_and_goes_on_is_cancelled() -> None:
    document = workflow({"c": {"node_type": "cancels", "config": {"then_seconds": 60}}, "nap": "nap"})
    async with Runtime(nodes=NODES, clock=ManualClock()) as runtime:
        RUNTIMES.append(runtime)
        result = await runtime.run(document)
        assert cancelling() == 0
        events = await log_of(runtime, result.execution_id)
    assert (result.status, result.duration_ms) == ("cancelled", 0)
    assert {event.node_id for event in of(events, NodeCancelled)} == {"c", "nap"}


async def test_cancelling_an_execution_that_runs_in_its_caller_s_task_gives_the_caller_a_result() -> None:
    clock = ManualClock()
    async with Runtime(nodes=NODES, clock=clock) as runtime:
        RUNTIMES.append(runtime)
        document = workflow({"nap": "nap", "c": "cancels"})
        before = cancelling()
        result = await runtime.run(document)
        assert cancelling() == before
        assert result.status == "cancelled"
        await anyio.lowlevel.checkpoint()  # and no cancellation is left to be delivered


async def test_a_caller_that_is_being_cancelled_keeps_its_own_count_of_cancellations() -> None:
    counts: list[int] = []

    async def cleans_up(runtime: Runtime) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            counts.append(cancelling())
            result = await runtime.run(workflow({"c": "cancels"}))
            assert result.status == "cancelled"
            counts.append(cancelling())

    async with Runtime(nodes=NODES, clock=ManualClock()) as runtime:
        RUNTIMES.append(runtime)
        task = asyncio.create_task(cleans_up(runtime))
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    assert counts == [1, 1]


async def test_a_timeout_of_an_attempt_in_the_caller_s_task_leaves_the_task_as_it_was() -> None:
    document = workflow({"n": {"node_type": "nap", "config": {"seconds": 60}, "timeout_ms": 10}})
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True)) as runtime:
        result = await runtime.run(document)
        assert cancelling() == 0
        await anyio.lowlevel.checkpoint()
        assert result.status == "failed"
        assert not runtime._supervisor._leftovers  # the caller's task is not waited for when the runtime is closed


async def test_closing_ends_what_runs_waits_and_blocks_within_the_grace_and_leaves_no_task() -> None:
    clock = ManualClock()
    begun, release = threading.Event(), threading.Event()

    @node("local.block")
    def block() -> None:
        begun.set()
        release.wait(30)

    before = asyncio.all_tasks()
    started_us = clock.now_us()
    async with Runtime(nodes=[*NODES, block], clock=clock, max_executions=6) as runtime:
        policy = {"max_attempts": 2, "delay_ms": 60_000}
        documents = {
            "runs": workflow({"n": "nap"}),
            "waits": workflow({"a": "ask"}),
            "in backoff": workflow({"f": {"node_type": "fail", "retry_policy": policy}}),
            "starts again": workflow({"f": "fail"}, settings={"on_error": {"RetryWorkflow": {}}}),
            "blocks": workflow({"b": "block"}),
            "defies": workflow({"d": "defiant"}),
            "pending": workflow({"n": "nap"}),
        }
        ids = {name: await runtime.submit(document) for name, document in documents.items()}
        await until_begun(begun)
        await anyio.wait_all_tasks_blocked()

        async def grace() -> None:
            await turns_until(lambda: runtime.snapshot(ids["pending"]).status == "cancelled")
            await anyio.wait_all_tasks_blocked()
            clock.advance(10)

        passing = asyncio.create_task(grace())
    await passing
    assert clock.now_us() - started_us == 10_000_000
    assert {name: runtime.snapshot(given).status for name, given in ids.items()} == dict.fromkeys(ids, "cancelled")
    logs = {name: [event async for event in runtime.follow(given)] for name, given in ids.items()}
    assert [event.node_id for event in of(logs["defies"], NodeCompleted)] == ["d"]
    assert [event.node_id for event in of(logs["blocks"], NodeCancelled)] == ["b"]
    assert names(logs["starts again"])[-2:] == ["WorkflowRetrying", "WorkflowCompleted"]
    release.set()
    assert asyncio.all_tasks() == before


async def test_closing_leaves_no_task_of_an_attempt_that_timed_out_and_cleans_up() -> None:
    cleaned: list[str] = []

    @node("local.tidy", effects="pure")
    async def tidy(ctx: Context) -> None:
        try:
            await ctx.sleep(1000)
        finally:
            await anyio.lowlevel.checkpoint()
            cleaned.append(ctx.node_id)

    before = asyncio.all_tasks()
    async with Runtime(nodes=[tidy], clock=ManualClock(autojump=True)) as runtime:
        execution_id = await runtime.submit(workflow({"t": {"node_type": "tidy", "timeout_ms": 10}}))
        assert (await runtime.wait(execution_id)).status == "failed"
    assert cleaned == ["t"]
    assert asyncio.all_tasks() == before


async def test_twenty_thousand_waiting_executions_have_no_task_and_each_is_woken() -> None:
    count, clock = 20_000, ManualClock()
    answers: list[Any] = []

    @node("local.wait_long", effects="pure")
    async def wait_long(ctx: Context) -> Wait | None:
        if ctx.woken is None:
            return Wait(signal="go", until=ctx.now() + timedelta(seconds=60))
        answers.append(ctx.woken.value if ctx.woken.reason == "signal" else ctx.woken.reason)
        return None

    async with Runtime(nodes=[wait_long], clock=clock) as runtime:
        checked = runtime.check(workflow({"w": "wait_long"}))
        assert checked.workflow is not None
        await runtime.submit(checked.workflow)
        await anyio.wait_all_tasks_blocked()
        tasks = len(asyncio.all_tasks())
        ids = [await runtime.submit(checked.workflow) for _ in range(count)]
        await turns_until(lambda: len(asyncio.all_tasks()) == tasks)
        assert runtime.snapshot(ids[-1]).status == "waiting"
        for number in range(count // 2):
            runtime.signal(ids[number], "go", number)
        await turns_until(lambda: len(answers) == count // 2)
        clock.advance(60)
        await turns_until(lambda: len(answers) == count + 1)
        assert (await runtime.wait(ids[-1])).success
        assert len(asyncio.all_tasks()) == tasks
    assert answers == [*range(count // 2), *["due"] * (count // 2 + 1)]


@pytest.mark.parametrize("in_callers_task", [True, False])
async def test_other_tasks_get_their_turn_during_a_long_chain_of_nodes_that_never_suspend(
    *, in_callers_task: bool
) -> None:
    count, turns = 10_000, 0
    nodes: dict[str, Any] = {f"n{index}": "add" for index in range(count)}
    document = workflow(nodes, *(f"n{index}.result -> n{index + 1}.x" for index in range(count - 1)))
    async with Runtime(nodes=NODES) as runtime:
        checked = runtime.check(document)
        assert checked.workflow is not None
        assert (await runtime.run(checked.workflow, {"x": 0, "y": 0})).success  # the instances are there now
        done = False

        async def other() -> None:
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        if in_callers_task:
            result = await runtime.run(checked.workflow, {"x": 0, "y": 0})
        else:
            result = await runtime.wait(await runtime.submit(checked.workflow, {"x": 0, "y": 0}))
        done = True
        await task
    assert result.success
    assert count // 64 <= turns <= count // 16


async def test_short_runs_one_after_the_other_let_other_tasks_have_their_turn() -> None:
    turns, done = 0, False

    async def other() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    async with Runtime(nodes=NODES) as runtime:
        checked = runtime.check(workflow({"f": "free"}))
        assert checked.workflow is not None
        await runtime.run(checked.workflow)
        task = asyncio.create_task(other())
        for _ in range(1000):
            await runtime.run(checked.workflow)
        done = True
        await task
    assert turns >= 1000 // 64


async def test_the_end_of_every_execution_is_the_last_event_of_its_log_once_and_only_once() -> None:
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True)) as runtime:
        RUNTIMES.append(runtime)
        document = workflow({"c": "cancels", "nap": "nap", "d": "defiant", "f": "fail"})
        events = await log_of(runtime, await runtime.submit(document))
    assert len(of(events, WorkflowCompleted)) == 1
    assert isinstance(events[-1], WorkflowCompleted)
