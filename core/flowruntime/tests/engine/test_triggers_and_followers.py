"""Trigger nodes as starting points, and followers that come and go."""

from typing import Any

import anyio
import pytest
from flowcore.errors import ExecutionError, WorkflowInvalid
from flowcore.events import NodeSkipped, WorkflowStarted
from flowcore.nodes import Port, Ports
from flowruntime import Runtime
from flowruntime.authoring import node
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL, workflow


@node("local.hook", trigger=True, inputs=Ports(), outputs=[Port(name="body"), Port(name="query")])
async def hook() -> dict[str, Any]:
    """Fires from outside."""
    raise AssertionError("a trigger's own code is not called")


NODES = [*ALL, hook]
TWO_HOOKS = workflow(
    {"one": "hook", "two": "hook", "c": "collect", "d": "collect"}, "one.body -> c.extra", "two.body -> d.extra"
)


@pytest.mark.parametrize(("trigger", "fired", "skipped"), [(None, "one", "two"), ("two", "two", "one")])
async def test_the_trigger_that_fired_completes_with_the_inputs_and_every_other_is_skipped(
    trigger: str | None, fired: str, skipped: str
) -> None:
    async with Runtime(nodes=NODES) as runtime:
        result = await runtime.run(TWO_HOOKS, {"body": {"n": 1}, "other": 2}, trigger=trigger)
        events = [event async for event in runtime.follow(result.execution_id)]
    assert result.node_outputs[fired] == {"body": {"n": 1}}
    assert result.skipped_nodes[0] == skipped
    assert len(result.completed_nodes) == 2
    skips = [event.why for event in events if isinstance(event, NodeSkipped) and event.node_id == skipped]
    assert skips == ["it did not fire"]
    assert isinstance(events[0], WorkflowStarted)
    assert events[0].origin == {"type": "Node", "node": fired}


async def test_an_unknown_trigger_is_refused_with_the_names_there_are() -> None:
    async with Runtime(nodes=NODES) as runtime:
        with pytest.raises(WorkflowInvalid) as caught:
            await runtime.run(TWO_HOOKS, trigger="three")
    assert caught.value.problems[0].code == "trigger.unknown"
    assert "'one', 'two'" in caught.value.problems[0].remedy


async def test_many_followers_see_the_same_events_and_a_dead_one_harms_nobody() -> None:
    document = workflow({"nap": "nap", "g": "give", "sum": "add"}, "g.result -> sum.x", "nap.done -> sum.after")
    async with Runtime(nodes=ALL, clock=ManualClock(autojump=True)) as runtime:
        execution_id = await runtime.submit(document)
        seen: list[list[int]] = []

        async def follow(stop_after: int | None) -> None:
            seqs: list[int] = []
            seen.append(seqs)
            async for event in runtime.follow(execution_id):
                seqs.append(event.seq)  # type: ignore[union-attr]
                if len(seqs) == stop_after:
                    return

        async with anyio.create_task_group() as tasks:
            for stop_after in (None, None, 2, None, 1):
                tasks.start_soon(follow, stop_after)
        result = await runtime.wait(execution_id)
    assert result.success
    whole = max(seen, key=len)
    assert whole == list(range(1, len(whole) + 1))
    assert all(seqs == whole[: len(seqs)] for seqs in seen)
    assert sum(seqs == whole for seqs in seen) == 3


async def test_a_snapshot_shows_a_running_execution_as_it_stands() -> None:
    clock = ManualClock()
    async with Runtime(nodes=ALL, clock=clock) as runtime:
        execution_id = await runtime.submit(workflow({"nap": "nap", "g": "give"}))
        while not clock.sleepers:
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        snapshot = runtime.snapshot(execution_id)
        assert snapshot.status == "running"
        assert {view.node_id: view.status for view in snapshot.nodes.values()} == {"nap": "running", "g": "completed"}
        clock.advance(1)
        assert (await runtime.wait(execution_id)).success
        assert runtime.snapshot(execution_id).status == "succeeded"
    with pytest.raises(ExecutionError):
        runtime.snapshot("nobody")


async def test_a_thousand_executions_at_once_end_each_with_its_own_log() -> None:
    document = workflow({"nap": "nap", "sum": "add"}, "nap.result -> sum.x")
    async with Runtime(nodes=ALL, clock=ManualClock(autojump=True)) as runtime:
        document["nodes"][0]["inputs"] = {"value": "${{ input.n }}"}
        workflow_object = runtime.check(document).workflow
        assert workflow_object is not None
        ids = [await runtime.submit(workflow_object, {"n": number}) for number in range(1000)]
        results = [await runtime.wait(execution_id) for execution_id in ids]
    assert [result.outputs["sum"]["result"] for result in results] == [number + 10 for number in range(1000)]
    assert len(set(ids)) == 1000
