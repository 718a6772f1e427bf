"""control.wait goes on when a signal comes from outside, or when it has waited long enough."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from flowcore.errors import ExecutionError
from flowcore.events import NodeCancelled, NodeStarted, NodeWaiting, WorkflowRetrying
from flowcore.executions import ExecutionResult
from flowruntime import Runtime
from flowruntime.testing import ManualClock

from tests.control_flows import codes_of, events_of, flow, of, run, runtime_on


def wait(signal: str = "go", **config: Any) -> dict[str, Any]:
    return {"node_type": "control.wait", "config": {"signal": signal, **config}}


class Running:
    """An execution on a clock that stands still, seen from outside."""

    def __init__(self, runtime: Runtime, clock: ManualClock, execution_id: str) -> None:
        self.clock = clock
        self.runtime = runtime
        self.execution_id = execution_id

    async def until_waiting(self, count: int = 1) -> None:
        """Go on when so many waits have begun since the execution started."""
        begun = 0
        async for event in self.runtime.follow(self.execution_id):
            begun += isinstance(event, NodeWaiting)
            if begun == count:
                await anyio.wait_all_tasks_blocked()
                return

    def send(self, signal: str, value: Any = None) -> None:
        self.runtime.signal(self.execution_id, signal, value)

    async def ended(self) -> ExecutionResult:
        return await self.runtime.wait(self.execution_id)

    async def events(self) -> list[Any]:
        return [event async for event in self.runtime.follow(self.execution_id)]


@asynccontextmanager
async def running(document: dict[str, Any], inputs: dict[str, Any] | None = None) -> AsyncIterator[Running]:
    clock = ManualClock()
    async with runtime_on(clock) as runtime:
        with anyio.fail_after(20):
            yield Running(runtime, clock, await runtime.submit(document, inputs))


async def test_it_gives_what_came_with_the_signal() -> None:
    async with running(flow({"w": wait("approval")})) as execution:
        await execution.until_waiting()
        execution.send("approval", {"approved": True})
        assert (await execution.ended()).outputs == {"w": {"value": {"approved": True}, "timed_out": False}}


async def test_it_tells_when_no_signal_came_in_time() -> None:
    async with running(flow({"w": wait(timeout_ms=5000)})) as execution:
        await execution.until_waiting()
        execution.clock.advance(4.999)
        await anyio.wait_all_tasks_blocked()
        assert execution.runtime.snapshot(execution.execution_id).status == "waiting"
        execution.clock.advance(0.001)
        assert (await execution.ended()).outputs == {"w": {"value": None, "timed_out": True}}


async def test_a_signal_just_before_the_timeout_counts_and_one_after_it_is_refused() -> None:
    document = flow({"w": wait(timeout_ms=5000), "last": wait("end")}, "w.timed_out -> last.after")
    async with running(document) as execution:
        await execution.until_waiting()
        execution.clock.advance(4.999)
        execution.send("go", "in time")
        await execution.until_waiting(2)
        execution.clock.advance(60)
        with pytest.raises(ExecutionError, match="'go'"):
            execution.send("go", "late")
        execution.send("end")
        assert (await execution.ended()).node_outputs["w"] == {"value": "in time", "timed_out": False}


async def test_a_signal_of_another_name_or_before_anybody_waits_is_refused() -> None:
    document = flow(
        {"first": wait("one"), "second": wait("two")},
        "first.done -> second.after",
        outputs={"x": "${{ nodes.second.value }}"},
    )
    async with running(document) as execution:
        await execution.until_waiting()
        for name in ("other", "two"):
            with pytest.raises(ExecutionError, match=repr(name)):
                execution.send(name, "early")
        execution.send("one")
        await execution.until_waiting(2)
        execution.send("two", "right")
        assert (await execution.ended()).outputs == {"x": "right"}


async def test_nodes_that_wait_for_the_same_signal_go_on_together() -> None:
    async with running(flow({"a": wait(), "b": wait(), "c": wait("other")})) as execution:
        await execution.until_waiting(3)
        execution.send("go", 1)
        execution.send("other", 2)
        result = await execution.ended()
    assert {node: outputs["value"] for node, outputs in result.node_outputs.items()} == {"a": 1, "b": 1, "c": 2}


async def test_signal_and_timeout_may_come_from_expressions() -> None:
    document = flow({"w": wait("order-${{ input.id }}", timeout_ms="${{ vars.seconds[0] }}")}, vars={"seconds": [9000]})
    async with running(document, {"id": 7}) as execution:
        await execution.until_waiting()
        (waiting,) = of([*await first_events(execution, 3)], NodeWaiting)
        assert waiting.signal == "order-7"
        assert waiting.until_us - waiting.at_us == 9_000_000
        execution.send("order-7")
        assert (await execution.ended()).success


async def first_events(execution: Running, count: int) -> list[Any]:
    events: list[Any] = []
    async for event in execution.runtime.follow(execution.execution_id):
        events.append(event)
        if len(events) == count:
            break
    return events


async def test_an_expression_that_gives_no_signal_fails_the_node() -> None:
    result = await run(flow({"w": wait("${{ input.name }}")}), {"name": ""})
    assert result.error is not None
    assert (result.error["code"], result.error["retryable"]) == ("config.schema", False)


async def test_a_timeout_of_nothing_ends_at_once_and_a_year_can_be_waited() -> None:
    assert (await run(flow({"w": wait(timeout_ms=0)}))).outputs == {"w": {"value": None, "timed_out": True}}
    year_ms = 365 * 24 * 3600 * 1000
    assert (await run(flow({"w": wait(timeout_ms=year_ms)}))).duration_ms == year_ms


async def test_what_follows_may_depend_on_whether_it_timed_out() -> None:
    document = flow(
        {"w": wait(timeout_ms=5000), "late": "control.if", "remind": "debug.noop", "go": "debug.noop"},
        "w.timed_out -> late.value",
        "late.true -> remind.x",
        "late.false -> go.x",
    )
    assert (await run(document)).skipped_nodes == ("go",)


async def test_waiting_holds_no_slot_and_counts_against_no_timeout() -> None:
    nodes = {f"w{index}": {**wait(timeout_ms=3_600_000), "timeout_ms": 1000} for index in range(50)}
    settings = {"max_parallel_nodes": 1, "max_execution_time_ms": 1000}
    result = await run(flow(nodes, settings=settings))
    assert (result.status, result.duration_ms) == ("succeeded", 3_600_000)


@pytest.mark.parametrize("config", [{}, {"timeout_ms": 5000}])
async def test_cancel_ends_the_wait_at_once(config: dict[str, Any]) -> None:
    async with running(flow({"w": wait(**config), "n": "debug.noop"}, "w.value -> n.x")) as execution:
        await execution.until_waiting()
        execution.runtime.cancel(execution.execution_id)
        result = await execution.ended()
        events = await execution.events()
        with pytest.raises(ExecutionError):
            execution.send("go")
    assert (result.status, result.duration_ms) == ("cancelled", 0)
    assert [event.node_id for event in of(events, NodeCancelled)] == ["w"]


async def test_a_failure_elsewhere_ends_the_wait() -> None:
    document = flow({"w": wait(), "nap": "nap", "f": "fail"}, "nap.result -> f.value")
    events = await events_of(document)
    assert [event.node_id for event in of(events, NodeCancelled)] == ["w"]
    assert events[-1].status == "failed"


async def test_a_workflow_that_starts_again_waits_again_for_its_whole_time() -> None:
    document = flow(
        {"w": wait(timeout_ms=60_000), "f": {"node_type": "fail", "config": {"times": 1}}},
        "w.value -> f.value",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 2}}},
    )
    events = await events_of(document)
    assert len(of(events, WorkflowRetrying)) == 1
    assert [(event.attempt, event.until_us - event.at_us) for event in of(events, NodeWaiting)] == [
        (1, 60_000_000),
        (2, 60_000_000),
    ]
    assert [event.attempt for event in of(events, NodeStarted) if event.node_id == "w"] == [1, 2]
    assert events[-1].outputs == {"f": {"result": None}}


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({}, ""),
        ({"signal": ""}, "/signal"),
        ({"signal": 5}, "/signal"),
        ({"signal": "go", "timeout_ms": -1}, "/timeout_ms"),
        ({"signal": "go", "timeout_ms": "1 h"}, "/timeout_ms"),
        ({"signal": "go", "timeout_ms": 365 * 24 * 3600 * 1000 + 1}, "/timeout_ms"),
        ({"signal": "go", "timeout_ms": 1e300}, "/timeout_ms"),
    ],
)
def test_what_cannot_be_waited_for_is_a_problem_of_the_document(config: dict[str, Any], pointer: str) -> None:
    document = flow({"w": {"node_type": "control.wait", "config": config}})
    assert codes_of(document) == [("config.schema", f"/nodes/0/config{pointer}")]


def test_it_takes_no_data() -> None:
    document = flow({"g": "give", "w": wait()}, "g.result -> w.value")
    assert codes_of(document) == [("port.unknown", "/connections/0/to_port")]
