"""What `now()` and `uuid()` give in the expressions of an execution: the same in every attempt."""

from pathlib import Path
from typing import Any

from flowcore.events import NodeCompleted, NodeRetrying, NodeStarted, WorkflowRetrying
from flowruntime import Runtime
from flowruntime.authoring import Context, RetryableNodeError, node
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import events_of, log_of, of
from tests.engine_nodes import ALL

POLICY = {"max_attempts": 3, "delay_ms": 60_000, "jitter": 0}


def workflow(nodes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A document of these nodes."""
    return {"name": "moments", "nodes": [{"id": node_id, **given} for node_id, given in nodes.items()]}


def flaky(fail_times: int) -> tuple[Any, list[tuple[Any, Any]]]:
    """A node that fails so many times, and what it was given each time."""
    seen: list[tuple[Any, Any]] = []

    @node("local.flaky", effects="pure")
    async def flaky_node(ctx: Context, at: str, *, key: str = "") -> str:
        seen.append((at, key))
        if len(seen) <= fail_times:
            raise RetryableNodeError("Not yet.")
        return at

    return flaky_node, seen


async def test_now_is_the_nodes_first_start_and_uuid_is_the_same_in_every_attempt() -> None:
    node_type, seen = flaky(2)
    given = {
        "node_type": "local.flaky",
        "inputs": {"at": "${{ now() }}"},
        "config": {"key": "${{ uuid() }}"},
        "retry_policy": POLICY,
    }
    events = await events_of(workflow({"f": given}), nodes=[node_type])
    assert len(of(events, NodeRetrying)) == 2
    first = "2023-11-14T22:13:20Z"  # when the clock of the test stands at its beginning
    assert [at for at, _ in seen] == [first] * 3
    assert len({key for _, key in seen}) == 1


async def test_now_stays_when_the_workflow_starts_all_its_nodes_again() -> None:
    node_type, seen = flaky(1)
    document = workflow({"f": {"node_type": "local.flaky", "inputs": {"at": "${{ now() }}"}}})
    document["settings"] = {"on_error": {"RetryWorkflow": {"max_attempts": 2}}}
    events = await events_of(document, nodes=[node_type])
    assert len(of(events, WorkflowRetrying)) == 1
    assert len(set(seen)) == 1


async def test_every_node_and_every_item_has_its_own_uuid() -> None:
    body = {
        "name": "b",
        "nodes": [{"id": "n", "node_type": "local.same", "inputs": {"value": "${{ uuid() }}"}}],
        "outputs": {"id": "${{ nodes.n.result }}"},
    }
    document = workflow(
        {
            "a": {"node_type": "local.same", "inputs": {"value": "${{ uuid() }}"}},
            "b": {"node_type": "local.same", "inputs": {"value": "${{ uuid() }}"}},
            "l": {"node_type": "control.loop", "config": {"mode": "times", "times": 3, "body": body}},
        }
    )

    @node("local.same", effects="pure")
    async def same(value: Any) -> Any:
        return value

    events = await events_of(document, nodes=[same])
    outputs = events[-1].outputs
    ids = [outputs["a"]["result"], outputs["b"]["result"], *(result["id"] for result in outputs["l"]["results"])]
    assert len(set(ids)) == 5


async def test_the_outputs_of_a_workflow_have_the_time_of_its_start() -> None:
    document = workflow({"d": {"node_type": "time.delay", "config": {"delay_ms": 5000}}})
    document["outputs"] = {"at": "${{ now() }}", "id": "${{ uuid() }}"}
    events = await events_of(document)
    assert events[-1].outputs["at"] == "2023-11-14T22:13:20Z"
    assert events[-1].outputs["id"]


async def test_bare_expressions_of_a_node_have_its_moment() -> None:
    document = workflow(
        {
            "c": {
                "node_type": "control.if",
                "inputs": {"value": 1},
                "config": {"condition": "now() == '2023-11-14T22:13:20Z'"},
            }
        }
    )
    events = await events_of(document)
    (completed,) = of(events, NodeCompleted)
    assert completed.outputs == {"true": 1}


async def test_after_a_crash_the_moment_is_that_of_the_first_start(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    @node("local.hang", effects="pure")
    async def hang(ctx: Context, at: str, *, key: str) -> str:
        seen.append((at, key))
        if ctx.attempt == 1:
            await ctx.sleep(1e6)
        return at

    given = {"node_type": "local.hang", "inputs": {"at": "${{ now() }}"}, "config": {"key": "${{ uuid() }}"}}
    document = workflow({"f": given})
    db = f"sqlite:///{tmp_path / 'flow.db'}"
    clock = ManualClock()
    async with Runtime(db, name="one", nodes=[*ALL, hang], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeStarted):
                break
    clock.advance(60)
    async with Runtime(db, nodes=[*ALL, hang], clock=clock) as runtime:
        await runtime.resume(execution_id)
        events = await log_of(runtime, execution_id)
    assert events[-1].success
    assert [event.attempt for event in of(events, NodeStarted)] == [1, 2]
    assert len(seen) == 2
    assert len(set(seen)) == 1
