"""Rows on executions whose process is gone: how long it takes until they go on, and what is read for that."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from flowcore.contracts import Change, Owner
from flowcore.events import Event, ExecutionId, NodeStarted
from flowruntime import Runtime
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore

from benchmarks.measuring import Scale
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, VALUE, Document, dag

__all__ = ["measure_resume"]

_MILLISECONDS = 1000
_PAGE_BYTES = 4096
_IO = Path("/proc/self/io")


async def measure_resume(scale: Scale) -> list[Row]:
    """Taking an execution up at half way, in a database of its own and in one that is full of what has ended."""
    count = 20 if scale.quick else 1000
    document = dag(count)
    log = await _log_of(document)
    seconds = [await _alone(document, log) for _ in range(scale.rounds)]
    half = Row(
        name=f"resume of {count} nodes at half way, to its first new node, wall",
        unit="ms",
        ours=statistics.median(seconds) * _MILLISECONDS,
        target=Target(of="ours", at_most=500),
    )
    return [half, *await _beside_many(5 if scale.quick else 1_000_000 // len(log), scale)]


async def _log_of(document: Document) -> list[Event]:
    async with Runtime(nodes=NODES) as runtime:
        execution_id = await runtime.submit(document, {"value": VALUE})
        return [event async for event in runtime.follow(execution_id)]  # type: ignore[misc] # nothing was pruned


async def _alone(document: Document, log: Sequence[Event]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "flow.db")
        _leave(database, "one", document, log[: len(log) // 2])
        return (await _resume(database, "one", len(log) // 2))[0]


async def _beside_many(others: int, scale: Scale) -> list[Row]:
    """The same for a short one, beside so many long ones that have ended, against a database without these."""
    long, short = dag(20 if scale.quick else 1000), dag(20)
    ended, log = await _log_of(long), await _log_of(short)
    found: dict[int, list[tuple[float, float]]] = {0: [], others: []}
    with tempfile.TemporaryDirectory() as folder:
        for beside, costs in found.items():
            database = Path(folder, f"{beside}.db")
            for number in range(beside):
                _leave(database, f"ended-{number}", long, ended)
            for number in range(scale.rounds):
                _leave(database, f"one-{number}", short, log[: len(log) // 2])
                costs.append(await _resume(database, f"one-{number}", len(log) // 2))
    events = f"{others * len(ended):,} events that are over"
    ours, raw = ([statistics.median(column) for column in zip(*found[beside], strict=True)] for beside in (others, 0))
    rows = [
        Row(
            name=f"resume beside {events}, wall",
            unit="ms",
            ours=ours[0] * _MILLISECONDS,
            raw=raw[0] * _MILLISECONDS,
            ratio=ours[0] / raw[0],
            against="an empty database",
        )
    ]
    if raw[1]:  # it is counted here
        rows.append(
            Row(
                name=f"resume beside {events}, read",
                unit="pages",
                ours=ours[1] / _PAGE_BYTES,
                raw=raw[1] / _PAGE_BYTES,
                ratio=ours[1] / raw[1],
                against="an empty database",
                target=Target(at_most=2),
            )
        )
    return rows


async def _resume(database: Path, execution_id: str, seq: int) -> tuple[float, float]:
    """How long it took, opening the database included, until a node was started; and how many bytes were read."""
    read, begun = _bytes_read(), time.perf_counter()
    async with Runtime(f"sqlite:///{database}", nodes=NODES) as runtime:
        await runtime.resume(execution_id)
        async for event in runtime.follow(execution_id, seq):
            if isinstance(event, NodeStarted):
                break
        seconds = time.perf_counter() - begun
        assert (await runtime.wait(execution_id)).status == "succeeded"
        return seconds, _bytes_read() - read


def _bytes_read() -> int:
    """What this process has read so far, from the cache of the system or not; 0 where that is not counted."""
    if not _IO.exists():
        return 0
    return int(_IO.read_text().split()[1])


def _leave(database: Path, execution_id: str, document: Document, log: Sequence[Event]) -> None:
    """Keep it as a process does that is gone."""
    from flowcore.documents import parse_workflow

    here = this_process()
    gone = Owner(name="gone", is_given=False, host=here.host, boot_id=here.boot_id, pid=2**22, process_start=1)
    store = SqliteStore(database, synchronous="normal")
    store.open()
    number = store.register(gone, lease_seconds=1).number
    change = Change(ExecutionId(execution_id), log, parse_workflow(document), owner=number, status="running")
    assert store.commit([change]) == [None]
    store.close()
