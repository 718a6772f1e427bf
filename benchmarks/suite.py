"""All benchmarks by name, and how long each measures."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from benchmarks.durable import measure_durable
from benchmarks.following import measure_followers
from benchmarks.measuring import Scale
from benchmarks.planning import measure_plans
from benchmarks.processes import measure_command_nodes, measure_command_run
from benchmarks.resuming import measure_resume
from benchmarks.rows import Row
from benchmarks.running import measure_chains, measure_dag, measure_fan, measure_runs
from benchmarks.sleeping import measure_sleepers
from benchmarks.values import measure_large_value
from benchmarks.waiting import measure_waiting

__all__ = ["BENCHMARKS", "FULL", "QUICK", "measure"]

Benchmark: TypeAlias = Callable[[Scale], Awaitable[list[Row]]]

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "chain": measure_chains,
    "fan": measure_fan,
    "dag": measure_dag,
    "runs": measure_runs,
    "sleep": measure_sleepers,
    "value": measure_large_value,
    "plan": measure_plans,
    "flow-run": measure_command_run,
    "flow-nodes": measure_command_nodes,
    "followers": measure_followers,
    "waiting": measure_waiting,
    "durable": measure_durable,
    "resume": measure_resume,
}

FULL: Final = Scale(rounds=9, section_seconds=0.05, waiting=100_000, quick=False)
#: Shows that everything works; its figures mean nothing.
QUICK: Final = Scale(rounds=2, section_seconds=0, waiting=2000, quick=True)


async def measure(names: Sequence[str], scale: Scale) -> list[Row]:
    """The rows of these benchmarks, one after the other; says on stderr which one is at work."""
    rows: list[Row] = []
    for number, name in enumerate(names, start=1):
        print(f"measuring {name} ({number} of {len(names)})", file=sys.stderr, flush=True)
        rows += await BENCHMARKS[name](scale)
    return rows
