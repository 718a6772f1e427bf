"""The node type `files.write_csv`: writes rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from flowcore.values import write_json
from flowruntime.authoring import Context, FatalNodeError, Value, node
from msgspec import Meta

from flownodes_files.encodings import encode, without_mark
from flownodes_files.rows import RowsWritten, hand_out, line_break_before, require_dialect, require_rows
from flownodes_files.saving import Mode

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
        "Which columns, in which order; null: those of all objects, in the order in which they come up.",
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
    table = _Table(
        names=names,
        dialect={
            "delimiter": delimiter,
            "quotechar": quote,
            "quoting": csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL,
            "lineterminator": "\r\n" if line_end == "crlf" else "\n",
        },
        guards=guard_formulas,
    )

    def content(end: bytes) -> Iterator[bytes]:
        yield line_break_before(end, encoding)
        later = without_mark(encoding)
        used = later if end else encoding
        for text in table.texts(listed, with_header=header and not end):
            yield encode(text, used)
            used = later

    return hand_out(ctx, path, content, len(listed), media_type="text/csv", mode=mode, make_folders=make_folders)


class _Table:
    """Writes rows as CSV texts, some at a time."""

    def __init__(self, *, names: Sequence[str], dialect: dict[str, Any], guards: bool) -> None:
        self._names = names
        self._dialect = dialect
        self._guards = guards
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, **dialect)

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
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
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


def _columns(rows: list[Value]) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            names.update(dict.fromkeys(row))
    return list(names)
