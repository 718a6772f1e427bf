"""Short runs one after the other leave nothing behind that the garbage collector would start for."""

from __future__ import annotations

import gc

from flowruntime import Runtime
from flowruntime.authoring import node
from flowruntime.stores import MemoryStore


@node("local.pass", effects="pure")
async def hand_on(value: int) -> int:
    return value


async def test_thousands_of_runs_start_no_collection_once_the_ring_is_full() -> None:
    collections: list[str] = []

    def collected(phase: str, _about: dict[str, int]) -> None:
        collections.append(phase)

    async with Runtime(nodes=[hand_on]) as runtime:
        runtime._journal.store = MemoryStore(ring_events=100)
        workflow = runtime.check({"name": "short", "nodes": [{"id": "a", "node_type": "local.pass"}]}).workflow
        assert workflow is not None
        for _ in range(500):
            await runtime.run(workflow, {"value": 1})
        gc.collect()
        gc.callbacks.append(collected)
        try:
            for _ in range(3000):
                await runtime.run(workflow, {"value": 1})
        finally:
            gc.callbacks.remove(collected)
    assert collections == []
