"""The node type `files.write_json_lines`: writes values, each as a line of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from flowcore.values import write_json
from flowruntime.authoring import Context, node

from flownodes_files.rows import RowsWritten, hand_out, line_break_before, require_rows
from flownodes_files.saving import Mode

__all__ = ["write_json_lines"]

_ROWS_AT_ONCE: Final = 500


@node(
    "files.write_json_lines",
    title="Write JSON Lines",
    description="Writes each value of an array as a line of JSON (NDJSON), to a file or without a path into a Blob.",
    category="Files",
    effects="write",
    examples=[
        {"title": "Into a Blob", "config": {}, "inputs": {"rows": [{"name": "Ada"}, {"name": "Grace"}]}},
        {
            "title": "Added to a file",
            "config": {"mode": "append", "make_folders": True},
            "inputs": {"rows": [{"event": "started"}], "path": "logs/events.jsonl"},
            "needs": "a folder to write to",
        },
    ],
)
def write_json_lines(
    rows: Annotated[Any, "An array of any values; Blobs become references."],
    ctx: Context,
    path: Annotated[str | None, "The file; without it the output `content` is a Blob."] = None,
    *,
    mode: Annotated[
        Mode,
        "`overwrite` replaces what is there, `create` fails when there is something, `append` adds to its end.",
    ] = "overwrite",
    make_folders: Annotated[bool, "Whether folders are made that are missing."] = False,
) -> RowsWritten:
    """Write the values."""
    listed = require_rows(rows, "values")

    def content(end: bytes) -> Iterator[bytes]:
        yield line_break_before(end, "utf-8")
        for start in range(0, len(listed), _ROWS_AT_ONCE):
            yield "".join(write_json(row) + "\n" for row in listed[start : start + _ROWS_AT_ONCE]).encode()

    return hand_out(
        ctx, path, content, len(listed), media_type="application/jsonl", mode=mode, make_folders=make_folders
    )
