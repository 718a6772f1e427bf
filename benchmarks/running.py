"""Rows on whole runs in memory: chains, a fan, a layered graph, growth, and many small runs."""

from __future__ import annotations

import asyncio
from typing import Any

from flowruntime import Runtime

from benchmarks.by_hand import run_by_hand
from benchmarks.measuring import Comparison, Scale, Side, Work, apart, compare, compare_sides, cpu_time, interleave
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, VALUE, Document, chain, dag, dependencies, fan, prepared

__all__ = ["measure_chains", "measure_dag", "measure_fan", "measure_runs", "work_by_engine", "work_by_hand"]

_INPUTS = {"value": VALUE}
_AT_ONCE = 100
#: Hundreds of runs after which the memory journal is full, and in a section long enough for full collections.
_FILL = 100
_SUSTAINED = 50
#: The length of chain that has a target.
_JUDGED = 1000


def work_by_engine(runtime: Runtime, document: Document) -> Work:
    """One run of the document by the engine; its result comes back."""
    workflow = prepared(runtime, document)

    async def work() -> Any:
        result = await runtime.run(workflow, _INPUTS)
        assert result.success
        return result

    return work


def work_by_hand(document: Document) -> Work:
    """One run of the same graph by hand."""
    depends_on = dependencies(document)

    async def work() -> Any:
        return await run_by_hand(depends_on, VALUE)

    return work


async def measure_chains(scale: Scale) -> list[Row]:
    """Chains of growing length; a step must cost the same in all of them."""
    sizes = [3, 10] if scale.quick else [10, 100, 1000, 10_000]
    sides: list[Side] = []
    async with Runtime(nodes=NODES) as runtime:
        for size in sizes:
            sides.append(await cpu_time(work_by_engine(runtime, chain(size)), scale))
            sides.append(apart(await cpu_time(work_by_hand(chain(size)), scale)))
        figures = await interleave(*sides, rounds=scale.rounds)
    ours, raw = figures[::2], figures[1::2]
    rows = [
        _per_node(f"chain of {size}", size, compare(one, other), Target(at_most=0.8) if size == _JUDGED else None)
        for size, one, other in zip(sizes, ours, raw, strict=True)
    ]
    small, large = sizes[-3:][0], sizes[-1]
    growth, raw_growth = (compare(side[-1], side[-3:][0]).ratio * small / large for side in (ours, raw))
    flat = Target(of="ours", at_most=1.5)
    rows.append(
        Row(name=f"growth of a node's cost, {small} → {large}", unit="×", ours=growth, raw=raw_growth, target=flat)
    )
    return rows


async def measure_fan(scale: Scale) -> list[Row]:
    """One node, many at once, one that takes all their values."""
    width = 5 if scale.quick else 1000
    return await _measure_shape(f"fan 1 → {width} → 1", fan(width), scale)


async def measure_dag(scale: Scale) -> list[Row]:
    """Ten layers, each node with two sources."""
    count = 30 if scale.quick else 1000
    return await _measure_shape(f"DAG of {count} in 10 layers", dag(count), scale)


async def measure_runs(scale: Scale) -> list[Row]:
    """Runs of five nodes: one after the other, a hundred at once, and so many that the memory journal is full.

    What the journal keeps is work for the garbage collector; only the last row is long enough to show it.
    """
    document, target = chain(5), Target(at_least=0.4)
    async with Runtime(nodes=NODES) as runtime:
        engine, by_hand = work_by_engine(runtime, document), work_by_hand(document)
        single = await _compare_work(engine, by_hand, scale)
        together = await _compare_work(_at_once(engine), _at_once(by_hand), scale)
        for _ in range(0 if scale.quick else _FILL):
            await _at_once(engine)()
        many = 1 if scale.quick else _SUSTAINED
        sustained = await _compare_work(_at_once(engine, many), _at_once(by_hand, many), scale)
    return [
        _runs("runs of 5 nodes, one at a time", 1, single, target),
        _runs(f"runs of 5 nodes, {_AT_ONCE} at once", _AT_ONCE, together, target),
        _runs(f"runs of 5 nodes, {_AT_ONCE} at once, sustained", _AT_ONCE * many, sustained, target),
    ]


async def _measure_shape(name: str, document: Document, scale: Scale) -> list[Row]:
    async with Runtime(nodes=NODES) as runtime:
        found = await _compare_work(work_by_engine(runtime, document), work_by_hand(document), scale)
    return [_per_node(name, len(document["nodes"]), found, Target(at_most=0.8))]


async def _compare_work(engine: Work, by_hand: Work, scale: Scale) -> Comparison:
    raw = apart(await cpu_time(by_hand, scale))
    return await compare_sides(await cpu_time(engine, scale), raw, rounds=scale.rounds)


def _at_once(work: Work, times: int = 1) -> Work:
    async def together() -> None:
        for _ in range(times):
            await asyncio.gather(*(work() for _ in range(_AT_ONCE)))

    return together


def _per_node(name: str, count: int, found: Comparison, target: Target | None) -> Row:
    ours, raw = found.ours / count * 1e6, found.raw / count * 1e6
    return Row(name=name, unit="µs a node", ours=ours, raw=raw, ratio=found.ratio, spread=found.spread, target=target)


def _runs(name: str, count: int, found: Comparison, target: Target) -> Row:
    """Runs a second are times upside down."""
    return Row(
        name=name,
        unit="runs/s",
        ours=count / found.ours,
        raw=count / found.raw,
        ratio=1 / found.ratio,
        spread=found.spread / found.ratio**2,
        target=target,
    )
