"""Rows on executions that are kept: in a SQLite file with `synchronous=FULL`, in the folder for temporary files."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flowruntime import Runtime

from benchmarks.measuring import Scale, Work, apart, compare_sides, cpu_time, interleave, wall_time
from benchmarks.rows import Row, Target
from benchmarks.running import work_by_engine
from benchmarks.shapes import NODES, Document, chain, dag, fan, strict_chain
from benchmarks.surroundings import fsync_seconds

__all__ = ["measure_durable"]

_AT_ONCE = 100
#: Five times what DBOS does on SQLite, one at a time: the figure of the design, measured on such a machine.
_FIVE_TIMES_DBOS = 370


async def measure_durable(scale: Scale) -> list[Row]:
    """What a node and a run cost when every event is on the disk before it is told."""
    small = scale.quick
    rows = [
        await _measure_write_behind("durable chain", chain(10 if small else 1000), scale),
        await _measure_write_behind("durable fan", fan(10 if small else 1000), scale),
        await _measure_write_behind("durable DAG in 10 layers", dag(20 if small else 1000), scale),
    ]
    return [*rows, *await _measure_runs(scale), *await _measure_strict(scale), await _measure_large_value(scale)]


async def _measure_write_behind(name: str, document: Document, scale: Scale) -> Row:
    """CPU time of the whole process, the writer's thread with it, against the same in memory."""
    count = len(document["nodes"])
    async with _durable() as (durable, _), Runtime(nodes=NODES) as memory:
        raw = apart(await cpu_time(work_by_engine(memory, document), scale))
        found = await compare_sides(await cpu_time(work_by_engine(durable, document), scale), raw, rounds=scale.rounds)
    return Row(
        name=f"{name} of {count}",
        unit="µs a node",
        ours=found.ours / count * 1e6,
        raw=found.raw / count * 1e6,
        ratio=found.ratio,
        spread=found.spread,
        against="memory",
        target=Target(at_most=3),
    )


async def _measure_runs(scale: Scale) -> list[Row]:
    async with _durable() as (runtime, _):
        work = work_by_engine(runtime, chain(5))
        sides = [await wall_time(work, scale), await wall_time(_at_once(work), scale)]
        single, together = await interleave(*sides, rounds=scale.rounds)
    return [
        Row(
            name="durable runs of 5 nodes, one at a time",
            unit="runs/s",
            ours=1 / sorted(single)[len(single) // 2],
            target=Target(of="ours", at_least=_FIVE_TIMES_DBOS),
        ),
        Row(
            name=f"durable runs of 5 nodes, {_AT_ONCE} at once",
            unit="runs/s",
            ours=_AT_ONCE / sorted(together)[len(together) // 2],
            target=Target(of="ours", at_least=3000),
        ),
    ]


async def _measure_strict(scale: Scale) -> list[Row]:
    """A chain of nodes with side effects: each waits until its start is on the disk."""
    count = 10 if scale.quick else 100
    async with _durable() as (runtime, _):
        (taken,) = await interleave(
            await wall_time(work_by_engine(runtime, strict_chain(count)), scale), rounds=scale.rounds
        )
    node_ms = sorted(taken)[len(taken) // 2] / count * 1000
    sync_ms = fsync_seconds() * 1000
    return [
        Row(name=f"durable chain of {count} writes", unit="ms a node", ours=node_ms, raw=sync_ms, against="one fsync"),
        Row(
            name="… beyond one fsync",
            unit="ms a node",
            ours=max(0.0, node_ms - sync_ms),
            target=Target(of="ours", at_most=0.2),
        ),
    ]


async def _measure_large_value(scale: Scale) -> Row:
    """A megabyte through a hundred nodes: how often it lies in the database."""
    large = {"lines": [[number, "x" * 100] for number in range(10_000)]}
    async with _durable() as (runtime, file):
        result = await runtime.run(chain(10 if scale.quick else 100), {"value": large})
        assert result.success
        with sqlite3.connect(file) as connection:
            (kept,) = connection.execute("SELECT count(*) FROM contents").fetchone()
    return Row(name="durable 1 MB through 100 nodes", unit="copies", ours=kept, target=Target(of="ours", at_most=1))


@asynccontextmanager
async def _durable() -> AsyncIterator[tuple[Runtime, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flow.db"
        async with Runtime(f"sqlite:///{file}", nodes=NODES) as runtime:
            yield runtime, file


def _at_once(work: Work) -> Work:
    async def together() -> None:
        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))

    return together
