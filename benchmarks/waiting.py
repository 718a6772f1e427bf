"""Rows on executions that wait: what each holds, and how fast they begin and end.

Memory that earlier measurements have freed would be used again unseen, so each side has a process of its own:
`python -m benchmarks.waiting engine|asyncio COUNT` prints what one of them found.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from flowruntime import Runtime

from benchmarks.child import ROOT
from benchmarks.measuring import Scale
from benchmarks.memory import resident_bytes
from benchmarks.rows import Row, Target
from benchmarks.shapes import one_delay, prepared

__all__ = ["measure_waiting"]

_HOUR_SECONDS = 3600
#: The loop gets its turn after so many submissions, as it does in a program that serves requests.
_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What waiting cost. `tasks` counts those of asyncio while all waited, `left` those after all had ended."""

    bytes_each: float
    begin_seconds: float
    end_seconds: float
    tasks: int
    left: int


async def measure_waiting(scale: Scale) -> list[Row]:
    """Executions of one `time.delay` of an hour, against as many asyncio tasks that sleep."""
    ours, raw, count = _in_a_process("engine", scale.waiting), _in_a_process("asyncio", scale.waiting), scale.waiting
    name = f"{count} waiting executions"
    none = Target(of="ours", at_most=0)

    def row(what: str, unit: str, one: float, other: float) -> Row:
        # A handful of them is below what the system can tell.
        return Row(name=f"{name}: {what}", unit=unit, ours=one, raw=other, ratio=one / other if other else None)

    def rate(seconds: float) -> float:
        return count / seconds if seconds else 0.0

    return [
        row("memory each", "bytes", ours.bytes_each, raw.bytes_each),
        Row(name=f"{name}: tasks", unit="tasks", ours=ours.tasks, raw=raw.tasks, target=none),
        row("begun, CPU", "1/s", rate(ours.begin_seconds), rate(raw.begin_seconds)),
        row("cancelled, CPU", "1/s", rate(ours.end_seconds), rate(raw.end_seconds)),
        Row(name=f"{name}: tasks left at the end", unit="tasks", ours=ours.left, raw=raw.left, target=none),
    ]


def _in_a_process(side: str, count: int) -> _Found:
    command = [sys.executable, "-m", "benchmarks.waiting", side, str(count)]
    ended = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return _Found(**json.loads(ended.stdout))


async def _wait_by_engine(count: int) -> _Found:
    async with Runtime() as runtime:
        workflow = prepared(runtime, one_delay(_HOUR_SECONDS * 1000))
        first = await runtime.submit(workflow)  # imports, plan, instances
        await _until_waiting(runtime, first)
        runtime.cancel(first)
        await runtime.wait(first)
        await asyncio.sleep(0)
        tasks, before, begun = len(asyncio.all_tasks()), resident_bytes(), time.process_time()
        ids = []
        for number in range(count):
            ids.append(await runtime.submit(workflow))
            if number % _BATCH == 0:
                await asyncio.sleep(0)
        for execution_id in ids[:: max(1, count // 100)] + ids[-1:]:
            await _until_waiting(runtime, execution_id)
        begin_seconds = time.process_time() - begun
        waiting_tasks, held = len(asyncio.all_tasks()) - tasks, resident_bytes() - before
        begun = time.process_time()
        for start in range(0, count, _BATCH):
            batch = ids[start : start + _BATCH]
            # Somebody must wait before the end comes: beside so many others, the memory journal forgets ends at once.
            ends = [asyncio.create_task(runtime.wait(execution_id)) for execution_id in batch]
            await asyncio.sleep(0)
            for execution_id in batch:
                runtime.cancel(execution_id)
            assert all(result.status == "cancelled" for result in await asyncio.gather(*ends))
        await asyncio.sleep(0)
        end_seconds = time.process_time() - begun
        return _Found(
            bytes_each=held / count,
            begin_seconds=begin_seconds,
            end_seconds=end_seconds,
            tasks=waiting_tasks,
            left=len(asyncio.all_tasks()) - tasks,
        )


async def _wait_by_hand(count: int) -> _Found:
    tasks, before, begun = len(asyncio.all_tasks()), resident_bytes(), time.process_time()
    sleeping = []
    for number in range(count):
        sleeping.append(asyncio.create_task(asyncio.sleep(_HOUR_SECONDS)))
        if number % _BATCH == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    begin_seconds = time.process_time() - begun
    waiting_tasks, held = len(asyncio.all_tasks()) - tasks, resident_bytes() - before
    begun = time.process_time()
    for task in sleeping:
        task.cancel()
    await asyncio.gather(*sleeping, return_exceptions=True)
    return _Found(
        bytes_each=held / count,
        begin_seconds=begin_seconds,
        end_seconds=time.process_time() - begun,
        tasks=waiting_tasks,
        left=len(asyncio.all_tasks()) - tasks,
    )


async def _until_waiting(runtime: Runtime, execution_id: str) -> None:
    while runtime.snapshot(execution_id).status != "waiting":  # noqa: ASYNC110 - public API only
        await asyncio.sleep(0)


def _main() -> None:
    _, side, count = sys.argv
    found = asyncio.run((_wait_by_engine if side == "engine" else _wait_by_hand)(int(count)))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    _main()
