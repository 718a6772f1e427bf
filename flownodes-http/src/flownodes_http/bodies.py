"""Reads the body of a response: decoded in bounded steps, text as text, everything else as a Blob."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx
from flowruntime.authoring import Blob, BlobWriter, FatalNodeError

__all__ = ["EXCERPT_BYTES", "read_body", "read_excerpt"]

#: How much of an error's body goes into its details, 64 KiB.
EXCERPT_BYTES: Final = 64 * 1024

_PART_BYTES: Final = 64 * 1024
_MAX_RATIO: Final = 100
#: Small bodies may shrink as much as they like.
_RATIO_FROM_BYTES: Final = 1024 * 1024

_TEXT: Final = re.compile(
    r"text/.*|.*\+(json|xml|yaml)|application/(json|jsonl|x-ndjson|xml|xml-dtd|yaml|x-yaml|javascript|"
    r"x-javascript|x-www-form-urlencoded|graphql|sql|toml)"
)
#: Codecs of Python that no server means, or that can make text with halves of surrogate pairs.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7"})


async def read_body(response: httpx.Response, *, max_bytes: int) -> str | Blob:
    """The whole body: text when the media type says so, else a Blob.

    Without a media type it is text when it reads as UTF-8; an empty body is the empty text. Raises
    FatalNodeError (`http.too_large`, `http.compression`, `http.encoding`) and httpx.HTTPError.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    with BlobWriter(media_type=media_type or "application/octet-stream", max_bytes=max_bytes) as writer:
        text = bytearray()
        is_text = not media_type or _TEXT.fullmatch(media_type) is not None
        async for part in _decoded(response, max_bytes):
            if is_text:
                text += part
            else:
                writer.write(part)
        if not is_text:
            return writer.finish() if writer.size else ""
        if media_type:
            return _decode_text(bytes(text), response.charset_encoding)
        try:
            return text.decode()
        except UnicodeDecodeError:
            writer.write(bytes(text))
            return writer.finish()


async def read_excerpt(response: httpx.Response) -> str | None:
    """The first 64 KiB of the body as text, None when it is something else; the rest stays unread."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and _TEXT.fullmatch(media_type) is None:
        return None
    found = bytearray()
    try:
        async for part in _decoded(response, max_bytes=None):
            found += part
            if len(found) >= EXCERPT_BYTES:
                break
    except (FatalNodeError, httpx.HTTPError):
        pass  # the status is the news; what there is of the body has to do
    return _decode_text(bytes(found[:EXCERPT_BYTES]), response.charset_encoding)


async def _decoded(response: httpx.Response, max_bytes: int | None) -> AsyncIterator[bytes]:
    """The body in parts of 64 KiB at most, decoded; httpx's own decoders have no bound."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    inflater = None if coding in ("", "identity") else _Inflater(coding)
    taken = given = 0
    async for data in response.aiter_raw(_PART_BYTES):
        taken += len(data)
        for part in (data,) if inflater is None else inflater.parts(data):
            given += len(part)
            if max_bytes is not None and given > max_bytes:
                raise FatalNodeError(
                    f"The response is larger than the limit of {max_bytes:,} bytes.",
                    code="http.too_large",
                    remedy="Ask for less, or raise `max_response_bytes`.",
                )
            if given > _RATIO_FROM_BYTES and given > taken * _MAX_RATIO:
                raise FatalNodeError(
                    f"The response grows by more than {_MAX_RATIO}:1 when it is decoded, which is the limit.",
                    code="http.compression",
                    remedy="Send the header `Accept-Encoding: identity` to get it as it is.",
                )
            yield part
    if inflater is not None and taken:
        inflater.finish()


class _Inflater:
    """Undoes gzip or deflate, never more than 64 KiB at a step."""

    def __init__(self, coding: str) -> None:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise FatalNodeError(
                f"The response has the content coding {coding!r}, which was not asked for.",
                code="http.encoding",
                remedy="Send no Accept-Encoding header, or `Accept-Encoding: identity`.",
            )
        self._coding = coding
        self._inner = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever the first bytes say
        self._started = False

    def parts(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inner.eof:  # gzip may go on with another member, and be filled up with zeros
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._inner = zlib.decompressobj(wbits=47)
            part = self._step(data)
            data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
            if part:
                yield part

    def _step(self, data: bytes) -> bytes:
        try:
            part = self._inner.decompress(data, _PART_BYTES)
        except zlib.error as error:
            if self._started or self._coding != "deflate":
                raise self._broken(str(error)) from error
            self._started = True  # many servers send deflate without the wrapping of zlib
            self._inner = zlib.decompressobj(wbits=-15)
            return self._step(data)
        self._started = True
        return part

    def finish(self) -> None:
        """Check that the end was there."""
        if not self._inner.eof:
            raise self._broken("its end is missing")

    def _broken(self, why: str) -> FatalNodeError:
        return FatalNodeError(
            f"The response cannot be decoded as {self._coding}: {why}.",
            code="http.encoding",
            remedy="Send the header `Accept-Encoding: identity` to get it as it is.",
        )


def _decode_text(data: bytes, charset: str | None) -> str:
    """The text in the charset that the server names; without one UTF-8, else the web's old default."""
    if charset is not None:
        try:
            codec = codecs.lookup(charset)
        except LookupError:
            codec = None
        if codec is not None and codec._is_text_encoding and codec.name not in _NO_CHARSETS:  # noqa: SLF001
            return data.decode(codec.name, errors="replace").removeprefix("\ufeff")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("windows-1252", errors="replace")
