"""Turns bytes of a named encoding into text, and says at which byte it is none."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Any, BinaryIO, Final

from flowruntime.authoring import FatalNodeError

__all__ = ["BadBytesError", "Recoded", "codec_named", "decode", "encode", "is_ascii_based", "without_mark"]

_MARK: Final = "\ufeff"
#: Codecs of Python that no file is in, or that can make text with halves of surrogate pairs.
_NO_ENCODINGS: Final = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"})
_PART_BYTES: Final = 64 * 1024


class BadBytesError(FatalNodeError):
    """The bytes are no text in that encoding."""

    default_code = "files.encoding"
    default_remedy = "Set `encoding` to that of the file, such as windows-1252, or read it as a Blob."

    def __init__(self, what: str, encoding: str, offset: int, line: int | None = None) -> None:
        place = f"at byte {offset:,}" if line is None else f"at byte {offset:,}, in line {line:,},"
        super().__init__(
            f"{what} is not in the encoding {encoding!r}: {place} is something else.",
            details={"offset": offset, **({} if line is None else {"line": line})},
        )


def codec_named(encoding: str) -> codecs.CodecInfo:
    """The codec of an encoding for text. Raises FatalNodeError (`files.encoding_unknown`).

    >>> codec_named("Latin-1").name
    'iso8859-1'
    """
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not codec._is_text_encoding or codec.name in _NO_ENCODINGS:  # noqa: SLF001 - no public way
        raise FatalNodeError(
            f"There is no encoding {encoding!r}.",
            code="files.encoding_unknown",
            remedy="Write utf-8, utf-16, windows-1252, iso-8859-1, or another that Python knows.",
        )
    return codec


def is_ascii_based(codec: codecs.CodecInfo) -> bool:
    """Whether the byte 10 is a line feed wherever it stands; else a file has to be recoded before it has lines.

    >>> [is_ascii_based(codec_named(name)) for name in ("utf-8", "shift_jis", "utf-16", "iso2022_jp", "cp037")]
    [True, True, False, False, False]
    """
    if codec.name.startswith(("utf-16", "utf-32", "iso2022", "hz")):
        return False
    return codec.encode("\n a")[0] == b"\n a"


def decode(data: bytes, encoding: str, what: str) -> str:
    r"""The text of a whole file without its byte order mark. `what` names it. Raises FatalNodeError.

    >>> decode(b"caf\xc3\xa9", "utf-8", "'a.txt'")
    'café'
    """
    codec = codec_named(encoding)
    try:
        text = codec.decode(data)[0].removeprefix(_MARK)
    except UnicodeDecodeError as error:
        raise BadBytesError(what, encoding, error.start) from None
    except UnicodeError:  # UTF-16 without a mark, for instance
        raise BadBytesError(what, encoding, 0) from None
    _require_no_nul(text, what)
    return text


def encode(text: str, encoding: str) -> bytes:
    """The bytes of a text. Raises FatalNodeError (`files.encoding`) for characters that the encoding lacks."""
    try:
        return codec_named(encoding).encode(text)[0]
    except UnicodeEncodeError as error:
        raise FatalNodeError(
            f"The encoding {encoding!r} has no character {text[error.start]!r}.",
            code="files.encoding",
            remedy="Write utf-8.",
            details={"character": error.start},
        ) from None


def without_mark(encoding: str) -> str:
    """The same encoding for what does not stand at the beginning of a file, where no byte order mark belongs.

    >>> without_mark("UTF-8-sig"), without_mark("latin-1")
    ('utf-8', 'latin-1')
    """
    order = "le" if sys.byteorder == "little" else "be"  # what Python writes behind the mark
    return {"utf-8-sig": "utf-8", "utf-16": f"utf-16-{order}", "utf-32": f"utf-32-{order}"}.get(
        codec_named(encoding).name, encoding
    )


class Recoded(io.RawIOBase):
    """What a binary reader gives, in UTF-8 instead of its encoding. Raises BadBytesError while it is read."""

    def __init__(self, reader: BinaryIO, codec: codecs.CodecInfo, what: str) -> None:
        assert codec.incrementaldecoder is not None  # noqa: S101 - every text encoding of Python has one
        self._reader = reader
        self._decoder: Any = codec.incrementaldecoder()
        self._encoding = codec.name
        self._what = what
        self._taken = 0
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as there is something."""
        while not self._ready:
            part = self._reader.read(_PART_BYTES)
            before = self._taken - len(self._decoder.getstate()[0])
            self._taken += len(part)
            try:
                text = self._decoder.decode(part, final=not part)
            except UnicodeDecodeError as error:
                raise BadBytesError(self._what, self._encoding, before + error.start) from None
            except UnicodeError:
                raise BadBytesError(self._what, self._encoding, before) from None
            self._ready = memoryview(text.encode())
            if not part:
                break
        taken = self._ready[: len(buffer)]
        buffer[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)


def _require_no_nul(text: str, what: str) -> None:
    place = text.find("\0")
    if place >= 0:
        raise FatalNodeError(
            f"{what} holds a NUL, as character {place:,}: it is no text, or in another encoding.",
            code="files.nul",
            remedy="Set `encoding` (utf-16?), or read it as a Blob.",
            details={"character": place},
        )
