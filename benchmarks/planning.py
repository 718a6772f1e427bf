"""Rows on the way from a document to a plan that can run, with every schema and connection checked."""

from __future__ import annotations

import json

from flowruntime import Runtime

from benchmarks.measuring import Scale, Work, compare, cpu_time, interleave
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, Document, configured_chain

__all__ = ["measure_plans"]


async def measure_plans(scale: Scale) -> list[Row]:
    """Documents of growing size whose nodes have config; what is compared with is parsing their JSON alone."""
    rows: list[Row] = []
    async with Runtime(nodes=NODES) as runtime:
        for size in [3] if scale.quick else [10, 1000, 10_000]:
            document = configured_chain(size)
            text = json.dumps(document)

            async def parse(text: str = text) -> None:
                json.loads(text)

            sides = [
                await cpu_time(_checking(runtime, document), scale),
                await cpu_time(_checking(runtime, text), scale),
                await cpu_time(parse, scale),
            ]
            parsed, written, parsing = await interleave(*sides, rounds=scale.rounds)
            for form, figures, target in (
                ("document", parsed, Target(of="ours", at_most=25)),
                ("JSON text", written, None),
            ):
                found = compare(figures, parsing)
                rows.append(
                    Row(
                        name=f"{form} of {size} nodes → plan",
                        unit="µs a node",
                        ours=found.ours / size * 1e6,
                        raw=found.raw / size * 1e6,
                        ratio=found.ratio,
                        spread=found.spread,
                        against="json.loads",
                        target=target,
                    )
                )
    return rows


def _checking(runtime: Runtime, document: Document | str) -> Work:
    async def work() -> None:
        assert runtime.check(document).plan is not None

    return work
