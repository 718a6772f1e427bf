"""The workflows that are measured, and the node types they are made of."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

from flowcore.workflows import Workflow
from flowruntime import Runtime
from flowruntime.authoring import Context, node

__all__ = [
    "NODES",
    "VALUE",
    "Document",
    "chain",
    "configured_chain",
    "dag",
    "dependencies",
    "fan",
    "lanes",
    "one_delay",
    "prepared",
    "side_by_side",
    "strict_chain",
]

Document: TypeAlias = dict[str, Any]

#: What the nodes without arrows start with: nodes pass it on as it is.
VALUE: dict[str, Any] = {"a": 1}


@node("local.noop", effects="pure")
async def noop(value: dict[str, Any]) -> dict[str, Any]:
    """Pass a small object on."""
    return value


@node("local.join", effects="pure")
async def join(**values: dict[str, Any]) -> dict[str, Any]:
    """Take any number of values, pass the first on."""
    return next(iter(values.values()))


@node("local.step", effects="pure")
async def step(value: dict[str, Any], *, factor: float = 1, label: str = "") -> dict[str, Any]:  # noqa: ARG001
    """Has config to be checked."""
    return value


@node("local.nap", effects="pure")
async def nap(*, seconds: float) -> None:
    """Sleep as any coroutine does."""
    await asyncio.sleep(seconds)


@node("local.context_nap", effects="pure")
async def context_nap(ctx: Context, *, seconds: float) -> None:
    """Sleep by the runtime's clock."""
    await ctx.sleep(seconds)


@node("local.task", effects="pure")
async def task(value: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """Take a while, as a request over the network does."""
    await asyncio.sleep(seconds)
    return value


@node("local.effect", effects="write")
async def effect(value: dict[str, Any]) -> dict[str, Any]:
    """Pass a small object on, as if something had happened outside."""
    return value


NODES = (noop, join, step, nap, context_nap, task, effect)


def chain(count: int) -> Document:
    """Nodes one after the other."""
    return _document("chain", [{"id": f"n{i}", "node_type": "local.noop"} for i in range(count)], _line(count))


def strict_chain(count: int) -> Document:
    """A chain of nodes with side effects."""
    return _document("strict", [{"id": f"n{i}", "node_type": "local.effect"} for i in range(count)], _line(count))


def configured_chain(count: int) -> Document:
    """A chain whose nodes have config."""
    nodes = [
        {"id": f"n{i}", "node_type": "local.step", "config": {"factor": i / 2, "label": f"step {i}"}}
        for i in range(count)
    ]
    return _document("configured", nodes, _line(count))


def fan(count: int) -> Document:
    """One node, then `count` at once, then one that takes all their values."""
    middle = [f"n{i}" for i in range(count)]
    nodes = [
        {"id": "start", "node_type": "local.noop"},
        *({"id": name, "node_type": "local.noop"} for name in middle),
        {"id": "end", "node_type": "local.join"},
    ]
    return _document("fan", nodes, [*(("start", i, "value") for i in middle), *((i, "end", i) for i in middle)])


def dag(count: int, layers: int = 10) -> Document:
    """Layers of equal width; each node takes the values of two nodes of the layer before."""
    width = count // layers
    nodes = [{"id": f"n{layer}_{i}", "node_type": "local.join"} for layer in range(layers) for i in range(width)]
    wires = [
        (f"n{layer - 1}_{(i + k) % width}", f"n{layer}_{i}", f"p{k}")
        for layer in range(1, layers)
        for i in range(width)
        for k in range(2)
    ]
    return _document("dag", nodes, wires)


def lanes(count: int, length: int, seconds: float) -> Document:
    """Chains side by side, of nodes that take some time."""
    nodes = [
        {"id": f"n{lane}_{i}", "node_type": "local.task", "config": {"seconds": seconds}}
        for lane in range(count)
        for i in range(length)
    ]
    wires = [(f"n{lane}_{i}", f"n{lane}_{i + 1}", "value") for lane in range(count) for i in range(length - 1)]
    return _document("lanes", nodes, wires)


def side_by_side(count: int, node_type: str, config: dict[str, Any]) -> Document:
    """Nodes that have nothing to do with each other."""
    return _document("side by side", [{"id": f"n{i}", "node_type": node_type, "config": config} for i in range(count)])


def one_delay(delay_ms: float) -> Document:
    """A single node that waits."""
    return side_by_side(1, "time.delay", {"delay_ms": delay_ms})


def dependencies(document: Document) -> list[list[int]]:
    """For each node the numbers of the nodes it takes values from."""
    numbers = {entry["id"]: number for number, entry in enumerate(document["nodes"])}
    made: list[list[int]] = [[] for _ in numbers]
    for connection in document["connections"]:
        made[numbers[connection["to_node"]]].append(numbers[connection["from_node"]])
    return made


def prepared(runtime: Runtime, document: Document) -> Workflow:
    """The workflow, checked and compiled, as a program that runs it often would keep it."""
    checked = runtime.check(document)
    assert checked.workflow is not None, checked.problems
    return checked.workflow


def _line(count: int) -> list[tuple[str, str, str]]:
    return [(f"n{i}", f"n{i + 1}", "value") for i in range(count - 1)]


def _document(name: str, nodes: list[dict[str, Any]], wires: list[tuple[str, str, str]] | None = None) -> Document:
    return {
        "name": name,
        "nodes": nodes,
        "connections": [
            {"from_node": source, "from_port": "result", "to_node": target, "to_port": port}
            for source, target, port in wires or []
        ],
        "settings": {"max_parallel_nodes": None},
    }
