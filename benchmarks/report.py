"""The measurements as a table for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.rows import Row

__all__ = ["to_json", "to_text"]

_HEADINGS = ("", "unit", "ours", "raw", "ratio", "±", "target", "met", "raw is")
_MET = {True: "yes", False: "NO", None: ""}


def to_json(rows: Sequence[Row], about: dict[str, Any]) -> dict[str, Any]:
    """Surroundings and rows."""
    return {"surroundings": about, "rows": [row.to_json() for row in rows]}


def to_text(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """A line about the surroundings, and aligned columns."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    header = (
        f"Python {about['python']}, {about['cpus']} CPUs, load {about['load_at_start']:.1f} at the start and "
        f"{about['load_at_end']:.1f} at the end, fsync {about['fsync_ms']:.2f} ms"
    )
    lines = [header, ""]
    for line in cells:
        # Words to the left, figures to the right.
        aligned = [
            cell.rjust(width) if 2 <= column <= 5 else cell.ljust(width)  # noqa: PLR2004
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.unit,
        _figure(row.ours),
        "" if row.raw is None else _figure(row.raw),
        "" if row.ratio is None else f"×{row.ratio:.2f}",
        "" if row.spread is None else f"{row.spread / 2:.2f}",
        "" if row.target is None else str(row.target),
        _MET[row.met],
        row.missing or ("" if row.raw is None or row.against == "asyncio" else row.against),
    )


def _figure(value: float) -> str:
    """Three digits that count, and no others.

    >>> [_figure(value) for value in (0, 1, 3.14159, 27.18, 34925.77)]
    ['0', '1', '3.14', '27.2', '34,926']
    """
    if value == round(value) or abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}"
