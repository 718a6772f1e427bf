"""Takes the rows of a result, as many and as large as the config allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flowcore.values import write_json
from flowruntime.authoring import Blob, BlobWriter, FatalNodeError
from sqlalchemy import CursorResult

from flownodes_sql.cells import Cell, cell, cell_without_blobs, weight

__all__ = ["Limits", "RowList", "columns_of", "take_lines"]

#: How many rows come from the server at a time: fewer at first, and of large rows.
_MOST_ROWS: Final = 500
_FIRST_ROWS: Final = 10
#: About how large what comes at a time may be, 1 MiB.
_FETCHED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken. With `truncate` rows beyond `max_rows` are left where they are, without it they fail."""

    max_rows: int | None
    max_bytes: int
    truncate: bool = False

    def is_full(self, count: int) -> bool:
        """Whether there is no place for one more row. Raises FatalNodeError when there must be."""
        if self.max_rows is None or count < self.max_rows:
            return False
        if self.truncate:
            return True
        raise FatalNodeError(
            f"There are more rows than the {self.max_rows:,} that the node may take.",
            code="sql.too_many_rows",
            remedy="Select fewer with WHERE or LIMIT, or raise `max_rows`; of sql.query, `on_more: truncate` takes the "
            "first ones, and `format: json_lines` holds many.",
        )

    def require(self, size: int) -> None:
        """Raise FatalNodeError for more bytes than are allowed."""
        if size > self.max_bytes:
            raise FatalNodeError(
                f"The rows are larger than the {self.max_bytes:,} bytes that they may have together.",
                code="sql.too_large",
                remedy="Select fewer rows or columns, or raise `max_bytes`.",
            )


class RowList:
    """The rows of one or several results, as objects."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = 0
        self.rows: list[dict[str, Any]] = []

    def take(self, result: CursorResult[Any], check: Callable[[], None]) -> bool:
        """Take the rows of a result too; whether some were left where they are.

        `check` is called now and then, and raises when it is to stop. Raises FatalNodeError for what is beyond the
        limits, and for two columns of one name.
        """
        for row in _objects(result, cell, check):
            if self._limits.is_full(len(self.rows)):
                return True
            self._size += weight(row)
            self._limits.require(self._size)
            self.rows.append(row)
        return False


def take_lines(result: CursorResult[Any], limits: Limits, check: Callable[[], None]) -> tuple[Blob, int, bool]:
    """The rows as JSON lines, how many they are, and whether there were more. Raises as `RowList.take` does."""
    count, truncated = 0, False
    with BlobWriter(media_type="application/x-ndjson", max_bytes=limits.max_bytes) as writer:
        for row in _objects(result, cell_without_blobs, check):
            if limits.is_full(count):
                truncated = True
                break
            line = write_json(row).encode() + b"\n"
            limits.require(writer.size + len(line))
            writer.write(line)
            count += 1
        return writer.finish(), count, truncated


def columns_of(result: CursorResult[Any]) -> list[str]:
    """The names of the columns. Raises FatalNodeError when two have the same."""
    columns = list(result.keys())
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FatalNodeError(
            f"The result has several columns called {', '.join(map(repr, twice))}.",
            code="sql.columns",
            remedy="Give each a name of its own with AS.",
        )
    return columns


def _objects(result: CursorResult[Any], convert: Cell, check: Callable[[], None]) -> Iterator[dict[str, Any]]:
    columns = columns_of(result)
    wanted = _FIRST_ROWS
    while fetched := result.fetchmany(wanted):
        check()
        made: dict[str, Any] = {}
        for row in fetched:
            made = dict(zip(columns, map(convert, row), strict=True))
            yield made
        wanted = max(1, min(_MOST_ROWS, _FETCHED_BYTES // weight(made)))
