"""What random nested documents and a look at the engine's containers have brought to light, each at its smallest."""

import asyncio
from typing import Any

import anyio
from flowcore.events import NodeCancelled, NodeCompleted, NodeFailed, NodeStarted, WorkflowRetrying
from flowruntime import Runtime
from flowruntime.authoring import Context, RetryableNodeError, node
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock

from tests.control_flows import flow, of

#: Far beyond everything that these documents take: what has not ended by then never ends.
_HORIZON_SECONDS = 600


@node("local.linger", effects="pure")
async def linger(ctx: Context, *, seconds: float, cleanup_seconds: float = 0) -> None:
    """Sleep; when cancelled, take some time to clean up."""
    try:
        await ctx.sleep(seconds)
    except asyncio.CancelledError:
        await ctx.sleep(cleanup_seconds)
        raise


@node("local.break_down", effects="pure")
async def break_down(ctx: Context, *, seconds: float) -> None:
    """Fail after a while, retryably."""
    await ctx.sleep(seconds)
    raise RetryableNodeError("It broke down.")


_REGISTRY = Registry.discover().with_local([linger, break_down])


def _linger(seconds: float, cleanup_seconds: float = 0) -> dict[str, Any]:
    return {"node_type": "linger", "config": {"seconds": seconds, "cleanup_seconds": cleanup_seconds}}


def _break_down(seconds: float) -> dict[str, Any]:
    return {"node_type": "break_down", "config": {"seconds": seconds}}


def _subflow(workflow: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"node_type": "control.subflow", "config": {"workflow": workflow}, **fields}


def _loop(body: dict[str, Any], items: list[Any], **config: Any) -> dict[str, Any]:
    return {"node_type": "control.loop", "config": {"body": body, **config}, "inputs": {"items": items}}


async def _play(document: dict[str, Any], *, cancel_at_seconds: float | None = None) -> tuple[bool, list[Any]]:
    """Whether it ended by itself, and its log; times count from 0."""
    clock = ManualClock(0, autojump=True)
    runtime = Runtime(registry=_REGISTRY, clock=clock, seed=1)
    await runtime.__aenter__()
    execution_id = await runtime.submit(document)
    if cancel_at_seconds is not None:
        await clock.sleep_until(round(cancel_at_seconds * 1_000_000))
        runtime.cancel(execution_id)
    with anyio.fail_after(20):
        await clock.sleep_until(_HORIZON_SECONDS * 1_000_000)
    ended = runtime.snapshot(execution_id).status in {"succeeded", "failed", "cancelled"}
    if not ended:
        log: list[Any] = list(runtime._journal.read(execution_id, 0).events)
        runtime._supervisor._open.clear()
    else:
        log = [event async for event in runtime.follow(execution_id)]
    await runtime.__aexit__(None, None, None)
    return ended, log


#: Fails at 4 s and would start again; what else runs in it takes until 7 s to end.
_STARTS_AGAIN = flow(
    {"a": _break_down(4), "b": _linger(60, cleanup_seconds=3)},
    settings={"on_error": {"RetryWorkflow": {"max_attempts": 2}}},
)


async def test_an_execution_ends_that_fails_while_a_child_is_about_to_start_again() -> None:
    ended, log = await _play(flow({"s": _subflow(_STARTS_AGAIN), "f": _break_down(5)}))
    assert ended
    assert (log[-1].status, log[-1].error["node_id"], log[-1].duration_ms) == ("failed", "f", 7000)
    assert not of(log, WorkflowRetrying)


async def test_a_child_does_not_start_again_after_its_container_ran_out_of_time() -> None:
    ended, log = await _play(flow({"s": _subflow(_STARTS_AGAIN, timeout_ms=5000)}))
    assert ended
    assert not of(log, WorkflowRetrying)
    assert (log[-1].error["code"], log[-1].duration_ms) == ("node.timeout", 7000)


