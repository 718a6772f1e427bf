"""`python -m benchmarks profile SHAPE`: where the time of a run goes, by function."""

from __future__ import annotations

import time
from typing import Any

from flowruntime import Runtime

from benchmarks.running import work_by_engine
from benchmarks.sampling import sampling
from benchmarks.shapes import NODES, chain, dag, fan

__all__ = ["SHAPES", "profile", "profile_to_text"]

SHAPES = {"chain": chain(1000), "fan": fan(1000), "dag": dag(1000), "runs": chain(5)}


async def profile(shape: str, seconds: float, rows: int) -> dict[str, Any]:
    """Run the shape again and again for so long, and say which functions the CPU was in."""
    async with Runtime(nodes=NODES) as runtime:
        work = work_by_engine(runtime, SHAPES[shape])
        await work()
        until = time.process_time() + seconds
        runs = 0
        with sampling() as samples:
            while time.process_time() < until:
                await work()
                runs += 1
    nodes = runs * len(SHAPES[shape]["nodes"])
    return {
        "shape": shape,
        "runs": runs,
        "us_a_node": seconds / nodes * 1e6,
        "samples": samples.count,
        "functions": samples.table(rows) if samples.count else [],
    }


def profile_to_text(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{found['shape']}: {found['us_a_node']:.2f} µs a node, {found['samples']} samples over {found['runs']} runs",
        f"{'own %':>7}{'total %':>9}  function",
    ]
    lines += [
        f"{row['own_percent']:>7.1f}{row['total_percent']:>9.1f}  {row['function']}" for row in found["functions"]
    ]
    return "\n".join(lines)
