"""Rows on executions that are kept: in a SQLite file with `synchronous=FULL`, in the folder for temporary files."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

from flowruntime import Runtime

from benchmarks.dbos.environment import DbosMissingError
from benchmarks.dbos.process import Dbos, dbos_process
from benchmarks.measuring import Scale, Side, Work, apart, compare, compare_sides, cpu_time, interleave, wall_time
from benchmarks.rows import Row, Target
from benchmarks.running import work_by_engine
from benchmarks.shapes import NODES, Document, chain, dag, fan, strict_chain
from benchmarks.surroundings import fsync_seconds

__all__ = ["measure_durable"]

_AT_ONCE = 100
#: One after the other in DBOS' turn.
_TIMES = 10
#: After this no further round begins: a hundred workflows at once take DBOS seconds, on a busy disk ten.
_RUNS_SECONDS = 10


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
    """Elapsed time of small runs, in turns with DBOS where that is to be had."""
    try:
        async with dbos_process() as dbos:
            return await _compare_runs(scale, dbos)
    except DbosMissingError as error:
        return await _compare_runs(scale, None, str(error))


async def _compare_runs(scale: Scale, dbos: Dbos | None, missing: str | None = None) -> list[Row]:
    times, at_once = (1, 5) if scale.quick else (_TIMES, _AT_ONCE)
    async with _durable() as (runtime, _):
        sides: list[Side] = []
        for document in (chain(5), strict_chain(5)):
            work = work_by_engine(runtime, document)
            sides += [await wall_time(work, scale), await wall_time(_at_once(work, at_once), scale)]
        if dbos is not None:
            sides += [await dbos.side(times, 1), await dbos.side(1, at_once)]
        figures = await interleave(*sides, rounds=scale.rounds, seconds=_RUNS_SECONDS)
    # Ours come in pairs, alone and at once; the pair of DBOS stands beside both.
    rows = [
        _runs("nodes, one at a time", 1, figures[0], figures[4:5], Target(at_least=5)),
        _runs(f"nodes, {at_once} at once", at_once, figures[1], figures[5:6], Target(of="ours", at_least=3000)),
        _runs("writes, one at a time", 1, figures[2], figures[4:5], None),
        _runs(f"writes, {at_once} at once", at_once, figures[3], figures[5:6], None),
    ]
    return [replace(row, missing=missing) if dbos is None else replace(row, against=dbos.about) for row in rows]


def _runs(what: str, count: int, ours: list[float], raw: list[list[float]], target: Target | None) -> Row:
    """Runs a second are times upside down, and so are their ratios. `raw` may be empty."""
    row = Row(name=f"durable runs of 5 {what}", unit="runs/s", ours=count / statistics.median(ours), target=target)
    if not raw:
        return row
    found = compare(raw[0], ours)
    spread = found.spread if len(ours) > 1 else None
    return replace(row, raw=count / found.ours, ratio=found.ratio, spread=spread)


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
        with closing(sqlite3.connect(file)) as connection:
            (kept,) = connection.execute("SELECT count(*) FROM contents").fetchone()
    return Row(name="durable 1 MB through 100 nodes", unit="copies", ours=kept, target=Target(of="ours", at_most=1))


@asynccontextmanager
async def _durable() -> AsyncIterator[tuple[Runtime, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flow.db"
        async with Runtime(f"sqlite:///{file}", nodes=NODES) as runtime:
            yield runtime, file


def _at_once(work: Work, count: int) -> Work:
    async def together() -> None:
        await asyncio.gather(*(work() for _ in range(count)))

    return together