async def test_a_child_does_not_start_again_after_the_loop_was_left() -> None:
    is_first = {
        "node_type": "control.if",
        "config": {"condition": "inputs.value == `0`"},
        "inputs": {"value": "${{ input.index }}"},
    }
    body = flow(
        {"which": is_first, "leave": _linger(5), "s": _subflow(_STARTS_AGAIN)},
        "which.true -> leave.after",
        "which.false -> s.after",
    )
    ended, log = await _play(flow({"l": _loop(body, [0, 1], concurrency=2, break_when="input.index == `0`")}))
    assert ended
    assert (log[-1].status, log[-1].duration_ms) == ("succeeded", 7000)
    assert not of(log, WorkflowRetrying)


async def test_a_container_ends_at_its_timeout_when_every_slot_is_taken() -> None:
    delays = flow({"d": {"node_type": "time.delay", "config": {"delay_ms": 60_000}}})
    document = flow(
        {"l": {**_loop(delays, [1, 2], concurrency=2), "timeout_ms": 5000}, "m": _linger(60)},
        settings={"max_parallel_nodes": 1},
    )
    ended, log = await _play(document)
    assert ended
    assert [(event.node_id, event.at_us) for event in of(log, NodeFailed)] == [("l", 5_000_000)]
    assert log[-1].duration_ms == 5000


async def test_a_child_ends_at_its_time_limit_when_every_slot_is_taken() -> None:
    delays = flow(
        {"d": {"node_type": "time.delay", "config": {"delay_ms": 60_000}}}, settings={"max_execution_time_ms": 5000}
    )
    ended, log = await _play(
        flow({"s": _subflow(delays), "m": _linger(60)}, settings={"max_parallel_nodes": 1}),
    )
    assert ended
    assert log[-1].duration_ms == 5000


async def test_the_time_limit_of_a_child_holds_when_it_passes_between_two_attempts_of_the_child() -> None:
    child = flow(
        {"a": _break_down(1), "b": _linger(60, cleanup_seconds=6)},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 9}}, "max_execution_time_ms": 5000},
    )
    ended, log = await _play(flow({"s": _subflow(child)}))
    assert ended
    assert log[-1].error["code"] == "execution.timeout"
    assert len(of(log, WorkflowRetrying)) <= 1


async def test_the_delay_before_all_nodes_start_again_does_not_count_for_the_time_limit() -> None:
    document = flow(
        {"a": _break_down(1), "b": _linger(60)},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 9}}, "max_execution_time_ms": 3500},
    )
    ended, log = await _play(document)
    assert ended
    # Three whole attempts of a second each, then half of one.
    assert [event.attempt for event in of(log, NodeFailed)] == [1, 2, 3]
    assert (log[-1].error["code"], log[-1].status) == ("execution.timeout", "failed")
    assert {event.attempt for event in of(log, NodeStarted)} == {1, 2, 3, 4}
    assert not of(log, NodeCompleted)
    assert {event.node_id for event in of(log, NodeCancelled)} == {"a", "b"}


async def test_a_child_ends_at_its_time_limit_while_a_subflow_in_it_waits_for_its_first_slot() -> None:
    child = flow(
        {"inner": _subflow(flow({"x": _linger(7)})), "m": _linger(7)}, settings={"max_execution_time_ms": 4000}
    )
    ended, log = await _play(flow({"s": _subflow(child)}, settings={"max_parallel_nodes": 1}))
    assert ended
    assert (log[-1].error["code"], log[-1].duration_ms) == ("execution.timeout", 4000)


async def test_the_time_limit_of_a_child_that_has_ended_means_nothing_to_what_runs_on() -> None:
    child = flow({"a": _linger(1)}, settings={"max_execution_time_ms": 5000})
    ended, log = await _play(flow({"s": _subflow(child), "m": _linger(10)}))
    assert ended
    assert (log[-1].status, log[-1].duration_ms) == ("succeeded", 10_000)
