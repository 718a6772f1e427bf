"""Which executions may run: `settings.concurrency`, `settings.priority` and the runtime's `max_executions`."""

from typing import Any

import anyio
import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeStarted, NodeWaiting, WorkflowCompleted
from flowruntime import Runtime
from flowruntime.authoring import Context, Wait, node
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import log_of, names, of
from tests.engine_nodes import ALL, workflow

ORDER: list[str] = []


@node("local.note", effects="pure")
async def note(ctx: Context, *, seconds: float = 1.0) -> None:
    """Note that the execution has begun, and take some time."""
    ORDER.append(ctx.workflow.name)
    await ctx.sleep(seconds)


@node("local.ask", effects="pure")
async def ask(ctx: Context) -> Any:
    """Wait for the signal `go`."""
    return Wait(signal="go") if ctx.woken is None else ctx.woken.value


NODES = [*ALL, note, ask]


def noting(name: str, *, workflow_id: str = "", **settings: Any) -> dict[str, Any]:
    document = workflow({"n": "note"}, settings=settings)
    return {**document, "name": name, "id": workflow_id or name}


async def order_of(documents: list[dict[str, Any]], **options: Any) -> list[str]:
    """The names of the documents in the order in which their executions begin, all submitted at once."""
    ORDER.clear()
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True), **options) as runtime:
        ids = [await runtime.submit(document) for document in documents]
        with anyio.fail_after(20):
            results = [await runtime.wait(execution_id) for execution_id in ids]
    assert {result.status for result in results} == {"succeeded"}
    return list(ORDER)


async def test_beyond_the_workflows_concurrency_executions_are_pending_in_the_order_of_their_start() -> None:
    clock = ManualClock(autojump=True)
    async with Runtime(nodes=NODES, clock=clock) as runtime:
        ids = [await runtime.submit(noting(f"n{index}", workflow_id="one", concurrency=2)) for index in range(5)]
        await clock.sleep_until(clock.now_us() + 500_000)
        statuses = [runtime.snapshot(execution_id).status for execution_id in ids]
        results = [await runtime.wait(execution_id) for execution_id in ids]
    assert statuses == ["running", "running", "pending", "pending", "pending"]
    assert [result.duration_ms for result in results] == [1000, 1000, 2000, 2000, 3000]


async def test_the_concurrency_of_one_workflow_does_not_hold_back_another() -> None:
    documents = [noting("a1", workflow_id="a", concurrency=1), noting("a2", workflow_id="a", concurrency=1)]
    assert await order_of([*documents, noting("b", concurrency=1), noting("c")]) == ["a1", "b", "c", "a2"]


async def test_the_runtimes_limit_holds_for_all_workflows() -> None:
    assert await order_of([noting(name) for name in "abcd"], max_executions=1) == ["a", "b", "c", "d"]


async def test_the_pending_execution_with_the_highest_priority_comes_first_and_the_oldest_among_equals() -> None:
    priorities = {"first": None, "low": -1, "none": None, "high": 5, "high too": 5, "zero": 0}
    documents = [noting(name, priority=priority) for name, priority in priorities.items()]
    order = await order_of(documents, max_executions=1)
    assert order == ["first", "high", "high too", "none", "zero", "low"]


async def test_priority_orders_the_executions_behind_one_workflows_concurrency() -> None:
    documents = [
        noting("first", workflow_id="w", concurrency=1),
        noting("low", workflow_id="w", concurrency=1, priority=-1),
        noting("high", workflow_id="w", concurrency=1, priority=1),
    ]
    assert await order_of(documents) == ["first", "high", "low"]


async def test_with_both_limits_the_highest_priority_goes_before_the_next_of_the_workflow_that_ended() -> None:
    documents = [
        noting("first", workflow_id="w", concurrency=1),
        noting("next of the same", workflow_id="w", concurrency=1),
        noting("urgent", priority=10),
    ]
    assert await order_of(documents, max_executions=1) == ["first", "urgent", "next of the same"]


async def test_with_both_limits_all_executions_run_in_the_end_and_neither_limit_is_exceeded() -> None:
    documents = [noting(f"{name}{index}", workflow_id=name, concurrency=2) for index in range(4) for name in "ab"]
    clock = ManualClock(autojump=True)
    async with Runtime(nodes=NODES, clock=clock, max_executions=3) as runtime:
        ids = [await runtime.submit(document) for document in documents]
        logs = [await log_of(runtime, execution_id) for execution_id in ids]
    moments = sorted(
        (event.at_us, isinstance(event, NodeStarted), name[0])
        for name, log in zip([document["id"] for document in documents], logs, strict=True)
        for event in log
        if isinstance(event, NodeStarted | NodeCompleted)
    )
    running = {"a": 0, "b": 0}
    for _, started, name in moments:
        running[name] += 1 if started else -1
        assert max(running.values()) <= 2
        assert sum(running.values()) <= 3
    assert running == {"a": 0, "b": 0}


