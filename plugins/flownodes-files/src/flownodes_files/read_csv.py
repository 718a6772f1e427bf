"""The node type `files.read_csv`: reads rows of a CSV file."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, Literal, TypedDict

from flowruntime.authoring import Context, FatalNodeError, Value, node
from msgspec import Meta

from flownodes_files.lines import Lines
from flownodes_files.records import records_of
from flownodes_files.rows import Limit, Skip, gather, require_dialect
from flownodes_files.sources import open_source

__all__ = ["read_csv"]


class CsvRows(TypedDict):
    """The outputs."""

    rows: Annotated[
        list[Any],
        "The rows: objects of texts by column, or arrays of texts when there are neither a header nor `columns`.",
    ]
    columns: Annotated[list[str] | None, "The names of the columns, in order; null when there are none."]
    count: Annotated[int, "How many rows there are in `rows`."]
    next: Annotated[int | None, "The `skip` with which to go on; null after the last row."]


@node(
    "files.read_csv",
    title="Read CSV",
    description="Reads rows of a CSV file, or of a text or Blob that another node gave: `limit` rows after `skip`. "
    "Only those are held, however large the file is. All values are texts.",
    category="Files",
    effects="read",
    examples=[
        {
            "title": "A text with a header",
            "config": {},
            "inputs": {"content": "name,age\nAda,36\n"},
            "outputs": {"rows": [{"name": "Ada", "age": "36"}], "columns": ["name", "age"], "count": 1, "next": None},
        },
        {
            "title": "Semicolons, no header, the first row of several",
            "config": {"delimiter": ";", "header": False, "columns": ["name", "age"], "limit": 1},
            "inputs": {"content": "Ada;36\nGrace;85\n"},
            "outputs": {"rows": [{"name": "Ada", "age": "36"}], "columns": ["name", "age"], "count": 1, "next": 1},
        },
        {
            "title": "A file in pieces of 500 rows",
            "config": {"limit": 500},
            "inputs": {"path": "data/orders.csv", "skip": 1000},
            "needs": "the file",
        },
    ],
)
def read_csv(
    ctx: Context,
    path: Annotated[str | None, "The file; or connect `content`."] = None,
    content: Annotated[Any, "A text or a Blob, in place of a file."] = None,
    skip: Skip = 0,
    *,
    header: Annotated[bool, "Whether the first row names the columns."] = True,
    columns: Annotated[
        list[str] | None, "Names of the columns, in place of those in the header; null: as they are."
    ] = None,
    delimiter: Annotated[Annotated[str, Meta(min_length=1, max_length=1)], "What stands between two values."] = ",",
    quote: Annotated[
        Annotated[str, Meta(min_length=1, max_length=1)], "What stands around values; twice for one."
    ] = '"',
    ragged: Annotated[
        Literal["error", "fill"],
        "Rows with more or fewer values than columns: an error, or missing values are null and others dropped.",
    ] = "error",
    encoding: Annotated[str, "The encoding of the file; a byte order mark is not handed on."] = "utf-8",
    limit: Limit = 1000,
) -> CsvRows:
    """Read the rows."""
    require_dialect(delimiter, quote)
    with open_source(path, content, encoding) as (reader, found_encoding, what):
        lines = Lines(ctx, reader, found_encoding, what)
        records = records_of(lines, delimiter, quote)
        named = next(records, None) if header else None
        names = columns if columns is not None else (named or []) if header else None
        if names is not None:
            _require_different(names, what)
            _require_as_many(named, columns, what)
        rows = (_row(record, names, lines, ragged) for record in islice(records, skip, None))
        taken, has_more = gather(rows, limit, what)
    return {"rows": taken, "columns": names, "count": len(taken), "next": skip + len(taken) if has_more else None}


def _row(record: list[str], names: list[str] | None, lines: Lines, ragged: str) -> Value:
    if names is None:
        return record
    if len(record) != len(names) and ragged == "error":
        raise FatalNodeError(
            f"{lines.what} has {len(record)} values in line {lines.number:,}, and {len(names)} columns.",
            code="files.csv_width",
            remedy="Correct the row, or set `ragged` to fill.",
            details={"line": lines.number},
        )
    row: dict[str, str | None] = dict.fromkeys(names)
    row.update(zip(names, record, strict=False))
    return row


def _require_different(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise FatalNodeError(
                f"{what} has two columns called {name!r}.",
                code="files.csv_columns",
                remedy="Give them different names with `columns`.",
            )
        seen.add(name)


def _require_as_many(named: list[str] | None, columns: list[str] | None, what: str) -> None:
    if named is not None and columns is not None and len(named) != len(columns):
        raise FatalNodeError(
            f"{what} has {len(named)} columns, and `columns` names {len(columns)}.",
            code="files.csv_columns",
            remedy="Name every column.",
        )
