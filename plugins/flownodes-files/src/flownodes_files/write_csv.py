"""The node type `files.write_csv`: writes rows as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from flowcore.values import write_json
from flowruntime.authoring import Context, FatalNodeError, Value, node
from msgspec import Meta

from flownodes_files.encodings import encode, without_mark
from flownodes_files.lines import Lines
from flownodes_files.records import records_of
from flownodes_files.rows import RowsWritten, hand_out, line_break_before, require_dialect, require_rows
from flownodes_files.saving import Mode
from flownodes_files.sources import open_source

__all__ = ["write_csv"]

_ROWS_AT_ONCE: Final = 500
#: What makes a spreadsheet take a text for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@node(
    "files.write_csv",
    title="Write CSV",
    description="Writes rows as CSV, to a file or without a path into a Blob. null becomes an empty value, objects "
    "and arrays become JSON.",
    category="Files",
    effects="write",
    examples=[
        {
            "title": "Into a Blob",
            "config": {"columns": ["name", "age"]},
            "inputs": {"rows": [{"name": "Ada", "age": 36}, {"age": 85, "name": "Grace"}]},
        },
        {
            "title": "Added to a file",
            "config": {"mode": "append"},
            "inputs": {"rows": [{"day": "Monday", "sold": 12}], "path": "sales.csv"},
            "needs": "a folder to write to",
        },
    ],
)
def write_csv(
    rows: Annotated[Any, "An array of objects, or of arrays of values."],
    ctx: Context,
    path: Annotated[str | None, "The file; without it the output `content` is a Blob."] = None,
    *,
    columns: Annotated[
        list[str] | None,
        "Which columns, in which order; null: those of all objects, in the order in which they come up; when rows "
        "are added to a file with a header, those of the file.",
    ] = None,
    header: Annotated[
        bool, "Whether the first row names the columns; not written to a file that has something."
    ] = True,
    delimiter: Annotated[Annotated[str, Meta(min_length=1, max_length=1)], "What stands between two values."] = ",",
    quote: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1)], "What stands around values; twice for one."
    ] = '"',
    quoting: Annotated[Literal["minimal", "all"], "Which values are quoted: those that need it, or all."] = "minimal",
    line_end: Annotated[Literal["lf", "crlf"], "What ends a row; Excel takes both."] = "lf",
    guard_formulas: Annotated[
        bool,
        "Whether texts that a spreadsheet would take for a formula get an apostrophe before them.",
    ] = False,
    encoding: Annotated[str, "The encoding; Excel asks for utf-8-sig."] = "utf-8",
    mode: Annotated[
        Mode,
        "`overwrite` replaces what is there, `create` fails when there is something, `append` adds to its end.",
    ] = "overwrite",
    make_folders: Annotated[bool, "Whether folders are made that are missing."] = False,
) -> RowsWritten:
    """Write the rows."""
    require_dialect(delimiter, quote)
    listed = require_rows(rows, "objects or arrays")
    names = _columns(listed) if columns is None else columns

    def content(end: bytes) -> Iterator[bytes]:
        there = names
        if end and path is not None and header and columns is None and names:
            there = _columns_there(ctx, path, encoding, delimiter, quote)
            _require_there(names, there, path)
        table = _Table(
            names=there,
            line_end="\r\n" if line_end == "crlf" else "\n",
            dialect={
                "delimiter": delimiter,
                "quotechar": quote,
                "quoting": csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL,
            },
            guards=guard_formulas,
        )
        yield line_break_before(end, encoding)
        later = without_mark(encoding)
        used = later if end else encoding
        for text in table.texts(listed, with_header=header and not end):
            yield encode(text, used)
            used = later

    return hand_out(ctx, path, content, len(listed), media_type="text/csv", mode=mode, make_folders=make_folders)


class _Table:
    """Writes rows as CSV texts, some at a time."""

    def __init__(self, *, names: Sequence[str], line_end: str, dialect: dict[str, Any], guards: bool) -> None:
        self._names = names
        self._line_end = line_end
        self._guards = guards
        self._written: list[str] = []
        # The writer quotes what holds a character of its line end, and both of them have to be.
        self._writer = csv.writer(self, lineterminator="\r\n", **dialect)

    def write(self, row: str) -> None:
        """Take one row from the writer."""
        self._written.append(row[:-2] + self._line_end)

    def texts(self, rows: list[Value], *, with_header: bool) -> Iterator[str]:
        """The text of the rows, 500 at a time."""
        if with_header and self._names:
            self._writer.writerow([self._cell(name) for name in self._names])
        for number, row in enumerate(rows, 1):
            self._writer.writerow(self._cells(row, number))
            if number % _ROWS_AT_ONCE == 0:
                yield self._take()
        if rest := self._take():
            yield rest

    def _take(self) -> str:
        text = "".join(self._written)
        self._written.clear()
        return text

    def _cells(self, row: Value, number: int) -> list[str]:
        if isinstance(row, dict):
            return [self._cell(row.get(name)) for name in self._names]
        if isinstance(row, list):
            return [self._cell(value) for value in row]
        raise FatalNodeError(
            f"Row {number:,} is {'null' if row is None else type(row).__name__}, and neither an object nor an array.",
            code="files.rows",
            remedy="Make every row an object or an array.",
            details={"row": number},
        )

    def _cell(self, value: Value) -> str:
        if value is None:
            return ""
        text = value if isinstance(value, str) else write_json(value)
        return f"'{text}" if self._guards and isinstance(value, str) and text.startswith(_FORMULA) else text


def _columns_there(ctx: Context, path: str, encoding: str, delimiter: str, quote: str) -> list[str]:
    """The first row of a file."""
    with open_source(path, None, encoding) as (reader, found_encoding, what):
        return next(records_of(Lines(ctx, reader, found_encoding, what), delimiter, quote), [])


def _require_there(names: list[str], there: list[str], path: str) -> None:
    """Raise FatalNodeError when values would have no column, or stand in that of others."""
    missing = [name for name in names if name not in there]
    if missing:
        raise FatalNodeError(
            f"{path!r} has no column {missing[0]!r}.",
            code="files.csv_columns",
            remedy="Say with `columns` what is written; or without `header`, when the first row names no columns.",
            details={"columns": there, "missing": missing},
        )


def _columns(rows: list[Value]) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            names.update(dict.fromkeys(row))
    return list(names)
