"""The workflows that the benchmarks run, and the same work written by hand with one asyncio task a node."""

from __future__ import annotations

import asyncio
from typing import Any

from flowruntime.authoring import node

__all__ = ["NODES", "chain", "dag", "dependencies", "fan", "raw"]

Json = dict[str, Any]


@node("local.noop", effects="pure")
async def noop(value: dict[str, int]) -> dict[str, int]:
    """Pass a small object on."""
    return value


@node("local.join", effects="pure")
async def join(**values: dict[str, int]) -> dict[str, int]:
    """Take any number of values, pass the first on."""
    for value in values.values():
        return value
    return {}


NODES = [noop, join]


def chain(count: int) -> Json:
    """Nodes one after the other."""
    return _document(
        "chain",
        [(f"n{i}", "local.noop") for i in range(count)],
        [(f"n{i}", f"n{i + 1}", "value") for i in range(count - 1)],
    )


def fan(count: int) -> Json:
    """One node, then `count` at once, then one that takes all their values."""
    middle = [f"n{i}" for i in range(count)]
    return _document(
        "fan",
        [("start", "local.noop"), *((name, "local.noop") for name in middle), ("end", "local.join")],
        [*(("start", name, "value") for name in middle), *((name, "end", name) for name in middle)],
    )


def dag(count: int, layers: int = 10) -> Json:
    """Layers of equal width; each node takes the values of two nodes of the layer before."""
    width = count // layers
    return _document(
        "dag",
        [(f"n{layer}_{i}", "local.join") for layer in range(layers) for i in range(width)],
        [
            (f"n{layer - 1}_{(i + k) % width}", f"n{layer}_{i}", f"p{k}")
            for layer in range(1, layers)
            for i in range(width)
            for k in range(2)
        ],
    )


def dependencies(document: Json) -> list[list[int]]:
    """For each node the numbers of the nodes it takes values from."""
    numbers = {entry["id"]: number for number, entry in enumerate(document["nodes"])}
    made: list[list[int]] = [[] for _ in numbers]
    for connection in document["connections"]:
        made[numbers[connection["to_node"]]].append(numbers[connection["from_node"]])
    return made


async def raw(depends_on: list[list[int]], value: dict[str, int]) -> None:
    """What an engineer would write by hand: a task a node, which awaits the tasks it depends on."""

    async def work(given: dict[str, int]) -> dict[str, int]:
        return given

    async def one(sources: list[asyncio.Task[dict[str, int]]]) -> dict[str, int]:
        given = value
        for source in sources:
            given = await source
        return await work(given)

    tasks: list[asyncio.Task[dict[str, int]]] = []
    for sources in depends_on:
        tasks.append(asyncio.create_task(one([tasks[number] for number in sources])))
    await asyncio.gather(*tasks)


def _document(name: str, nodes: list[tuple[str, str]], wires: list[tuple[str, str, str]]) -> Json:
    return {
        "name": name,
        "nodes": [{"id": node_id, "node_type": node_type} for node_id, node_type in nodes],
        "connections": [
            {"from_node": source, "from_port": "result", "to_node": target, "to_port": port}
            for source, target, port in wires
        ],
        "settings": {"max_parallel_nodes": None},
    }
