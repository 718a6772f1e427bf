"""Lays rows out in columns for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]

_NARROWEST = 20


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """The rows below a head, with the last column cut where a line would be longer than `width`.

    >>> print(table(("a", "b"), [("one", "two")], None), end="")
    a    b
    one  two
    """
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if width is not None:
        widths[-1] = min(widths[-1], max(width - sum(widths[:-1]) - 2 * (len(widths) - 1), _NARROWEST))
    lines = []
    for row in (head, *rows):
        last = row[-1] if len(row[-1]) <= widths[-1] else f"{row[-1][: widths[-1] - 1]}…"
        cells = [cell.ljust(size) for cell, size in zip([*row[:-1], last], widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
