"""What nodes keep and are told: `ctx.state`, instances, the document, the idempotency key, effects."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeFailed, NodeRetrying, NodeStarted, NodeWaiting, to_wire
from flowcore.nodes import EffectsByConfig
from flowruntime import Runtime
from flowruntime.authoring import Context, FatalNodeError, InstanceContext, Node, Port, Wait, node
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import events_of, log_of, of
from tests.engine_nodes import ALL, workflow

POLICY = {"max_attempts": 5, "delay_ms": 10, "jitter": 0}


@node("local.grow", effects="pure")
async def grow(ctx: Context, *, fail_times: int = 0, waits: int = 0) -> Any:
    """Add a line to the state in every call, failing and waiting first."""
    lines = ctx.state.setdefault("lines", [])
    lines.append(f"attempt {ctx.attempt}")
    if ctx.attempt <= fail_times:
        raise ValueError("Not yet.")
    if len(lines) - fail_times <= waits:
        return Wait(until=ctx.now() + timedelta(seconds=1))
    return list(lines)


async def test_the_state_is_there_for_the_next_attempt_also_after_failures_and_waits() -> None:
    document = workflow({"g": {"node_type": "grow", "config": {"fail_times": 2, "waits": 2}, "retry_policy": POLICY}})
    events = await events_of(document, nodes=[grow])
    lines = ["attempt 1", "attempt 2", "attempt 3", "attempt 3", "attempt 3"]
    assert events[-1].outputs == {"g": {"result": lines}}
    assert [event.state for event in of(events, NodeRetrying)] == [{"lines": lines[:1]}, {"lines": lines[:2]}]
    assert [event.state for event in of(events, NodeWaiting)] == [{"lines": lines[:3]}, {"lines": lines[:4]}]
    assert [event.state for event in of(events, NodeCompleted)] == [{"lines": lines}]
    assert all("state" not in to_wire(event, "e") for event in events)


async def test_the_state_of_a_last_failure_and_of_a_cancelled_attempt_is_recorded() -> None:
    @node("local.keep", effects="pure")
    async def keep(ctx: Context) -> None:
        ctx.state["kept"] = True
        await ctx.sleep(100)

    document = workflow({"k": "keep", "g": {"node_type": "grow", "config": {"fail_times": 9}}})
    events = await events_of(document, nodes=[grow, keep])
    assert [event.state for event in of(events, NodeFailed)] == [{"lines": ["attempt 1"]}]
    assert [event.state for event in of(events, NodeCancelled)] == [{"kept": True}]


async def test_every_node_and_every_execution_has_a_state_of_its_own() -> None:
    async with Runtime(nodes=[*ALL, grow]) as runtime:
        results = [await runtime.run(workflow({"a": "grow", "b": "grow"})) for _ in range(2)]
    for result in results:
        assert result.outputs == {"a": {"result": ["attempt 1"]}, "b": {"result": ["attempt 1"]}}


async def test_the_state_is_a_copy_that_nobody_else_can_change() -> None:
    held: list[dict[str, Any]] = []

    @node("local.holds", effects="pure")
    async def holds(ctx: Context) -> Any:
        held.append(ctx.state)
        seen = {**ctx.state}
        ctx.state["deep"] = {"n": [ctx.attempt]}
        for other in held[:-1]:
            other["deep"]["n"].append("from outside")
        if ctx.attempt < 3:
            raise ValueError("Not yet.")
        return seen

    events = await events_of(workflow({"h": {"node_type": "holds", "retry_policy": POLICY}}), nodes=[holds])
    assert events[-1].outputs == {"h": {"result": {"deep": {"n": [2]}}}}
    held[0]["deep"]["n"].append("later")
    assert [event.state for event in of(events, NodeRetrying)] == [{"deep": {"n": [1]}}, {"deep": {"n": [2]}}]


async def test_state_that_is_no_value_fails_the_attempt_and_says_where() -> None:
    @node("local.bad_state", effects="pure")
    async def bad_state(ctx: Context) -> None:
        ctx.state["deep"] = {"a": [1, {2}]}

    events = await events_of(workflow({"b": "bad_state"}), nodes=[bad_state])
    (failed,) = of(events, NodeFailed)
    assert failed.error["code"] == "node.state_value"
    assert "a set is not JSON at /deep/a/1" in failed.error["message"]
    assert failed.state is None


@pytest.mark.parametrize(("first", "then"), [(1, True), (0, False), (1, 1.0), ([0], [False])])
async def test_a_change_of_the_state_to_an_equal_value_of_another_type_is_kept(first: Any, then: Any) -> None:
    @node("local.changes", effects="pure")
    async def changes(ctx: Context) -> Any:
        seen = ctx.state.get("value")
        ctx.state["value"] = first if ctx.attempt == 1 else then
        if ctx.attempt < 3:
            raise ValueError("Not yet.")
        return repr(seen)

    events = await events_of(workflow({"c": {"node_type": "changes", "retry_policy": POLICY}}), nodes=[changes])
    assert events[-1].outputs == {"c": {"result": repr(then)}}


async def test_a_retried_workflow_begins_with_empty_states() -> None:
    document = workflow(
        {"g": "grow", "f": {"node_type": "fail", "config": {"times": 1}}},
        "g.done -> f.after",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 2}}},
    )
    events = await events_of(document, nodes=[grow])
    assert [event.outputs for event in of(events, NodeCompleted) if event.node_id == "g"] == [
        {"result": ["attempt 1"]},
        {"result": ["attempt 2"]},
    ]


async def test_an_instance_lives_as_long_as_its_workflow_version_and_a_state_as_long_as_its_execution() -> None:
    seen: list[str] = []

    @node("local.pool", inputs=[], outputs=[Port(name="calls"), Port(name="state")])
    class CallPool(Node):
        def __init__(self) -> None:
            self.calls = 0

        async def initialize(self, ctx: InstanceContext) -> None:
            seen.append(f"initialize {ctx.node_id}")

        async def execute(self, ctx: Context) -> Mapping[str, Any]:
            self.calls += 1
            ctx.state["calls"] = int(ctx.state.get("calls", 0)) + 1
            return {"calls": self.calls, "state": ctx.state["calls"]}

    document = workflow({"p": "pool"})
    async with Runtime(nodes=[CallPool], clock=ManualClock()) as runtime:
        results = [await runtime.run(document) for _ in range(3)]
        other = await runtime.run({**document, "name": "another version"})
    assert [result.outputs["p"] for result in results] == [{"calls": n, "state": 1} for n in (1, 2, 3)]
    assert other.outputs["p"] == {"calls": 1, "state": 1}
    assert seen == ["initialize p", "initialize p"]


async def test_the_workflow_is_the_document_and_read_only() -> None:
    @node("local.reads", effects="pure")
    async def reads(ctx: Context) -> Any:
        with pytest.raises(AttributeError):
            ctx.workflow.name = "changed"  # type: ignore[misc]
        with pytest.raises(TypeError):
            ctx.workflow.vars["v"] = 2
        return [ctx.workflow.name, ctx.workflow.vars["v"], [n.id for n in ctx.workflow.nodes], str(ctx.workflow.id)]

    document = {**workflow({"r": "reads"}, vars={"v": 1}), "id": "the-id"}
    async with Runtime(nodes=[reads]) as runtime:
        result = await runtime.run(document)
    assert result.outputs == {"r": {"result": ["test", 1, ["r"], "the-id"]}}


async def test_the_idempotency_key_is_the_same_over_attempts_and_differs_over_nodes_and_executions() -> None:
    keys: dict[tuple[str, str], set[str]] = {}

    @node("local.keyed", effects="pure")
    async def keyed(ctx: Context) -> Any:
        keys.setdefault((ctx.execution_id, ctx.node_id), set()).add(ctx.idempotency_key)
        if ctx.attempt < 3:
            raise ValueError("Not yet.")
        return None if ctx.woken else Wait(until=ctx.now())

    policed = {"node_type": "keyed", "retry_policy": POLICY}
    async with Runtime(nodes=[keyed], clock=ManualClock(autojump=True)) as runtime:
        for _ in range(2):
            assert (await runtime.run(workflow({"a": policed, "b": policed}))).success
    assert len(keys) == 4
    assert all(len(given) == 1 for given in keys.values())
    assert len(set.union(*keys.values())) == 4


async def test_effects_by_config_are_resolved_in_the_plan() -> None:
    by_method = EffectsByConfig(pointer="/method", read=("GET", "HEAD"), otherwise="write")

    @node("local.call", effects=by_method)
    async def call(*, method: str = "GET") -> str:
        return method

    async with Runtime(nodes=[call]) as runtime:
        document = workflow(
            {
                "default": "call",
                "head": {"node_type": "call", "config": {"method": "HEAD"}},
                "post": {"node_type": "call", "config": {"method": "POST"}},
                "unknown": {"node_type": "call", "config": {"method": "${{ vars.m }}"}},
            },
            vars={"m": "GET"},
        )
        plan = runtime.check(document).plan
        assert plan is not None
    assert {planned.id: planned.effects for planned in plan.nodes} == {
        "default": "read",
        "head": "read",
        "post": "write",
        "unknown": "write",
    }


async def test_partial_outputs_of_a_failed_and_of_a_cancelled_execution_are_kept() -> None:
    document = workflow(
        {"g": "give", "sum": "add", "f": {"node_type": "fail", "config": {"how": "fatal"}}},
        "g.result -> sum.x",
        "sum.done -> f.after",
    )
    async with Runtime(nodes=ALL, clock=ManualClock(autojump=True)) as runtime:
        failed = await runtime.run(document)
        execution_id = await runtime.submit(workflow({"g": "give", "n": "nap"}, "g.done -> n.after"))
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeStarted) and event.node_id == "n":
                runtime.cancel(execution_id)
        cancelled = await runtime.wait(execution_id)
        events = await log_of(runtime, execution_id)
    assert (failed.status, failed.outputs) == ("failed", None)
    assert failed.node_outputs == {"g": {"result": 1}, "sum": {"result": 11}}
    assert failed.error is not None
    assert failed.error["completed"] == ["g", "sum"]
    assert (cancelled.status, cancelled.node_outputs, cancelled.error) == ("cancelled", {"g": {"result": 1}}, None)
    assert [event.node_id for event in of(events, NodeCancelled)] == ["n"]


async def test_an_error_whose_text_cannot_be_made_fails_its_node_and_nothing_else() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("There is no text.")

    @node("local.hostile", effects="pure")
    async def hostile() -> None:
        raise HostileError

    events = await events_of(workflow({"h": {"node_type": "hostile", "on_error": "continue"}}), nodes=[hostile])
    assert events[-1].status == "succeeded"
    assert [event.error["type"] for event in of(events, NodeFailed)] == ["HostileError"]


async def test_a_wish_for_a_later_retry_that_is_no_number_fails_the_node_and_not_the_engine() -> None:
    @node("local.wishes", effects="pure")
    async def wishes(ctx: Context) -> None:
        error = FatalNodeError if ctx.attempt > 1 else _retryable()
        raise error("Come again.", retry_after_seconds="5")  # type: ignore[arg-type]

    document = workflow({"w": {"node_type": "wishes", "retry_policy": POLICY, "on_error": "continue"}})
    events = await events_of(document, nodes=[wishes])
    assert events[-1].status == "succeeded"
    assert [event.node_id for event in of(events, NodeFailed)] == ["w"]


def _retryable() -> Any:
    from flowruntime.authoring import RetryableNodeError

    return RetryableNodeError
