"""The node type `files.write`: writes a text, JSON or a Blob to a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypedDict

from flowcore.values import write_json
from flowruntime.authoring import Blob, Context, FatalNodeError, Value, node
from msgspec import Meta

from flownodes_files.encodings import encode, without_mark
from flownodes_files.roots import allowed_roots
from flownodes_files.saving import Mode, save
from flownodes_files.sources import blob_parts

__all__ = ["write"]


class Written(TypedDict):
    """The outputs."""

    path: Annotated[str, "Where the file lies, absolute and without links."]
    size: Annotated[int, "How many bytes it has now."]


@node(
    "files.write",
    title="Write File",
    description="Writes a file in one step: whoever looks sees the old content or the new one, never a part.",
    category="Files",
    effects="write",
    examples=[
        {
            "title": "A report of the day",
            "config": {"make_folders": True},
            "inputs": {"path": "reports/today.md", "content": "# All is well"},
            "needs": "a folder to write to",
        },
        {
            "title": "A line in a log",
            "config": {"mode": "append"},
            "inputs": {"path": "log.txt", "content": "${{ run.started_at }} done\n"},
            "needs": "a folder to write to",
        },
        {
            "title": "Outside of what is allowed",
            "config": {},
            "inputs": {"path": "/proc/sys/kernel/hostname", "content": "mine"},
            "error": "files.outside",
        },
    ],
)
def write(
    path: Annotated[str, "The file; relative paths begin at the first folder that is allowed."],
    content: Annotated[Any, "What to write: texts as they are, Blobs as their bytes, all else as JSON."],
    ctx: Context,
    *,
    mode: Annotated[
        Mode,
        "`overwrite` replaces what is there, `create` fails when there is something, `append` adds to its end.",
    ] = "overwrite",
    format: Annotated[
        Literal["auto", "text", "json"],
        "`auto` goes by the content; `text` takes nothing but texts and Blobs; `json` writes texts in quotes, too.",
    ] = "auto",
    indent: Annotated[
        Annotated[int, Meta(ge=0, le=8)] | None, "How far JSON is indented; null writes one line."
    ] = None,
    encoding: Annotated[str, "The encoding of texts; JSON is always UTF-8."] = "utf-8",
    make_folders: Annotated[bool, "Whether folders are made that are missing."] = False,
) -> Written:
    """Write the file."""
    place = allowed_roots().locate(path, change=True)

    def parts(end: bytes) -> Iterable[bytes]:
        return _parts(content, format, indent, without_mark(encoding) if end else encoding)

    size = save(ctx, place, parts, mode=mode, make_folders=make_folders)
    return {"path": place.real, "size": size}


def _parts(content: Value, form: str, indent: int | None, encoding: str) -> Iterable[bytes]:
    if isinstance(content, Blob):
        return blob_parts(content)
    if form == "json" or (form == "auto" and not isinstance(content, str)):
        return [write_json(content, indent=indent).encode() + b"\n"]
    if isinstance(content, str):
        return [encode(content, encoding)]
    raise FatalNodeError(
        f"`content` is {'null' if content is None else type(content).__name__}, and no text.",
        code="files.content",
        remedy="Set `format` to auto or json, or hand over a text.",
    )
