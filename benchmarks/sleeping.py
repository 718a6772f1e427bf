"""Rows on nodes that suspend: a thousand that sleep for a tenth of a second at once."""

from __future__ import annotations

import time
from typing import Any

from flowruntime import Runtime

from benchmarks.by_hand import sleep_by_hand
from benchmarks.measuring import Scale, Side, Work, apart, compare, interleave
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, prepared, side_by_side

__all__ = ["measure_sleepers"]


async def measure_sleepers(scale: Scale) -> list[Row]:
    """Coroutines that sleep, `ctx.sleep`, and `time.delay`, each against a gather of sleeps."""
    count, seconds = (5, 0.005) if scale.quick else (1000, 0.1)
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("asyncio.sleep", "local.nap", {"seconds": seconds}),
        ("ctx.sleep", "local.context_nap", {"seconds": seconds}),
        ("time.delay", "time.delay", {"delay_ms": seconds * 1000}),
    ]
    rows: list[Row] = []
    async with Runtime(nodes=NODES) as runtime:
        for label, node_type, config in kinds:
            workflow = prepared(runtime, side_by_side(count, node_type, config))

            async def by_engine(workflow: Any = workflow) -> None:
                assert (await runtime.run(workflow)).success

            async def by_hand() -> None:
                await sleep_by_hand(count, seconds)

            await by_engine()
            ours, ours_cpu = _both_times(by_engine)
            raw, raw_cpu = _both_times(by_hand)
            elapsed = compare(*await interleave(ours, apart(raw), rounds=scale.rounds))
            cpu = compare(ours_cpu, raw_cpu)
            name = f"{count} × {seconds * 1000:g} ms at once, {label}"
            for what, found, target in (("wall", elapsed, Target(at_most=1.3)), ("CPU", cpu, None)):
                rows.append(
                    Row(
                        name=f"{name}, {what}",
                        unit="ms",
                        ours=found.ours * 1000,
                        raw=found.raw * 1000,
                        ratio=found.ratio,
                        spread=found.spread,
                        target=target,
                    )
                )
    return rows


def _both_times(work: Work) -> tuple[Side, list[float]]:
    """A side that gives elapsed seconds, and the list to which it adds the CPU seconds of each turn."""
    cpu_seconds: list[float] = []

    async def side() -> float:
        begun, cpu_begun = time.perf_counter(), time.process_time()
        await work()
        cpu_seconds.append(time.process_time() - cpu_begun)
        return time.perf_counter() - begun

    return side, cpu_seconds
