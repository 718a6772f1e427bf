"""What nodes that read or write rows have in common: limits, and where the rows go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, NotRequired, TypeAlias, TypedDict

from flowruntime.authoring import Blob, BlobWriter, Context, FatalNodeError, Value
from msgspec import Meta

from flownodes_files.encodings import encode, without_mark
from flownodes_files.roots import allowed_roots
from flownodes_files.saving import Content, Mode, checked, save

__all__ = [
    "MAX_ROWS_BYTES",
    "Limit",
    "RowsWritten",
    "Skip",
    "gather",
    "hand_out",
    "line_break_before",
    "require_dialect",
    "require_rows",
]

#: How much JSON the rows of one call may be, about 16 MiB.
MAX_ROWS_BYTES: Final = 16 * 1024 * 1024

Limit: TypeAlias = Annotated[Annotated[int, Meta(ge=1, le=1_000_000)], "How many rows are given at most."]
Skip: TypeAlias = Annotated[
    Annotated[int, Meta(ge=0)], "How many rows to pass over: `next` of the call before, to read a file in pieces."
]


class RowsWritten(TypedDict):
    """The outputs of nodes that write rows."""

    count: Annotated[int, "How many rows were written."]
    path: NotRequired[Annotated[str, "Where the file lies, absolute and without links; when there is one."]]
    size: NotRequired[Annotated[int, "How many bytes the file has now."]]
    content: NotRequired[Annotated[Blob, "What was written, when no `path` was given."]]


def gather(rows: Iterator[Value], limit: int, what: str) -> tuple[list[Value], bool]:
    """The first rows, `limit` at most, and whether there are more. Raises FatalNodeError (`files.too_large`)."""
    taken: list[Value] = []
    size = 0
    for row in rows:
        if len(taken) == limit:
            return taken, True
        size += _size(row)
        if size > MAX_ROWS_BYTES:
            raise FatalNodeError(
                f"Rows of {what} come to more than {MAX_ROWS_BYTES:,} bytes of JSON, after {len(taken):,} of them.",
                code="files.too_large",
                remedy="Lower `limit`, and go on with `skip`.",
            )
        taken.append(row)
    return taken, False


def line_break_before(end: bytes, encoding: str) -> bytes:
    """What has to be written before the first row: a line break where the file ends without one."""
    line_break = encode("\n", without_mark(encoding))
    return b"" if not end or end.endswith(line_break) else line_break


def hand_out(
    ctx: Context,
    path: str | None,
    content: Content,
    count: int,
    *,
    media_type: str,
    mode: Mode,
    make_folders: bool,
) -> RowsWritten:
    """Write rows to a file, or without a path into a Blob."""
    if path is not None:
        place = allowed_roots().locate(path, change=True)
        size = save(ctx, place, content, mode=mode, make_folders=make_folders)
        return {"count": count, "path": place.real, "size": size}
    with BlobWriter(media_type=media_type) as writer:
        for part in checked(ctx, content(b"")):
            writer.write(part)
        return {"count": count, "content": writer.finish()}


def require_dialect(delimiter: str, quote: str) -> None:
    """Raise FatalNodeError (`files.dialect`) for characters with which CSV could not be told apart."""
    if delimiter == quote or {delimiter, quote} & {"\r", "\n", "\0"}:
        raise FatalNodeError(
            f"CSV cannot have {delimiter!r} between values and {quote!r} around them.",
            code="files.dialect",
            remedy="Choose two different characters, and no line break.",
        )


def require_rows(rows: Any, what: str) -> list[Value]:
    """The rows. Raises FatalNodeError for what is no array."""
    if isinstance(rows, list):
        return rows
    raise FatalNodeError(
        f"`rows` is {'null' if rows is None else type(rows).__name__}, and no array of {what}.",
        code="files.rows",
        remedy="Connect it to an array.",
    )


def _size(value: Value) -> int:
    """About how long the value is as JSON.

    >>> _size({"name": "Ada"}), _size([1, "ab"])
    (16, 14)
    """
    if isinstance(value, str):
        return len(value) + 3
    if isinstance(value, dict):
        return 2 + sum(len(key) + 4 + _size(inner) for key, inner in value.items())
    return 2 + sum(map(_size, value)) if isinstance(value, list) else 7
