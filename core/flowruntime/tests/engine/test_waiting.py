"""Attempts that wait for a time or a signal hold no slot, and go on where they were."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
from flowcore.errors import ExecutionError
from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeInterrupted,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
)
from flowcore.executions import Execution
from flowruntime import Runtime
from flowruntime.authoring import Context, Wait, Woken, node
from flowruntime.engine.machine import RUNNING, Machine
from flowruntime.engine.replaying import replay
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL, workflow


@node("local.later", effects="pure")
async def later(ctx: Context, value: Any = None, *, seconds: float = 1.0) -> Any:
    """Pass on what came in, later."""
    if ctx.woken is None:
        return Wait(until=ctx.now() + timedelta(seconds=seconds), reason="for a while")
    return [value, ctx.woken.reason, ctx.attempt]


@node("local.ask", effects="pure")
async def ask(ctx: Context, *, times: int = 1, seconds: float = 60) -> Any:
    """Collect what comes with a signal, several times."""
    answers = ASKED.setdefault(ctx.execution_id, [])
    if ctx.woken is not None:
        answers.append(ctx.woken.value if ctx.woken.reason == "signal" else "timeout")
    if len(answers) < times:
        return Wait(signal="answer", until=ctx.now() + timedelta(seconds=seconds))
    return answers


ASKED: dict[str, list[Any]] = {}
NODES = [*ALL, later, ask]


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def events_of(document: dict[str, Any], inputs: dict[str, Any] | None = None) -> list[Any]:
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True)) as runtime:
        with anyio.fail_after(20):
            return [event async for event in runtime.follow(await runtime.submit(document, inputs))]


async def test_a_waiting_attempt_goes_on_under_its_number_with_its_inputs() -> None:
    events = await events_of(workflow({"w": {"node_type": "later", "inputs": {"value": 7}}}))
    assert [type(event).__name__ for event in events] == [
        "WorkflowStarted",
        "NodeStarted",
        "NodeWaiting",
        "NodeWoken",
        "NodeCompleted",
        "WorkflowCompleted",
    ]
    assert events[-1].outputs == {"w": {"result": [7, "due", 1]}}
    assert of(events, NodeWaiting)[0].until_us - events[0].at_us == 1_000_000
    assert of(events, NodeCompleted)[0].duration_ms == 1000
    folded = Execution.fold("e", events[:3])
    assert folded.status == "waiting"


async def test_waiting_nodes_hold_no_slot() -> None:
    nodes: dict[str, Any] = {f"n{index}": "later" for index in range(500)}
    events = await events_of(workflow(nodes, settings={"max_parallel_nodes": 1}))
    assert events[-1].status == "succeeded"
    assert events[-1].duration_ms == 1000


async def test_a_signal_wakes_the_node_and_hands_it_a_value() -> None:
    async with Runtime(nodes=NODES, clock=ManualClock()) as runtime:
        execution_id = await runtime.submit(workflow({"a": {"node_type": "ask", "config": {"times": 2}}}))
        sent = 0
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeWaiting):
                assert event.signal == "answer"
                with pytest.raises(ExecutionError, match="'other'"):
                    runtime.signal(execution_id, "other")
                sent += 1
                runtime.signal(execution_id, "answer", {"n": sent})
        result = await runtime.wait(execution_id)
    assert result.outputs == {"a": {"result": [{"n": 1}, {"n": 2}]}}
    with pytest.raises(ExecutionError):
        runtime.signal(execution_id, "answer")


async def test_a_wait_for_a_signal_ends_at_its_time_and_an_older_time_wakes_nobody() -> None:
    clock = ManualClock()
    async with Runtime(nodes=NODES, clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"a": {"node_type": "ask", "config": {"times": 2}}}))
        waits = 0
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeWaiting):
                waits += 1
                if waits == 1:
                    clock.advance(40)
                    runtime.signal(execution_id, "answer", "first")
                else:
                    clock.advance(30)  # beyond the first wait's time, before the second's
                    await anyio.wait_all_tasks_blocked()
                    assert ASKED[execution_id] == ["first"]
                    clock.advance(30)
        assert (await runtime.wait(execution_id)).outputs == {"a": {"result": ["first", "timeout"]}}


async def test_cancel_ends_waiting_nodes_at_once() -> None:
    async with Runtime(nodes=NODES, clock=ManualClock()) as runtime:
        execution_id = await runtime.submit(workflow({"a": "ask", "l": {"node_type": "later"}}))
        waiting = 0
        async for event in runtime.follow(execution_id):
            waiting += isinstance(event, NodeWaiting)
            if waiting == 2 and isinstance(event, NodeWaiting):
                runtime.cancel(execution_id)
        events = [event async for event in runtime.follow(execution_id)]
    assert {event.node_id for event in of(events, NodeCancelled)} == {"a", "l"}
    assert (await_status := events[-1].status) == "cancelled", await_status  # type: ignore[union-attr]


async def test_a_failure_elsewhere_ends_waiting_nodes() -> None:
    events = await events_of(workflow({"l": "later", "f": "fail"}))
    assert [event.node_id for event in of(events, NodeCancelled)] == ["l"]


async def test_waiting_does_not_count_against_the_timeout_and_activity_adds_up() -> None:
    @node("local.busy", effects="pure", timeout_ms=1000)
    async def busy(ctx: Context, *, first: float, second: float) -> Wait | None:
        await ctx.sleep(first if ctx.woken is None else second)
        return Wait(until=ctx.now() + timedelta(hours=1)) if ctx.woken is None else None

    async def play(first: float, second: float) -> list[Any]:
        document = workflow({"b": {"node_type": "busy", "config": {"first": first, "second": second}}})
        async with Runtime(nodes=[busy], clock=ManualClock(autojump=True)) as runtime:
            return [event async for event in runtime.follow(await runtime.submit(document))]

    assert (await play(0.5, 0.4))[-1].status == "succeeded"
    events = await play(0.5, 0.6)
    assert of(events, NodeFailed)[0].error["code"] == "node.timeout"


async def test_a_log_that_ends_in_a_wait_folds_to_a_machine_that_waits() -> None:
    async with Runtime(nodes=NODES, clock=ManualClock(autojump=True)) as runtime:
        document = workflow({"w": "later", "then": "free"}, "w.done -> then.after", "w.done -> then.x")
        plan = runtime.check(document).plan
        assert plan is not None
        events = [event async for event in runtime.follow(await runtime.submit(document))]
    waiting = Machine(plan)
    for event in events[:3]:
        replay(waiting, event)  # type: ignore[arg-type]
    assert list(waiting.until_us.values()) == [of(events, NodeWaiting)[0].until_us]
    replay(waiting, of(events, NodeWoken)[0])
    assert waiting.nodes_with(RUNNING) == [0]
    assert waiting.woken == {0: Woken(reason="due")}
    waiting.interrupted(0)
    assert waiting.take() == 0
    assert waiting.attempts[0] == 2  # a new attempt, which still knows what it was woken by
    assert 0 in waiting.woken
    assert of(events, NodeInterrupted) == []
    assert [event.node_id for event in of(events, NodeStarted)] == ["w", "then"]


@pytest.mark.parametrize(("given", "words"), [({}, "a signal"), ({"until": "naive"}, "time zone")])
def test_a_wait_for_nothing_is_refused(given: dict[str, Any], words: str) -> None:
    from datetime import datetime

    if given:
        given = {"until": datetime(2026, 1, 1)}  # noqa: DTZ001 - that is what is refused
    with pytest.raises(ValueError, match=words):
        Wait(**given)
