"""Limits of time and what else stops documents from within: taken up from any event, they come to what they would have.

A limit that has struck leaves nothing but cancelled nodes in the log at first.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from flowcore.documents import parse_workflow
from flowcore.errors import RetryableNodeError
from flowcore.events import ExecutionId, NodeCancelled, WorkflowCompleted
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock

from tests.control_flows import flow
from tests.properties.resuming import resume

#: For so long nobody ran it.
GAPS_US = (0, 4_000_000)


@node("local.linger", effects="pure")
async def linger(ctx: Context, *, seconds: float = 60, cleanup_seconds: float = 0) -> None:
    """Sleep for longer than anything may take; when cancelled, take some time to clean up."""
    try:
        await ctx.sleep(seconds)
    except asyncio.CancelledError:
        await ctx.sleep(cleanup_seconds)
        raise


@node("local.break_down", effects="pure")
async def break_down() -> None:
    """Fail, retryably."""
    raise RetryableNodeError("It broke down.")


REGISTRY = Registry.discover().with_local([linger, break_down])
WAIT = {"node_type": "control.wait", "config": {"signal": "never"}}


def limited(nodes: dict[str, Any], *wires: str, ms: int = 5000, **settings: Any) -> dict[str, Any]:
    return flow(nodes, *wires, settings={"max_execution_time_ms": ms, **settings})


def subflow(workflow: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"node_type": "control.subflow", "config": {"workflow": workflow}, **fields}


def loop(body: dict[str, Any], items: int, **config: Any) -> dict[str, Any]:
    fields = {"timeout_ms": config.pop("timeout_ms", None)}
    return {"node_type": "control.loop", "config": {"mode": "times", "times": items, "body": body, **config}, **fields}


CLEANING = {"node_type": "linger", "config": {"cleanup_seconds": 2}}
BODY = limited({"a": "linger", "b": CLEANING, "w": WAIT})
IS_FIRST = {
    "node_type": "control.if",
    "config": {"condition": "inputs.value == `0`"},
    "inputs": {"value": "${{ input.index }}"},
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "a subflow": flow({"s": subflow(BODY)}),
    "a subflow whose failure is routed": flow(
        {"s": subflow(BODY, on_error="route"), "m": {"node_type": "control.merge"}}, "s.error -> m.values"
    ),
    "a loop that stops": flow({"l": loop(BODY, 3)}),
    "a loop that collects": flow({"l": loop(BODY, 3, concurrency=2, on_item_error="collect")}),
    "a loop one by one": flow({"l": loop(BODY, 3, on_item_error="collect")}),
    "a loop that is left": flow(
        {
            "l": loop(
                limited(
                    {"if": IS_FIRST, "a": {"node_type": "linger", "config": {"seconds": 1}}, "b": CLEANING},
                    "if.true -> a.after",
                    "if.false -> b.after",
                ),
                3,
                concurrency=2,
                break_when="input.index == `0`",
            )
        }
    ),
    "what is inside of it": flow({"s": subflow(limited({"i": subflow(flow({"a": CLEANING, "b": "linger"}))}))}),
    "a longer limit inside": flow(
        {"s": subflow(limited({"i": subflow(limited({"a": CLEANING, "b": "linger"}, ms=9000))}))}
    ),
    "a shorter limit inside": flow(
        {"s": subflow(limited({"i": subflow(limited({"a": CLEANING, "b": "linger"}, ms=2500)), "x": CLEANING}))}
    ),
    "the timeout of the loop": flow({"l": loop(limited({"a": CLEANING, "b": "linger"}), 2, timeout_ms=3000)}),
    "a limit and the timeout of a loop around it": flow(
        {"l": loop(limited({"a": CLEANING, "b": "linger"}, ms=2000), 5, timeout_ms=7000, on_item_error="collect")}
    ),
    "a child that starts again": flow(
        {
            "s": subflow(
                limited(
                    {"a": {"node_type": "linger", "config": {"seconds": 1}}, "f": "break_down", "b": CLEANING},
                    "a.done -> f.after",
                    on_error={"RetryWorkflow": {"max_attempts": 9}},
                )
            )
        }
    ),
    "a child that is tried again": flow(
        {"s": subflow(BODY, retry_policy={"max_attempts": 2, "delay_ms": 100}, on_error="continue")}
    ),
    "the top": limited({"s": subflow(flow({"a": CLEANING, "b": "linger"})), "x": CLEANING, "y": "linger"}),
    "the top and a child": limited({"s": subflow(limited({"a": CLEANING, "b": "linger"}, ms=9000)), "y": "linger"}),
}


async def played(document: dict[str, Any], cancel_at_us: int | None = None) -> list[Any]:
    """The log of an execution that nobody interrupts."""
    clock = ManualClock(0, autojump=True)
    async with Runtime(registry=REGISTRY, clock=clock, seed=1) as runtime:
        execution_id = await runtime.submit(document)
        if cancel_at_us is not None:
            await clock.sleep_until(cancel_at_us)
            runtime.cancel(execution_id)
        with anyio.fail_after(20):
            await runtime.wait(execution_id)
        return [event async for event in runtime.follow(execution_id)]


def came_to(log: list[Any]) -> tuple[Any, ...]:
    """What must be the same, whoever interrupts it."""
    last = log[-1]
    assert isinstance(last, WorkflowCompleted)
    error = last.error and (last.error["code"], last.error["message"])
    return last.status, error, strip(last.outputs)


def strip(value: Any) -> Any:
    """Without the number of the attempt, which interruptions raise."""
    if isinstance(value, dict):
        return {key: strip(one) for key, one in value.items() if key not in {"attempt", "path", "completed", "remedy"}}
    return [strip(one) for one in value] if isinstance(value, list) else value


def resumed(document: dict[str, Any], log: list[Any], gap_us: int) -> list[Any]:
    """The whole log of what is taken up where this one ends."""
    taken_up = ExecutionId("taken-up")
    workflow = parse_workflow(document)
    return anyio.run(lambda: resume(taken_up, workflow, log, registry=REGISTRY, gap_us=gap_us)).log


@pytest.mark.parametrize("gap_us", GAPS_US)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_from_any_event_on_it_comes_to_the_same(name: str, gap_us: int) -> None:
    document = DOCUMENTS[name]
    log = anyio.run(played, document)
    assert any(isinstance(event, NodeCancelled) for event in log)
    ends = {cut: came_to(resumed(document, log[:cut], gap_us)) for cut in range(1, len(log))}
    assert [cut for cut, end in ends.items() if end != came_to(log)] == []


def test_what_was_cancelled_before_its_time_was_over_is_cancelled() -> None:
    document = limited({"a": "linger", "x": CLEANING})
    log = anyio.run(played, document, 4_000_000)
    first = next(event.seq for event in log if isinstance(event, NodeCancelled))
    ends = {cut: came_to(resumed(document, log[:cut], 0)) for cut in range(first, len(log))}
    assert len(ends) > 1
    assert {status for status, _, _ in ends.values()} == {"cancelled"}
