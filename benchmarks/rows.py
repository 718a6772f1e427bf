"""A row of the table: what was measured, against what, and whether its target is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Row", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound for a row's ratio, or for our own figure."""

    of: Literal["ratio", "ours"] = "ratio"
    at_most: float | None = None
    at_least: float | None = None

    def __str__(self) -> str:
        sign, bound = ("≤", self.at_most) if self.at_most is not None else ("≥", self.at_least)
        return f"{sign} {'×' if self.of == 'ratio' else ''}{bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement. `ours` and `raw` are medians in `unit`.

    `raw` is what the engine is compared with: asyncio by hand unless `against` says otherwise. `ratio` is the median
    of the ratios of neighbouring measurements, `spread` the distance of their quartiles. `missing` says why there was
    nothing to compare with.
    """

    name: str
    unit: str
    ours: float
    raw: float | None = None
    ratio: float | None = None
    spread: float | None = None
    against: str = "asyncio"
    missing: str | None = None
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one, and for a ratio when there was nothing to compare with."""
        if self.target is None:
            return None
        figure = self.ours if self.target.of == "ours" else self.ratio
        if figure is None:
            return None
        if self.target.at_most is not None and figure > self.target.at_most:
            return False
        return self.target.at_least is None or figure >= self.target.at_least

    def to_json(self) -> dict[str, Any]:
        """The row for programs."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "raw": self.raw,
            "ratio": self.ratio,
            "spread": self.spread,
            "against": None if self.raw is None else self.against,
            "missing": self.missing,
            "target": None if self.target is None else str(self.target),
            "met": self.met,
        }
