"""Rows on large values: one object, whatever the number of nodes that it passes."""

from __future__ import annotations

from typing import Any

from flowruntime import Runtime

from benchmarks.by_hand import run_by_hand
from benchmarks.measuring import Comparison, Scale, Work, apart, compare_sides, cpu_time
from benchmarks.memory import peak_bytes
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, VALUE, chain, dependencies, prepared

__all__ = ["measure_large_value"]

_NODES = 100
_KIB = 1024


async def measure_large_value(scale: Scale) -> list[Row]:
    """A megabyte of JSON through a hundred nodes: objects, memory, and time."""
    large: dict[str, Any] = {"lines": [[number, "x" * 100] for number in range(10 if scale.quick else 9000)]}
    depends_on = dependencies(chain(_NODES))
    async with Runtime(nodes=NODES) as runtime:
        workflow = prepared(runtime, chain(_NODES))

        def by_engine(value: dict[str, Any]) -> Work:
            return lambda: runtime.run(workflow, {"value": value})

        def by_hand(value: dict[str, Any]) -> Work:
            return lambda: run_by_hand(depends_on, value)

        outputs = (await runtime.run(workflow, {"value": large})).node_outputs.values()
        objects = len({id(large), *(id(ports["result"]) for ports in outputs)})
        raw_objects = len({id(large), *map(id, await run_by_hand(depends_on, large))})
        extra = await peak_bytes(by_engine(large)) - await peak_bytes(by_engine(VALUE))
        raw_extra = await peak_bytes(by_hand(large)) - await peak_bytes(by_hand(VALUE))
        ours = [await cpu_time(by_engine(value), scale) for value in (large, VALUE)]
        raw = [apart(await cpu_time(by_hand(value), scale)) for value in (large, VALUE)]
        large_time = await compare_sides(ours[0], raw[0], rounds=scale.rounds)
        small_time = await compare_sides(ours[1], raw[1], rounds=scale.rounds)
    one = Target(of="ours", at_most=1)
    return [
        Row(name=f"1 MB through {_NODES} nodes: objects", unit="objects", ours=objects, raw=raw_objects, target=one),
        Row(name="… memory beyond that of a small value", unit="KiB", ours=extra / _KIB, raw=raw_extra / _KIB),
        _time("… time", large_time),
        _time("… time with a small value", small_time),
    ]


def _time(name: str, found: Comparison) -> Row:
    ours, raw = found.ours / _NODES * 1e6, found.raw / _NODES * 1e6
    return Row(name=name, unit="µs a node", ours=ours, raw=raw, ratio=found.ratio, spread=found.spread)
