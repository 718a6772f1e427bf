"""What running attempts get when their execution is stopped: a cancellation, ten seconds, and then nothing."""

import asyncio
import threading
from typing import Any

import anyio
import pytest
from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowRetrying,
)
from flowruntime import Runtime
from flowruntime.authoring import Context, Wait, node
from flowruntime.engine.machine import Machine
from flowruntime.engine.replaying import replay
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import events_of, log_of, of, turns_until, until_begun
from tests.engine_nodes import ALL, workflow


@node("local.linger", effects="pure")
async def linger(ctx: Context, *, seconds: float, then: str = "cancelled") -> str:
    """Never end by itself; once cancelled, take some time and end in the named way."""
    try:
        await ctx.sleep(1_000_000)
    except asyncio.CancelledError:
        await ctx.sleep(seconds)
        if then == "failed":
            raise ValueError("The cleanup broke.") from None
        if then == "cancelled":
            raise
    return "late"


@node("local.ask", effects="pure")
async def ask(ctx: Context) -> Any:
    """Wait for the signal `go`."""
    return Wait(signal="go") if ctx.woken is None else ctx.woken.value


def lingering(seconds: float, then: str = "cancelled", **fields: Any) -> dict[str, Any]:
    return {"node_type": "linger", "config": {"seconds": seconds, "then": then}, **fields}


def failing_after(seconds: float) -> dict[str, Any]:
    """A nap that its timeout ends, which is an ordinary failure."""
    return {"node_type": "nap", "config": {"seconds": 900}, "timeout_ms": seconds * 1000}


NODES = [linger, ask]


async def cancelled_at(document: dict[str, Any], seconds: float, nodes: list[Any] | None = None) -> list[Any]:
    """The log of an execution that is cancelled when it has run that long."""
    clock = ManualClock(autojump=True)
    async with Runtime(nodes=[*ALL, *NODES, *(nodes or [])], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        await clock.sleep_until(clock.now_us() + round(seconds * 1_000_000))
        runtime.cancel(execution_id)
        return await log_of(runtime, execution_id)


async def test_a_cancelled_coroutine_may_await_while_it_cleans_up() -> None:
    events = await cancelled_at(workflow({"l": lingering(4)}), 1)
    assert [event.node_id for event in of(events, NodeCancelled)] == ["l"]
    assert (events[-1].status, events[-1].duration_ms) == ("cancelled", 5000)


async def test_a_coroutine_is_cancelled_once_however_often_the_execution_is() -> None:
    cancellations: list[str] = []

    @node("local.counts", effects="pure")
    async def counts(ctx: Context) -> None:
        for second in range(3):
            try:
                await ctx.sleep(2)
            except asyncio.CancelledError:
                cancellations.append(f"in second {second}")

    clock = ManualClock(autojump=True)
    async with Runtime(nodes=[*ALL, counts], clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"c": "counts"}))
        for _ in range(3):
            await clock.sleep_until(clock.now_us() + 500_000)
            runtime.cancel(execution_id)
        events = await log_of(runtime, execution_id)
    assert cancellations == ["in second 0"]
    assert [event.node_id for event in of(events, NodeCompleted)] == ["c"]


@pytest.mark.parametrize(
    ("then", "end"),
    [("cancelled", "NodeCancelled"), ("late", "NodeCompleted"), ("failed", "NodeFailed")],
)
async def test_how_an_attempt_ends_within_the_grace_is_what_counts(then: str, end: str) -> None:
    events = await cancelled_at(workflow({"l": lingering(9.5, then)}), 1)
    assert [event.node_id for event in events if type(event).__name__ == end] == ["l"]
    assert (events[-1].status, events[-1].duration_ms) == ("cancelled", 10_500)


@pytest.mark.parametrize("then", ["cancelled", "late", "failed"])
async def test_an_attempt_that_refuses_to_end_is_given_up_after_ten_seconds(then: str) -> None:
    events = await cancelled_at(workflow({"l": lingering(60, then)}), 1)
    (cancelled,) = of(events, NodeCancelled)
    assert "did not end" in cancelled.why
    assert (events[-1].status, events[-1].duration_ms) == ("cancelled", 11_000)
    assert events[-1] is not cancelled
    assert not of(events, NodeCompleted)
    assert not of(events, NodeFailed)


async def test_the_grace_is_not_prolonged_by_attempts_that_fail_within_it() -> None:
    document = workflow({"refuses": lingering(60), "one": lingering(4, "failed"), "two": lingering(8, "failed")})
    events = await cancelled_at(document, 1)
    assert [event.node_id for event in of(events, NodeFailed)] == ["one", "two"]
    assert (events[-1].status, events[-1].duration_ms) == ("cancelled", 11_000)


async def test_why_nodes_were_cancelled_stays_what_stopped_the_execution() -> None:
    document = workflow({"refuses": lingering(9, "cancelled"), "one": lingering(4, "failed")})
    events = await cancelled_at(document, 1)
    assert [event.why for event in of(events, NodeCancelled)] == ["the execution was cancelled"]


