"""Makes the body of a request out of a value: JSON, a form, a text, the bytes of a Blob, or several parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from flowcore.values import write_json
from flowruntime.authoring import Blob, FatalNodeError, Value

from flownodes_http.charsets import charset_of, codec_named
from flownodes_http.multipart import Piece, multipart
from flownodes_http.settings import BodyFormat
from flownodes_http.texts import pairs, text_of

__all__ = ["Content", "make_content"]

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A body: what it is made of and its Content-Type, in parts from the beginning each time it is iterated."""

    pieces: Sequence[Piece]
    content_type: str

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(piece.size if isinstance(piece, Blob) else len(piece) for piece in self.pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if not isinstance(piece, Blob):
                yield piece
                continue
            try:
                for part in piece.parts():
                    yield part
            except (OSError, ValueError) as error:
                raise _unreadable(piece) from error


def make_content(body: Value, body_format: BodyFormat, content_type: str) -> Content | None:
    """What is sent for a body, None for null. `content_type` is the header that was written, empty for none.

    Raises FatalNodeError (`http.body`) for a value that cannot be written in the format.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if body_format == "auto" and isinstance(body, dict):
        body_format = {_FORM: "form", _MULTIPART: "multipart"}.get(media_type, "json")  # type: ignore[assignment]
    content: Content
    match body_format, body:
        case _, None:
            return None
        case "multipart", dict():
            if media_type not in ("", _MULTIPART):
                raise _refused(
                    f"is sent as {_MULTIPART}, and the headers call it {media_type!r}",
                    "Leave the header Content-Type out; it has to name the boundary between the parts.",
                )
            boundary, pieces = multipart(body)
            content = Content(pieces=pieces, content_type=f"{_MULTIPART}; boundary={boundary}")
        case "multipart", _:
            raise _refused("is no object", "Give an object of names with texts and files for `body_format` multipart.")
        case _, Blob():
            content = Content(pieces=[body], content_type=content_type or body.media_type)
        case "form", dict():
            content = Content(pieces=[_form(body)], content_type=content_type or _FORM)
        case "form", str():
            content = Content(pieces=[body.encode()], content_type=content_type or _FORM)
        case "form", _:
            raise _refused("is no object", "Give an object of names with values for `body_format` form.")
        case "text", dict() | list():
            raise _refused("is no text", "Set `body_format` to json, or hand over a text.")
        case ("text", _) | ("auto", str()):
            content = Content(pieces=[_encode(text_of(body), content_type)], content_type=content_type or _TEXT)
        case _:
            content = Content(pieces=[write_json(body).encode()], content_type=content_type or "application/json")
    for piece in content.pieces:
        if isinstance(piece, Blob) and piece.source is None:
            raise _unreadable(piece)
    return content


def _form(fields: Mapping[str, Value]) -> bytes:
    for name, value in fields.items():
        if any(isinstance(item, Blob) for item in (value if isinstance(value, list) else [value])):
            raise _refused(f"has a file as its field {name!r}", "Set `body_format` to multipart to send files.")
    return urlencode(pairs(fields)).encode("ascii")


def _encode(text: str, content_type: str) -> bytes:
    charset = charset_of(content_type) or "utf-8"
    codec = codec_named(charset)
    if codec is None:
        raise _refused(f"is to go in the charset {charset!r}, which is not known", "Write charset=utf-8.")
    try:
        return text.encode(codec.name)
    except UnicodeEncodeError as error:
        raise _refused(
            f"has the character {text[error.start]!r}, which the charset {charset!r} does not have",
            "Write charset=utf-8 in the header Content-Type.",
        ) from error


def _refused(why: str, remedy: str) -> FatalNodeError:
    return FatalNodeError(f"The body {why}.", code="http.body", remedy=remedy)


def _unreadable(blob: Blob) -> FatalNodeError:
    return FatalNodeError(
        f"The content of blob {blob.sha256[:12]}, which is to be sent, cannot be read here.",
        code="http.body",
        remedy="Make the Blob once more, in the execution that sends it.",
    )
