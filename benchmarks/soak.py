"""`python -m benchmarks soak`: a great many small runs in one process, which must hold no more at the end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

from flowruntime import Runtime

from benchmarks.memory import resident_bytes
from benchmarks.shapes import NODES, VALUE, chain, prepared

__all__ = ["Step", "soak", "soak_to_json", "soak_to_text"]

_STEPS = 10
_AT_ONCE = 100
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """After so many runs: resident memory, tasks beside those at the start, and runs a CPU second since the last."""

    runs: int
    resident_mib: float
    tasks: int
    runs_a_second: float


async def soak(runs: int) -> list[Step]:
    """Run five nodes over and over, a hundred runs at once."""
    steps: list[Step] = []
    async with Runtime(nodes=NODES) as runtime:
        workflow = prepared(runtime, chain(5))
        before = len(asyncio.all_tasks())
        done = 0
        for step in range(1, _STEPS + 1):
            begun, first = time.process_time(), done
            while done < runs * step // _STEPS:
                count = min(_AT_ONCE, runs * step // _STEPS - done)
                results = await asyncio.gather(*(runtime.run(workflow, {"value": VALUE}) for _ in range(count)))
                assert all(result.success for result in results)
                done += count
            seconds = time.process_time() - begun
            results = []
            steps.append(
                Step(
                    runs=done,
                    resident_mib=resident_bytes() / _MIB,
                    tasks=len(asyncio.all_tasks()) - before,
                    runs_a_second=(done - first) / seconds,
                )
            )
    return steps


def soak_to_json(steps: list[Step]) -> dict[str, Any]:
    """The steps, and by how much the memory grew over the second half; the first fills the journal's ring."""
    growth = steps[-1].resident_mib - steps[_STEPS // 2 - 1].resident_mib
    return {"steps": [asdict(step) for step in steps], "growth_mib": growth}


def soak_to_text(steps: list[Step]) -> str:
    """The same for people."""
    lines = [f"{'runs':>9}{'memory MiB':>13}{'tasks left':>12}{'runs/s':>9}"]
    lines += [f"{s.runs:>9}{s.resident_mib:>13.1f}{s.tasks:>12}{s.runs_a_second:>9.0f}" for s in steps]
    growth = soak_to_json(steps)["growth_mib"]
    lines.append(f"growth over the second half: {growth:+.1f} MiB; it should be next to nothing, and the tasks left 0")
    return "\n".join(lines)
