"""The workflow that `settings.on_error_workflow` names runs after a failure, as an execution of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.executions import Status
from flowruntime import Runtime
from flowruntime.authoring import node
from flowruntime.engine import Supervisor

from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


class Told:
    """Remembers what the error workflow was given."""

    def __init__(self) -> None:
        self.errors: list[Any] = []

        @node("local.tell", effects="pure")
        async def tell(value: Any) -> None:
            """Remember."""
            self.errors.append(value)

        self.nodes = [*ALL, tell]


def failing(**settings: Any) -> dict[str, Any]:
    return {**workflow({"a": "fail"}), "settings": {"on_error_workflow": "handler", **settings}}


TELL = {"node_type": "tell", "inputs": {"value": "${{ input.error }}"}}
HANDLER = {**workflow({"t": TELL}), "name": "handler"}


async def test_a_failure_starts_the_error_workflow_with_the_error_and_closing_waits_for_it() -> None:
    told = Told()
    async with Runtime(nodes=told.nodes) as runtime:
        runtime.workflows.add(HANDLER)
        result = await runtime.run(failing())
    (error,) = told.errors
    assert (error["message"], error["node_id"]) == ("It broke.", "a")
    assert (error["execution_id"], error["workflow_id"]) == (result.execution_id, "test")


async def test_success_and_cancellation_start_nothing() -> None:
    told = Told()
    async with Runtime(nodes=told.nodes) as runtime:
        runtime.workflows.add(HANDLER)
        settings = {"on_error_workflow": "handler"}
        assert (await runtime.run({**workflow({"a": "give"}), "settings": settings})).success
        execution_id = await runtime.submit({**workflow({"a": "nap"}), "settings": settings})
        runtime.cancel(execution_id)
        assert (await runtime.wait(execution_id)).status == "cancelled"
    assert told.errors == []


async def test_the_failure_of_an_error_workflow_starts_no_other() -> None:
    told = Told()
    bad = {**workflow({"t": TELL, "b": "fail"}), "name": "handler", "settings": {"on_error_workflow": "handler"}}
    async with Runtime(nodes=told.nodes) as runtime:
        runtime.workflows.add(bad)
        await runtime.run(failing())
    assert len(told.errors) == 1


async def test_the_execution_keeps_the_error_workflow_of_its_start() -> None:
    told = Told()
    async with Runtime(nodes=told.nodes) as runtime:
        runtime.workflows.add(HANDLER)
        document = {**failing(), **workflow({"w": "nap", "a": "fail"}, "w.done -> a.after")}
        execution_id = await runtime.submit(document)
        runtime.workflows.remove("handler")
        await runtime.wait(execution_id)
    assert len(told.errors) == 1


async def test_one_that_begins_while_the_runtime_is_closed_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    @node("local.linger", effects="pure")
    async def linger() -> None:
        """Takes its time to be cancelled."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await closing.wait()

    async def close(self: Supervisor, *, leave: bool) -> None:
        asyncio.get_running_loop().call_soon(closing.set)
        await original(self, leave=leave)

    original, closing, statuses = Supervisor.close, anyio.Event(), list[Status]()
    monkeypatch.setattr(Supervisor, "close", close)
    wait = {"id": "w", "node_type": "control.wait", "config": {"signal": "never"}}
    with anyio.fail_after(30):
        async with Runtime(nodes=[*ALL, linger]) as runtime:
            runtime.workflows.add({"name": "handler", "nodes": [wait]})
            document = {**workflow({"l": "linger", "a": "fail"}), "settings": {"on_error_workflow": "handler"}}
            execution_id = await runtime.submit(document)
            while runtime._supervisor._open[execution_id][0].top.machine.stopped != "failed":
                await anyio.lowlevel.checkpoint()
        statuses += [summary.status for summary in runtime._store.executions()]
    assert statuses == ["cancelled", "failed"]


async def test_an_error_workflow_that_cannot_take_the_error_is_told_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()
    inputs = {"type": "object", "properties": {"other": {"type": "string"}}, "required": ["other"]}
    async with Runtime(nodes=told.nodes) as runtime:
        runtime.workflows.add({**HANDLER, "inputs": inputs})
        with caplog.at_level(logging.WARNING, "flowruntime"):
            result = await runtime.run(failing())
    assert result.status == "failed"
    assert "The error workflow 'handler' of 'test' could not be started" in caplog.text


async def test_an_error_workflow_that_is_not_there_is_a_problem_of_the_document() -> None:
    async with Runtime(nodes=ALL) as runtime:
        with pytest.raises(WorkflowInvalid) as caught:
            await runtime.run(failing())
    (problem,) = caught.value.problems
    assert problem.pointer == "/settings/on_error_workflow"