async def test_a_stop_gives_running_attempts_the_same_grace_as_a_cancel() -> None:
    document = workflow({"f": failing_after(1), "refuses": lingering(60), "tidy": lingering(3, "late")})
    events = await events_of(document, nodes=NODES)
    assert [event.node_id for event in of(events, NodeCompleted)] == ["tidy"]
    assert [event.node_id for event in of(events, NodeCancelled)] == ["refuses"]
    assert (events[-1].status, events[-1].duration_ms) == ("failed", 11_000)
    assert events[-1].error["node_id"] == "f"


async def test_no_attempt_starts_after_the_stop() -> None:
    document = workflow(
        {
            "f": failing_after(1),
            "tidy": lingering(3, "late"),
            "follows": "free",
            "broken": lingering(2, "failed", retry_policy={"max_attempts": 5, "delay_ms": 1}),
        },
        "tidy.result -> follows.value",
    )
    events = await events_of(document, nodes=NODES)
    stop = of(events, NodeFailed)[0].seq
    assert all(event.seq < stop for event in of(events, NodeStarted))
    assert of(events, NodeRetrying) == []
    assert {event.node_id for event in of(events, NodeFailed)} == {"f", "broken"}


async def test_of_several_failures_the_one_with_the_lowest_seq_is_the_error() -> None:
    document = workflow({"late": lingering(2, "failed"), "first": failing_after(1), "second": lingering(1, "failed")})
    events = await events_of(document, nodes=NODES)
    assert [event.node_id for event in of(events, NodeFailed)] == ["first", "second", "late"]
    assert events[-1].error["node_id"] == "first"


async def test_a_stop_ends_waiting_nodes_and_backoffs_at_once() -> None:
    document = workflow(
        {
            "asks": "ask",
            "again": {"node_type": "fail", "retry_policy": {"max_attempts": 2, "delay_ms": 60_000}},
            "f": failing_after(1),
        }
    )
    events = await events_of(document, nodes=NODES)
    stop = of(events, NodeFailed)[0]
    assert {event.node_id for event in of(events, NodeCancelled)} == {"asks", "again"}
    assert {event.at_us for event in of(events, NodeCancelled)} == {stop.at_us}
    assert events[-1].at_us == stop.at_us


async def test_cancel_during_backoff_ends_at_once() -> None:
    policy = {"max_attempts": 2, "delay_ms": 50_000, "jitter": 0}
    events = await cancelled_at(workflow({"f": {"node_type": "fail", "retry_policy": policy}}), 20)
    assert [event.node_id for event in of(events, NodeCancelled)] == ["f"]
    assert (events[-1].status, events[-1].duration_ms) == ("cancelled", 20_000)


async def test_a_node_that_was_woken_and_has_no_slot_yet_gets_its_end_when_the_execution_is_stopped() -> None:
    clock = ManualClock(autojump=True)
    document = workflow(
        {"asks": "ask", "busy": {"node_type": "nap", "config": {"seconds": 60}}}, settings={"max_parallel_nodes": 1}
    )
    async with Runtime(nodes=[*ALL, ask], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeStarted) and event.node_id == "busy":
                runtime.signal(execution_id, "go", 1)
                runtime.cancel(execution_id)
        events = await log_of(runtime, execution_id)
    assert len(of(events, NodeWaiting)) == len(of(events, NodeWoken)) == 1
    assert {event.node_id for event in of(events, NodeCancelled)} == {"asks", "busy"}


async def test_a_node_whose_backoff_is_over_and_that_has_no_slot_yet_gets_its_end_when_the_execution_is_stopped() -> (
    None
):
    policy = {"max_attempts": 2, "delay_ms": 1000, "jitter": 0}
    document = workflow(
        {"f": {"node_type": "fail", "retry_policy": policy}, "busy": {"node_type": "nap", "config": {"seconds": 60}}},
        settings={"max_parallel_nodes": 1},
    )
    events = await cancelled_at(document, 30)
    assert {event.node_id for event in of(events, NodeStarted)} == {"f", "busy"}
    assert {event.node_id for event in of(events, NodeCancelled)} == {"f", "busy"}


async def test_a_cancel_while_a_failed_workflow_winds_down_keeps_it_from_starting_again() -> None:
    document = workflow(
        {"f": failing_after(1), "tidy": lingering(5)}, settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}}
    )
    events = await cancelled_at(document, 3, nodes=NODES)
    assert of(events, WorkflowRetrying) == []
    assert events[-1].duration_ms == 6000


