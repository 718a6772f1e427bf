"""The node type `files.read_json_lines`: reads values of a file that has one in each line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

from flowcore.values import read_json
from flowruntime.authoring import Context, FatalNodeError, Value, node

from flownodes_files.lines import Lines
from flownodes_files.rows import Limit, Skip, gather
from flownodes_files.sources import open_source

__all__ = ["read_json_lines"]


class JsonRows(TypedDict):
    """The outputs."""

    rows: Annotated[list[Any], "The values."]
    count: Annotated[int, "How many there are in `rows`."]
    next: Annotated[int | None, "The `skip` with which to go on; null after the last row."]


@node(
    "files.read_json_lines",
    title="Read JSON Lines",
    description="Reads a file with one JSON value in each line (NDJSON), or a text or Blob that another node gave: "
    "`limit` values after `skip`. Only those are held, however large the file is. Empty lines are passed over.",
    category="Files",
    effects="read",
    examples=[
        {
            "title": "A text",
            "config": {},
            "inputs": {"content": '{"name": "Ada"}\n{"name": "Grace"}\n'},
            "outputs": {"rows": [{"name": "Ada"}, {"name": "Grace"}], "count": 2, "next": None},
        },
        {
            "title": "A file in pieces of 500 lines",
            "config": {"limit": 500},
            "inputs": {"path": "data/events.jsonl", "skip": 1000},
            "needs": "the file",
        },
    ],
)
def read_json_lines(
    ctx: Context,
    path: Annotated[str | None, "The file; or connect `content`."] = None,
    content: Annotated[Any, "A text or a Blob, in place of a file."] = None,
    skip: Skip = 0,
    *,
    limit: Limit = 1000,
) -> JsonRows:
    """Read the values."""
    with open_source(path, content, "utf-8") as (reader, encoding, what):
        rows = _values(Lines(ctx, reader, encoding, what), skip)
        taken, has_more = gather(rows, limit, what)
    return {"rows": taken, "count": len(taken), "next": skip + len(taken) if has_more else None}


def _values(lines: Lines, skip: int) -> Iterator[Value]:
    lines.begin_row()
    for line in lines:
        if line.strip():
            if skip:
                skip -= 1
            else:
                yield _value(line, lines)
        lines.begin_row()


def _value(line: str, lines: Lines) -> Value:
    parsed = read_json(line)
    if parsed.problems:
        first = parsed.problems[0]
        where = f" at {first.pointer}" if first.pointer else ""
        raise FatalNodeError(
            f"{lines.what} is not JSON in line {lines.number:,}{where}: {first.message}",
            code="files.json",
            remedy=first.remedy,
            details={"line": lines.number},
        )
    return parsed.value
