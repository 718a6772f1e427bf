"""A node that writes starts only when the database knows that it does; the closure is kept with event 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flowcore.events import ExecutionId, NodeStarted
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.stores import store_for

from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


def _kept(url: str, execution_id: str) -> list[Any]:
    """What another connection to the database sees."""
    store = store_for(url)
    store.open()
    try:
        return list(store.read(ExecutionId(execution_id)).events)
    finally:
        store.close()


async def test_the_start_of_a_write_is_durable_before_its_code_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/flow.db"
    seen: list[list[tuple[str, int]]] = []

    @node("local.send", effects="write")
    async def send(ctx: Context, value: Any = None) -> None:
        starts = [event for event in _kept(url, ctx.execution_id) if isinstance(event, NodeStarted)]
        seen.append([(event.node_id, event.attempt) for event in starts])
        if ctx.attempt == 1:
            raise ValueError("Again.")

    policy = {"max_attempts": 2, "delay_ms": 0}
    document = workflow({"a": "give", "s": {"node_type": "send", "retry_policy": policy}}, "a.result -> s.value")
    async with Runtime(url, nodes=[*ALL, send]) as runtime:
        assert (await runtime.run(document)).success
    assert seen == [[("a", 1), ("s", 1)], [("a", 1), ("s", 1), ("s", 2)]]


async def test_the_workflows_that_an_execution_may_run_by_name_are_kept_with_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/flow.db"
    document = workflow({"s": {"node_type": "give"}})
    document["nodes"].append({"id": "sub", "node_type": "control.subflow", "config": {"workflow": "inner"}})
    async with Runtime(url, nodes=ALL) as runtime:
        runtime.workflows.add({**workflow({"g": "give"}), "name": "inner"})
        result = await runtime.run(document)
    assert result.success
    store = store_for(url)
    store.open()
    record = store.record(result.execution_id)
    store.close()
    assert record is not None
    assert list(record.named) == ["inner"]