async def test_closing_while_a_failed_workflow_winds_down_keeps_it_from_starting_again() -> None:
    document = workflow(
        {"f": failing_after(1), "tidy": lingering(5)}, settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}}
    )
    clock = ManualClock(autojump=True)
    async with Runtime(nodes=[*ALL, *NODES], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        await clock.sleep_until(clock.now_us() + 3_000_000)
    snapshot = runtime.snapshot(execution_id)
    assert snapshot.run_attempt == 1
    assert snapshot.duration_ms == 6000


async def test_a_log_that_breaks_off_within_a_cancel_folds_to_a_machine_that_was_stopped() -> None:
    document = workflow({"quick": lingering(1), "slow": lingering(2), "then": "free"}, "quick.result -> then.value")
    events = await cancelled_at(document, 1)
    async with Runtime(nodes=[*ALL, *NODES]) as runtime:
        plan = runtime.check(document).plan
    assert plan is not None
    machine = Machine(plan)
    for event in events[: events.index(of(events, NodeCancelled)[0]) + 1]:
        replay(machine, event)
    assert machine.stopped is not None
    assert not machine.has_ready()


class Blocking:
    """A node on a thread, which a test lets go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()
        self.ended = threading.Event()
        self.saw_cancelled: list[bool] = []

        @node("local.block")
        def block(ctx: Context) -> str:
            self.saw_cancelled.append(ctx.cancelled)
            self.begun.set()
            self.release.wait(30)
            self.saw_cancelled.append(ctx.cancelled)
            try:
                ctx.events.info("still here")
            finally:
                self.ended.set()
            return "from the thread"

        self.node = block


async def test_what_a_thread_gives_within_ten_seconds_of_a_cancel_counts() -> None:
    clock, blocking = ManualClock(), Blocking()
    async with Runtime(nodes=[blocking.node], clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"b": "block"}))
        await until_begun(blocking.begun)
        runtime.cancel(execution_id)
        clock.advance(9.9)
        await anyio.wait_all_tasks_blocked()
        assert runtime.snapshot(execution_id).status == "running"
        blocking.release.set()
        result = await runtime.wait(execution_id)
    assert result.status == "cancelled"
    assert result.node_outputs == {"b": {"result": "from the thread"}}
    assert blocking.saw_cancelled == [False, True]


async def test_a_thread_is_abandoned_ten_seconds_after_a_cancel_and_its_result_dropped() -> None:
    clock, blocking = ManualClock(), Blocking()
    async with Runtime(nodes=[blocking.node], clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"b": "block"}))
        await until_begun(blocking.begun)
        runtime.cancel(execution_id)
        await anyio.wait_all_tasks_blocked()
        clock.advance(10)
        with anyio.fail_after(20):
            result = await runtime.wait(execution_id)
        assert not blocking.ended.is_set()
        blocking.release.set()
        await turns_until(blocking.ended.is_set)
        events = await log_of(runtime, execution_id)
    assert (result.status, result.node_outputs, result.duration_ms) == ("cancelled", {}, 10_000)
    assert [type(event).__name__ for event in events[-2:]] == ["NodeCancelled", "WorkflowCompleted"]
    assert blocking.saw_cancelled == [False, True]


async def test_a_thread_sees_that_its_attempt_timed_out_and_what_it_says_then_is_dropped() -> None:
    clock, blocking = ManualClock(), Blocking()
    document = workflow({"b": {"node_type": "block", "timeout_ms": 1000, "on_error": "continue"}, "nap": "nap"})
    async with Runtime(nodes=[*ALL, blocking.node], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        await until_begun(blocking.begun)
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
        await anyio.wait_all_tasks_blocked()
        blocking.release.set()
        await turns_until(blocking.ended.is_set)
        events = await log_of(runtime, execution_id)
    assert blocking.saw_cancelled == [False, True]
    assert [event.node_id for event in of(events, NodeFailed)] == ["b"]
    assert [event.node_id for event in of(events, NodeCompleted)] == ["nap"]
    assert "NodeEvent" not in {type(event).__name__ for event in events}


async def test_a_blocking_node_that_waits_for_a_free_thread_does_not_begin_after_a_cancel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flowruntime.engine.attempt.threads.MAX_THREADS", 1)
    clock, begun, release = ManualClock(), threading.Semaphore(0), threading.Event()
    calls: list[str] = []

    @node("local.block")
    def block(ctx: Context) -> None:
        calls.append(ctx.node_id)
        begun.release()
        release.wait(30)

    async with Runtime(nodes=[block], clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"a": "block", "b": "block"}))
        await turns_until(lambda: begun.acquire(blocking=False))
        await anyio.wait_all_tasks_blocked()
        runtime.cancel(execution_id)
        release.set()
        with anyio.fail_after(20):
            result = await runtime.wait(execution_id)
    assert result.status == "cancelled"
    assert calls == ["a"]


async def test_no_blocking_node_starts_while_too_many_abandoned_threads_are_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flowruntime.engine.attempt.threads.MAX_ABANDONED", 1)
    clock, blocking = ManualClock(), Blocking()
    document = workflow({"b": {"node_type": "block", "timeout_ms": 1000}})
    async with Runtime(nodes=[blocking.node], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        await until_begun(blocking.begun)
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
        assert (await runtime.wait(execution_id)).error["code"] == "node.timeout"  # type: ignore[index]
        refused = await runtime.run(document)
        blocking.release.set()
        await turns_until(blocking.ended.is_set)
        await turns_until(lambda: not runtime._supervisor._threads.abandoned)
        assert (await runtime.run(document)).success
    assert refused.error is not None
    assert (refused.error["code"], refused.error["retryable"]) == ("node.threads_exhausted", True)
