"""CPU a node of the engine against hand-written asyncio with one task a node, interleaved in one process.

Prints a table, or JSON with `--json`. Ratios repeat within a few percent; absolute times depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from typing import Any

import anyio
from flowruntime import Runtime
from shapes import NODES, chain, dag, dependencies, fan, raw

VALUE = {"value": {"a": 1}}


async def measure(runtime: Runtime, name: str, document: dict[str, Any], rounds: int, runs: int) -> dict[str, Any]:
    """Both sides in turn, `rounds` times; each figure is CPU time, the ratio the median of the rounds'."""
    count = len(document["nodes"])
    compiling: list[float] = []
    for _ in range(5):
        begun = time.process_time()
        checked = runtime.check(document)
        compiling.append(time.process_time() - begun)
    workflow = checked.workflow
    assert workflow is not None, checked.problems
    depends_on = dependencies(document)
    await runtime.run(workflow, VALUE)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(runs):
            result = await runtime.run(workflow, VALUE)
        ours.append((time.process_time() - begun) / runs)
        assert result.success
        begun = time.process_time()
        for _ in range(runs):
            await raw(depends_on, VALUE["value"])
        theirs.append((time.process_time() - begun) / runs)
    return {
        "shape": name,
        "nodes": count,
        "us_a_node": round(statistics.median(ours) / count * 1e6, 2),
        "raw_us_a_node": round(statistics.median(theirs) / count * 1e6, 2),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 2),
        "runs_a_second": round(1 / statistics.median(ours)),
        "compile_us_a_node": round(statistics.median(compiling) / count * 1e6, 1),
    }


async def main() -> None:
    """Measure every shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    shapes = [
        ("chain of 100", chain(100), 10),
        ("chain of 1000", chain(1000), 2),
        ("fan 1-1000-1", fan(1000), 2),
        ("DAG of 1000, 10 layers", dag(1000), 2),
        ("chain of 10000", chain(10_000), 1),
        ("5-node run", chain(5), 200),
    ]
    rows: list[dict[str, Any]] = []
    async with Runtime(nodes=NODES) as runtime:
        for name, document, runs in shapes:
            rows.append(await measure(runtime, name, document, options.rounds, runs))
    load = os.getloadavg()[0]
    if options.json:
        print(json.dumps({"load": load, "python": sys.version.split()[0], "rows": rows}, indent=2))
        return
    print(f"{'shape':<24}{'µs a node':>10}{'raw':>8}{'ratio':>8}{'runs/s':>9}{'plan µs a node':>16}")
    for row in rows:
        print(
            f"{row['shape']:<24}{row['us_a_node']:>10}{row['raw_us_a_node']:>8}{row['ratio']:>8}"
            f"{row['runs_a_second']:>9}{row['compile_us_a_node']:>16}"
        )
    print(f"load {load:.2f}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    anyio.run(main)
