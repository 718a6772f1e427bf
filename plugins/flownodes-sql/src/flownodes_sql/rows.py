"""Takes the rows of a result, as many and as large as the config allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flowcore.values import write_json
from flowruntime.authoring import Blob, BlobWriter, FatalNodeError
from sqlalchemy import CursorResult

from flownodes_sql.cells import Cell, cell, cell_without_blobs, weight
from flownodes_sql.settings import RowsFormat

__all__ = ["FETCHED_ROWS", "Rows", "take_rows"]

#: How many rows come from the server at a time at most.
FETCHED_ROWS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What was taken: a list of objects, or a Blob of JSON lines."""

    rows: list[dict[str, Any]] | Blob
    count: int
    columns: list[str]
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    max_rows: int | None
    max_bytes: int
    truncate: bool


def take_rows(
    result: CursorResult[Any],
    *,
    max_rows: int | None,
    max_bytes: int,
    truncate: bool = False,
    rows_format: RowsFormat = "list",
    check: Callable[[], None],
) -> Rows:
    """Take the rows of a result; `check` is called now and then, and raises when it is to stop.

    Raises FatalNodeError for more rows or bytes than are allowed, and for two columns of one name.
    """
    columns = list(result.keys())
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise FatalNodeError(
            f"The result has several columns called {', '.join(map(repr, twice))}.",
            code="sql.columns",
            remedy="Give each a name of its own with AS.",
        )
    limits = _Limits(max_rows=max_rows, max_bytes=max_bytes, truncate=truncate)
    if rows_format == "list":
        return _as_list(result, columns, limits, check)
    return _as_lines(result, columns, limits, check)


def _as_list(
    result: CursorResult[Any], columns: list[str], limits: _Limits, check: Callable[[], None]
) -> Rows:
    rows: list[dict[str, Any]] = []
    size = 0
    for row in _objects(result, columns, cell, check):
        if _is_beyond(len(rows), limits):
            return Rows(rows=rows, count=len(rows), columns=columns, truncated=True)
        size += weight(row)
        if size > limits.max_bytes:
            raise _too_large(limits.max_bytes)
        rows.append(row)
    return Rows(rows=rows, count=len(rows), columns=columns)


def _as_lines(
    result: CursorResult[Any], columns: list[str], limits: _Limits, check: Callable[[], None]
) -> Rows:
    count, truncated = 0, False
    with BlobWriter(media_type="application/x-ndjson", max_bytes=limits.max_bytes) as writer:
        for row in _objects(result, columns, cell_without_blobs, check):
            if _is_beyond(count, limits):
                truncated = True
                break
            line = write_json(row).encode() + b"\n"
            if writer.size + len(line) > limits.max_bytes:
                raise _too_large(limits.max_bytes)
            writer.write(line)
            count += 1
        return Rows(rows=writer.finish(), count=count, columns=columns, truncated=truncated)


def _objects(
    result: CursorResult[Any], columns: list[str], convert: Cell, check: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    while fetched := result.fetchmany(FETCHED_ROWS):
        check()
        for row in fetched:
            yield dict(zip(columns, map(convert, row), strict=True))


def _is_beyond(count: int, limits: _Limits) -> bool:
    """Whether one more row is too many, and the others are what is wanted. Raises FatalNodeError when they are not."""
    if limits.max_rows is None or count < limits.max_rows:
        return False
    if limits.truncate:
        return True
    raise FatalNodeError(
        f"There are more rows than the {limits.max_rows:,} that the node may take.",
        code="sql.too_many_rows",
        remedy="Select fewer with WHERE or LIMIT, or raise `max_rows`; of sql.query, `on_more: truncate` takes the first "
        "ones, and `format: json_lines` holds many.",
    )


def _too_large(max_bytes: int) -> FatalNodeError:
    return FatalNodeError(
        f"The rows are larger than the {max_bytes:,} bytes that they may have together.",
        code="sql.too_large",
        remedy="Select fewer rows or columns, or raise `max_bytes`.",
    )
