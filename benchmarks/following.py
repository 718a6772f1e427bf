"""Rows on followers: what a run loses by being watched, and how fast the watchers read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from flowcore.workflows import Workflow
from flowruntime import Runtime
from flowruntime.authoring import node

from benchmarks.measuring import Scale, Side, compare, interleave
from benchmarks.memory import peak_bytes
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, VALUE, Document, chain, lanes, prepared

__all__ = ["measure_followers"]

_FOLLOWERS = 100
_Read: TypeAlias = Callable[[Runtime, str], Awaitable[int]]

#: When the marked nodes ran, in CPU seconds of this process.
_marks: list[float] = []


@node("local.mark", effects="pure")
async def _mark(value: dict[str, Any]) -> dict[str, Any]:
    """Note the time, and pass the value on."""
    _marks.append(time.process_time())
    return value


async def measure_followers(scale: Scale) -> list[Row]:
    """Two runs, each with no follower, one, a hundred, and a hundred that stall after their first batch.

    One has nodes that do nothing, where any work beside them shows; the other has nodes that take ten milliseconds.
    """
    length, (width, tasks, seconds) = (20, (2, 2, 0.002)) if scale.quick else (10_000, (10, 50, 0.01))
    busy = chain(length)
    busy["nodes"][0]["node_type"] = busy["nodes"][-1]["node_type"] = "local.mark"
    paced = lanes(width, tasks, seconds)
    rows: list[Row] = []
    async with Runtime(nodes=[*NODES, _mark]) as runtime:
        rows += await _measure_run(runtime, f"{length} no-ops", busy, "CPU", scale)
        label = f"{width * tasks} nodes of {seconds * 1000:g} ms, {width} at once"
        rows += await _measure_run(runtime, label, paced, "wall", scale)
        rows.append(await _measure_memory(runtime, busy))
        rows += await _measure_reading(runtime, busy, scale)
    return rows


async def _measure_run(
    runtime: Runtime, label: str, document: Document, clock: Literal["CPU", "wall"], scale: Scale
) -> list[Row]:
    workflow, count = prepared(runtime, document), len(document["nodes"])

    def with_followers(number: int, *, stalled: bool = False) -> Side:
        async def side() -> float:
            return await _seconds_of_run(runtime, workflow, number, clock, stalled=stalled)

        return side

    await _seconds_of_run(runtime, workflow, 1, clock, stalled=False)  # imports, plan, instances
    sides = [with_followers(number) for number in (0, 1, _FOLLOWERS)]
    none, *watched = await interleave(*sides, with_followers(_FOLLOWERS, stalled=True), rounds=scale.rounds)
    rows: list[Row] = []
    for who, figures in zip(("1 follower", f"{_FOLLOWERS} followers", f"{_FOLLOWERS} stalled"), watched, strict=True):
        found = compare(none, figures)  # throughput is time upside down
        rows.append(
            Row(
                name=f"{label}, {clock}, {who}",
                unit="nodes/s",
                ours=count / found.raw,
                raw=count / found.ours,
                ratio=found.ratio,
                spread=found.spread,
                against="no follower",
                target=Target(at_least=0.9),
            )
        )
    return rows


async def _seconds_of_run(
    runtime: Runtime, workflow: Workflow, number: int, clock: Literal["CPU", "wall"], *, stalled: bool
) -> float:
    """From the first node to the last; followers may end later, which does not count."""
    _marks.clear()
    execution_id = await runtime.submit(workflow, {"value": VALUE})
    release = asyncio.Event()
    followers = [
        asyncio.create_task(_stall(runtime, execution_id, release) if stalled else _count_events(runtime, execution_id))
        for _ in range(number)
    ]
    result = await runtime.wait(execution_id)
    release.set()
    await asyncio.gather(*followers)
    assert result.success
    return _marks[-1] - _marks[0] if clock == "CPU" else result.duration_ms / 1000


async def _measure_memory(runtime: Runtime, document: Document) -> Row:
    """What a follower that stalls keeps from being freed."""
    workflow = prepared(runtime, document)

    def peak(number: int) -> Awaitable[int]:
        return peak_bytes(lambda: _seconds_of_run(runtime, workflow, number, "wall", stalled=True))

    each = (await peak(_FOLLOWERS) - await peak(0)) / _FOLLOWERS
    return Row(name=f"memory of a stalled follower of {len(document['nodes'])} nodes", unit="KiB", ours=each / 1024)


async def _measure_reading(runtime: Runtime, document: Document, scale: Scale) -> list[Row]:
    """How fast followers read what is there already: that is the most a live one can keep up with."""
    result = await runtime.run(prepared(runtime, document), {"value": VALUE})
    events = await _count_events(runtime, result.execution_id)
    rows: list[Row] = []
    for label, read in (("in batches", _count_events), ("one by one", _count_singly)):

        async def side(read: _Read = read) -> float:
            begun = time.process_time()
            await asyncio.gather(*(read(runtime, result.execution_id) for _ in range(_FOLLOWERS)))
            return time.process_time() - begun

        (figures,) = await interleave(side, rounds=scale.rounds)
        found = compare(figures, figures)
        name = f"events read by {_FOLLOWERS} followers {label}, all together"
        rows.append(Row(name=name, unit="events/s", ours=events * _FOLLOWERS / found.ours))
    return rows


async def _count_events(runtime: Runtime, execution_id: str) -> int:
    """Read every event to the end, as a follower does that keeps up."""
    count = 0
    async for batch in runtime.follow(execution_id).batches():
        count += len(batch)
    return count


async def _count_singly(runtime: Runtime, execution_id: str) -> int:
    count = 0
    async for _ in runtime.follow(execution_id):
        count += 1
    return count


async def _stall(runtime: Runtime, execution_id: str, release: asyncio.Event) -> None:
    """Take one batch, and no other for as long as the run lasts."""
    async for _ in runtime.follow(execution_id).batches():
        await release.wait()
        return
