"""Finds the charset of a text, and reads or writes the text in it."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

__all__ = ["charset_of", "codec_named", "decode_text"]

#: Codecs of Python that no server means, or that can make text with halves of surrogate pairs.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7"})
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before that of UTF-16, with which it begins
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Without a byte order mark.
_UNMARKED: Final = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def charset_of(content_type: str) -> str | None:
    """The charset that a Content-Type header names.

    >>> charset_of('text/html; Charset="UTF-8"'), charset_of("text/html")
    ('UTF-8', None)
    """
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'") or None
    return None


def codec_named(charset: str) -> codecs.CodecInfo | None:
    """The codec for a charset of the web, None for what is none."""
    try:
        codec = codecs.lookup(charset)
    except (LookupError, ValueError):
        return None
    known = codec._is_text_encoding and codec.name not in _NO_CHARSETS  # noqa: SLF001 - there is no public way
    return codec if known and codec.incrementaldecoder is not None else None


def decode_text(
    data: bytes | bytearray, charset: str | None, warn: Callable[[str], None], *, whole: bool = True
) -> str:
    """The text of bytes, in the charset that their byte order mark says, else the one that the server names.

    Without either it is UTF-8, or windows-1252, the web's old default, when it does not read as UTF-8. A charset that
    is unknown or wrong is told to `warn`; of a wrong one, bytes that fit nothing become U+FFFD. Unless it is the
    `whole` text, a last character that is cut off is dropped.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decode(data, codecs.lookup(name), "replace", whole=whole)
    if charset is not None:
        codec = codec_named(charset)
        if codec is not None:
            codec = codecs.lookup(_UNMARKED.get(codec.name, codec.name))
            try:
                return _decode(data, codec, "strict", whole=whole)
            except UnicodeError:
                warn(
                    f"The answer is not in the charset {charset!r} that it names; what does not fit is shown as \ufffd."
                )
                return _decode(data, codec, "replace", whole=whole)
        warn(f"The answer names the charset {charset!r}, which is not known; it is read as if it named none.")
    try:
        return _decode(data, codecs.lookup("utf-8"), "strict", whole=whole)
    except UnicodeDecodeError:
        return _decode(data, codecs.lookup("windows-1252"), "replace", whole=whole)


def _decode(data: bytes | bytearray, codec: codecs.CodecInfo, errors: str, *, whole: bool) -> str:
    assert codec.incrementaldecoder is not None  # noqa: S101 - `codec_named` has seen to it
    return codec.incrementaldecoder(errors).decode(data, whole)