async def test_cancelling_a_pending_execution_ends_it_at_once_and_its_place_goes_to_the_next() -> None:
    clock = ManualClock(autojump=True)
    ORDER.clear()
    async with Runtime(nodes=NODES, clock=clock, max_executions=1) as runtime:
        ids = [await runtime.submit(noting(name)) for name in ("runs", "cancelled", "next")]
        runtime.cancel(ids[1])
        cancelled = await runtime.wait(ids[1])
        events = await log_of(runtime, ids[1])
        results = [await runtime.wait(execution_id) for execution_id in (ids[0], ids[2])]
    assert (cancelled.status, cancelled.duration_ms) == ("cancelled", 0)
    assert names(events) == ["WorkflowStarted", "WorkflowCompleted"]
    assert [result.duration_ms for result in results] == [1000, 2000]
    assert ORDER == ["runs", "next"]


async def test_a_cancelled_pending_execution_that_has_a_disabled_node_says_nothing_of_it() -> None:
    document = workflow({"off": {"node_type": "give", "disabled": True}, "n": "note"})
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True), max_executions=1) as runtime:
        first = await runtime.submit(noting("runs"))
        pending = await runtime.submit(document)
        runtime.cancel(pending)
        events = await log_of(runtime, pending)
        await runtime.wait(first)
    assert names(events) == ["WorkflowStarted", "WorkflowCompleted"]


async def test_a_pending_execution_cancelled_behind_both_limits_gives_its_place_in_the_workflow_back() -> None:
    clock = ManualClock(autojump=True)
    ORDER.clear()
    async with Runtime(nodes=NODES, clock=clock, max_executions=1) as runtime:
        first = await runtime.submit(noting("other"))
        ids = [await runtime.submit(noting(f"w{index}", workflow_id="w", concurrency=1)) for index in range(3)]
        runtime.cancel(ids[0])
        with anyio.fail_after(20):
            results = [await runtime.wait(execution_id) for execution_id in (first, *ids)]
    assert [result.status for result in results] == ["succeeded", "cancelled", "succeeded", "succeeded"]
    assert ORDER == ["other", "w1", "w2"]


async def test_a_waiting_execution_keeps_its_place() -> None:
    document = {**workflow({"a": "ask"}, settings={"concurrency": 1}), "id": "one"}
    async with Runtime(nodes=NODES, clock=ManualClock()) as runtime:
        ids = [await runtime.submit(document) for _ in range(2)]
        with anyio.fail_after(20):
            async for event in runtime.follow(ids[0]):
                if isinstance(event, NodeWaiting):
                    assert [runtime.snapshot(given).status for given in ids] == ["waiting", "pending"]
                    runtime.signal(ids[0], "go", 1)
            async for event in runtime.follow(ids[1]):
                if isinstance(event, NodeWaiting):
                    runtime.signal(ids[1], "go", 2)
        results = [await runtime.wait(given) for given in ids]
    assert [result.outputs for result in results] == [{"a": {"result": 1}}, {"a": {"result": 2}}]


async def test_time_spent_pending_does_not_count_against_the_execution_s_limit() -> None:
    clock = ManualClock(autojump=True)
    long = workflow({"n": {"node_type": "note", "config": {"seconds": 100}}})
    async with Runtime(nodes=NODES, clock=clock, max_executions=1) as runtime:
        first = await runtime.submit(long)
        second = await runtime.submit(noting("short", max_execution_time_ms=5000))
        results = [await runtime.wait(execution_id) for execution_id in (first, second)]
    assert [result.status for result in results] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("pending", [False, True])
async def test_run_waits_for_its_turn_and_being_cancelled_meanwhile_ends_the_execution(*, pending: bool) -> None:
    ORDER.clear()
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True), max_executions=1) as runtime:
        first = await runtime.submit(noting("first"))
        await anyio.lowlevel.checkpoint()
        if pending:
            with anyio.move_on_after(0):
                await runtime.run(noting("never"))
        result = await runtime.run(noting("second"))
        assert (await runtime.wait(first)).success
    assert (result.status, result.duration_ms) == ("succeeded", 2000)
    assert ORDER == ["first", "second"]


async def test_closing_ends_pending_executions_without_starting_them() -> None:
    ORDER.clear()
    async with Runtime(nodes=NODES, clock=ManualClock(), max_executions=1) as runtime:
        ids = [await runtime.submit(noting(f"n{index}")) for index in range(4)]
        await anyio.wait_all_tasks_blocked()
    assert ORDER == ["n0"]
    for execution_id in ids:
        assert runtime.snapshot(execution_id).status == "cancelled"
    events = [event async for event in runtime.follow(ids[0])]
    assert len(of(events, NodeCancelled)) == len(of(events, WorkflowCompleted)) == 1
