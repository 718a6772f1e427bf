"""Measures in turns, ours/raw/ours/raw, so that whatever slows the machine down slows both sides down."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "Comparison",
    "Scale",
    "Side",
    "Work",
    "apart",
    "compare",
    "compare_sides",
    "cpu_time",
    "interleave",
    "wall_time",
]

#: What is measured.
Work: TypeAlias = Callable[[], Awaitable[Any]]
#: Does its work and gives a figure, most often seconds.
Side: TypeAlias = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long to measure. A section is one side's turn; short work is repeated until the section is long enough."""

    rounds: int
    section_seconds: float
    waiting: int
    quick: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Medians of both sides, the median of the neighbours' ratios, and the distance of the ratios' quartiles."""

    ours: float
    raw: float
    ratio: float
    spread: float


async def cpu_time(work: Work, scale: Scale) -> Side:
    """A side that gives the CPU seconds of the work once done."""
    return await _timed(work, scale, time.process_time)


async def wall_time(work: Work, scale: Scale) -> Side:
    """A side that gives the elapsed seconds of the work once done."""
    return await _timed(work, scale, time.perf_counter)


async def _timed(work: Work, scale: Scale, clock: Callable[[], float]) -> Side:
    await work()  # imports, plans, instances
    begun = clock()
    await work()
    times = max(1, math.ceil(scale.section_seconds / max(clock() - begun, 1e-6)))

    async def side() -> float:
        begun = clock()
        for _ in range(times):
            await work()
        return (clock() - begun) / times

    return side


def apart(side: Side) -> Side:
    """The side as in a program of its own: the garbage collector passes over what others keep in memory.

    Else the hand-written side would pay for walking over the engine's journal. The engine's side does pay.
    """

    async def frozen() -> float:
        gc.freeze()
        try:
            return await side()
        finally:
            gc.unfreeze()

    return frozen


async def interleave(*sides: Side, rounds: int, seconds: float = math.inf) -> list[list[float]]:
    """The figures of each side over all rounds; every round asks every side once. After `seconds` none begins.

    The garbage collector stays on, as it does in programs. It starts each section with an empty table, so that no
    side pays for the garbage of another.
    """
    figures: list[list[float]] = [[] for _ in sides]
    until = time.perf_counter() + seconds
    for number in range(rounds):
        if number and time.perf_counter() > until:
            break
        for side, taken in zip(sides, figures, strict=True):
            gc.collect()
            taken.append(await side())
    return figures


def compare(ours: list[float], raw: list[float]) -> Comparison:
    """What the figures of two interleaved sides say."""
    ratios = [one / other for one, other in zip(ours, raw, strict=True)]
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Comparison(
        ours=statistics.median(ours),
        raw=statistics.median(raw),
        ratio=statistics.median(ratios),
        spread=quartiles[2] - quartiles[0],
    )


async def compare_sides(ours: Side, raw: Side, *, rounds: int) -> Comparison:
    """Both sides interleaved."""
    return compare(*await interleave(ours, raw, rounds=rounds))
