"""Opens what a node reads rows from: a file, or a text or Blob that another node gave it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from flowruntime.authoring import Blob, FatalNodeError, Value

from flownodes_files.opening import open_to_read
from flownodes_files.roots import allowed_roots

__all__ = ["blob_parts", "open_source"]


@contextmanager
def open_source(path: str | None, content: Value, encoding: str) -> Iterator[tuple[BinaryIO, str, str]]:
    """A reader, the encoding of what it gives, and what to call it. Raises NodeError; exactly one must be given."""
    if (path is None) == (content is None):
        given = "neither `path` nor `content`" if path is None else "both `path` and `content`"
        raise FatalNodeError(
            f"The node has {given}.", code="files.source", remedy="Connect one of them: a file, or its content."
        )
    if path is not None:
        with open_to_read(allowed_roots().locate(path), check=False) as (reader, _):
            yield reader, encoding, repr(path)
    elif isinstance(content, str):
        yield io.BytesIO(content.encode()), "utf-8", "`content`"
    elif isinstance(content, Blob):
        try:
            opened = content.open()
        except ValueError as error:
            raise _unreadable(content) from error
        with opened:
            yield opened, encoding, "`content`"
    else:
        raise FatalNodeError(
            f"`content` is {type(content).__name__}, and neither a text nor a Blob.",
            code="files.content",
            remedy="Connect it to a text or a Blob.",
        )


def blob_parts(blob: Blob) -> Iterator[bytes]:
    """The content of a Blob, part by part. Raises FatalNodeError (`files.content`) when it is not here."""
    try:
        yield from blob.parts()
    except ValueError as error:
        raise _unreadable(blob) from error


def _unreadable(blob: Blob) -> FatalNodeError:
    return FatalNodeError(
        f"The content of blob {blob.sha256[:12]} cannot be read here.",
        code="files.content",
        remedy="Make the Blob once more, in the execution that uses it.",
    )
