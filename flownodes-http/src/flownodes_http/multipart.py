"""Writes texts and files as multipart/form-data (RFC 7578), without reading the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flowruntime.authoring import Blob, FatalNodeError, Value

from flownodes_http.texts import text_of

__all__ = ["Piece", "multipart"]

#: A stretch of a body: bytes, or the content of a Blob.
Piece = bytes | Blob

_FILE_KEYS: Final = frozenset({"content", "filename", "media_type"})
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?", re.ASCII)
#: What would end a quoted name, written as browsers write it.
_ESCAPES: Final = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}
_CONTROLS: Final = dict.fromkeys([*range(0x20), 0x7F])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    name: str
    content: bytes | Blob
    filename: str | None
    media_type: str | None

    def head(self) -> bytes:
        lines = [f'Content-Disposition: form-data; name="{_quoted(self.name)}"']
        if self.filename is not None:
            lines[0] += f'; filename="{_quoted(self.filename)}"'
        if self.media_type is not None:
            lines.append(f"Content-Type: {self.media_type}")
        return "\r\n".join([*lines, "", ""]).encode()


def multipart(fields: Mapping[str, Value]) -> tuple[str, list[Piece]]:
    """The boundary and the pieces of the body. Raises FatalNodeError (`http.body`) for what cannot be a part.

    The boundary is made of all that stands between boundaries, so it cannot occur there, and every attempt of a
    request sends the same body.
    """
    parts = [part for name, value in fields.items() for part in _parts(name, value)]
    everything = hashlib.sha256()
    for part in parts:
        for stretch in (part.head(), part.content):
            everything.update(
                hashlib.sha256(stretch).digest() if isinstance(stretch, bytes) else stretch.sha256.encode()
            )
    boundary = f"flownodes-{everything.hexdigest()[:40]}"
    line = f"--{boundary}".encode()
    pieces: list[Piece] = []
    for part in parts:
        pieces += [line + b"\r\n" + part.head(), part.content, b"\r\n"]
    pieces.append(line + b"--\r\n")
    return boundary, pieces


def _parts(name: str, value: Value) -> list[_Part]:
    match value:
        case None:
            return []
        case list():
            return [part for item in value for part in _parts(name, item)]
        case Blob():
            return [_Part(name=name, content=value, filename=name, media_type=_media_type(name, value.media_type))]
        case dict():
            return [_file(name, value)]
        case _:
            return [_Part(name=name, content=text_of(value).encode(), filename=None, media_type=None)]


def _file(name: str, given: Mapping[str, Value]) -> _Part:
    content = given.get("content")
    filename, media_type = given.get("filename"), given.get("media_type")
    texts = isinstance(filename, str | None) and isinstance(media_type, str | None)
    if not given.keys() <= _FILE_KEYS or not isinstance(content, str | Blob) or not texts:
        raise FatalNodeError(
            f"The field {name!r} of the multipart body is an object that is no file.",
            code="http.body",
            remedy='Write a file as {"content": TEXT OR BLOB, "filename": …, "media_type": …}, the last two if you '
            "like; any other object as a text of JSON.",
        )
    if isinstance(content, Blob):
        filename, media_type = filename or name, media_type or content.media_type
    elif filename:
        media_type = media_type or "text/plain; charset=utf-8"
    return _Part(
        name=name,
        content=content if isinstance(content, Blob) else content.encode(),
        filename=str(filename) if filename else None,
        media_type=_media_type(name, str(media_type) if media_type else None),
    )


def _media_type(name: str, media_type: str | None) -> str | None:
    if media_type is not None and _MEDIA_TYPE.fullmatch(media_type) is None:
        raise FatalNodeError(
            f"The field {name!r} of the multipart body has {media_type[:100]!r} as its media type, which is none.",
            code="http.body",
            remedy="Write one such as application/pdf.",
        )
    return media_type


def _quoted(text: str) -> str:
    return text.translate(_ESCAPES).translate(_CONTROLS)
