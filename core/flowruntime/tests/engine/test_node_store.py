"""What nodes keep across executions: `ctx.store`."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from flowruntime import Runtime
from flowruntime.authoring import ABSENT, Blob, Context, node
from flowruntime.testing import ManualClock


def workflow(*nodes: dict[str, Any], name: str = "kept") -> dict[str, Any]:
    return {"name": name, "nodes": list(nodes)}


@node("local.count", effects="write")
async def count(ctx: Context) -> int:
    """Count the executions."""
    while True:
        seen = await ctx.store.get("count", ABSENT)
        new = 1 if seen is ABSENT else int(seen) + 1
        if await ctx.store.compare_and_set("count", seen, new):
            return new


@node("local.count_on_a_thread", effects="write")
def count_on_a_thread(ctx: Context) -> int:
    """Count the executions in plain code."""
    new = int(ctx.store.blocking.get("count", 0)) + 1
    ctx.store.blocking.put("count", new)
    return new


@pytest.fixture(params=["memory:", "sqlite"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    return request.param if request.param == "memory:" else f"sqlite:///{tmp_path / 'flow.db'}"


async def test_a_node_finds_in_the_next_execution_what_it_kept(db: str) -> None:
    counting = [{"id": "a", "node_type": "local.count"}, {"id": "b", "node_type": "local.count_on_a_thread"}]
    async with Runtime(db, nodes=[count, count_on_a_thread]) as runtime:
        results = [await runtime.run(workflow(*counting)) for _ in range(3)]
    assert [result.outputs for result in results] == [
        {"a": {"result": number}, "b": {"result": number}} for number in (1, 2, 3)
    ]


async def test_attempts_at_the_same_time_lose_no_count(db: str) -> None:
    async with Runtime(db, nodes=[count]) as runtime, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(runtime.run, workflow({"id": "a", "node_type": "local.count"}))
    async with Runtime(db, nodes=[count]) as runtime:
        result = await runtime.run(workflow({"id": "a", "node_type": "local.count"}))
    assert result.outputs == {"a": {"result": 1 if db == "memory:" else 21}}


async def test_nodes_and_workflows_have_stores_of_their_own_and_items_of_a_loop_share_one(db: str) -> None:
    body = {
        "name": "b",
        "nodes": [{"id": "a", "node_type": "local.count"}],
        "outputs": {"n": "${{ nodes.a.result }}"},
    }
    loop = {"id": "l", "node_type": "control.loop", "config": {"mode": "times", "times": 3, "body": body}}
    async with Runtime(db, nodes=[count]) as runtime:
        one = await runtime.run(workflow({"id": "a", "node_type": "local.count"}, loop))
        other = await runtime.run(workflow({"id": "a", "node_type": "local.count"}, name="another"))
    assert one.node_outputs["a"] == {"result": 1}
    assert one.node_outputs["l"]["results"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert other.node_outputs["a"] == {"result": 1}


async def test_keys_are_listed_and_deleted_and_null_is_a_value(db: str) -> None:
    @node("local.keep", effects="write")
    async def keep(ctx: Context) -> Any:
        for key in ("b/2", "a", "b/1"):
            await ctx.store.put(key, None)
        await ctx.store.delete("a")
        nothing = await ctx.store.get("b/1", "default")
        return [await ctx.store.keys(), await ctx.store.keys("b/2"), nothing]

    async with Runtime(db, nodes=[keep], clock=ManualClock()) as runtime:
        result = await runtime.run(workflow({"id": "k", "node_type": "local.keep"}))
    assert result.outputs == {"k": {"result": [["b/1", "b/2"], ["b/2"], None]}}


@pytest.mark.parametrize("value", [float("nan"), object(), Blob.from_bytes(b"x"), {"deep": [Blob.from_bytes(b"x")]}])
async def test_what_is_no_json_is_refused_and_nothing_is_kept(value: object) -> None:
    @node("local.keep", effects="write")
    async def keep(ctx: Context) -> None:
        await ctx.store.put("k", value)

    async with Runtime(nodes=[keep]) as runtime:
        result = await runtime.run(workflow({"id": "k", "node_type": "local.keep"}))
    assert result.error is not None
    assert result.error["code"] == "node.store_value"
    assert "'k'" in result.error["message"]
