"""Undoes the content coding of a response in bounded steps, counting what it grows to."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx
from flowruntime.authoring import FatalNodeError

__all__ = ["decoded"]

_PART_BYTES: Final = 64 * 1024
#: What servers write in Content-Encoding that changes nothing, right or wrong.
_NO_CODINGS: Final = ("", "identity", "none", "utf-8")
_GZIP: Final = b"\x1f\x8b"
_MAX_RATIO: Final = 100
#: Small bodies may shrink as much as they like.
_RATIO_FROM_BYTES: Final = 1024 * 1024
#: What a Blob may hold.
_MOST_BYTES: Final = 64 * 1024 * 1024


async def decoded(response: httpx.Response, max_bytes: int | None) -> AsyncIterator[bytes]:
    """The body in parts of 64 KiB at most, decoded; httpx's own decoders have no bound.

    Raises FatalNodeError: `http.too_large` above `max_bytes`, `http.compression`, `http.encoding`.
    """
    named = (coding.strip().lower() for coding in response.headers.get("content-encoding", "").split(","))
    coding = ", ".join(coding for coding in named if coding not in _NO_CODINGS)
    inflater = _Inflater(coding) if coding else None
    declared = response.headers.get("content-length", "")
    counts = inflater is None and response.request.method != "HEAD" and declared.isdecimal()
    if counts and max_bytes is not None and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    taken = given = 0
    async for data in response.aiter_raw():
        taken += len(data)
        for part in (data,) if inflater is None else inflater.parts(data):
            given += len(part)
            if max_bytes is not None and given > max_bytes:
                raise _too_large(max_bytes)
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
        #: What decodes the member that has begun; None between members.
        self._inner: zlib._Decompress | None = None
        #: The first byte of a member, as long as its second has not come.
        self._held = b""
        self._is_over = False
        self._has_member = False

    def parts(self, data: bytes) -> Iterator[bytes]:
        part = b""
        # A part that is full may be followed by more although all of the data has been taken.
        while (data or len(part) == _PART_BYTES) and not self._is_over:
            if self._inner is None:
                data, part = self._begin(data), b""
                continue
            try:
                part = self._inner.decompress(data, _PART_BYTES)
            except zlib.error as error:
                raise self._broken(str(error)) from error
            data = self._inner.unconsumed_tail
            if self._inner.eof:
                data = self._inner.unused_data
                self._inner, self._has_member = None, True
            if part:
                yield part

    def _begin(self, data: bytes) -> bytes:
        """Begin a member by its first two bytes, which say what it is; the data from there on, as far as it is here."""
        data = self._held + (data.lstrip(b"\0") if self._has_member and not self._held else data)
        self._held = data if len(data) < len(_GZIP) else b""
        if self._held or not data:
            return b""
        if data.startswith(_GZIP):
            self._inner = zlib.decompressobj(wbits=31)
        elif self._has_member:  # not another member: what servers leave behind the last one says nothing
            self._is_over = True
        elif self._coding == "deflate" and not _begins_zlib(data):  # many servers leave the wrapping of zlib out
            self._inner = zlib.decompressobj(wbits=-15)
        else:
            self._inner = zlib.decompressobj(wbits=15)
        return data

    def finish(self) -> None:
        """Check that the end was there."""
        if self._inner is not None or not self._has_member:
            raise self._broken("its end is missing")

    def _broken(self, why: str) -> FatalNodeError:
        return FatalNodeError(
            f"The response cannot be decoded as {self._coding}: {why}.",
            code="http.encoding",
            remedy="Send the header `Accept-Encoding: identity` to get it as it is.",
        )


def _begins_zlib(data: bytes) -> bool:
    """Whether it begins with the header of RFC 1950, section 2.2: method 8, and a multiple of 31."""
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0  # noqa: PLR2004


def _too_large(max_bytes: int) -> FatalNodeError:
    raising = f", or raise `max_response_bytes` ({_MOST_BYTES:,} at most)" if max_bytes < _MOST_BYTES else ""
    return FatalNodeError(
        f"The response is larger than the limit of {max_bytes:,} bytes.",
        code="http.too_large",
        remedy=f"Ask for less{raising}.",
    )
