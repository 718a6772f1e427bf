"""Undoes the content coding of a response in bounded steps, counting what it grows to."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx
from flowruntime.authoring import FatalNodeError

__all__ = ["decoded"]

_PART_BYTES: Final = 64 * 1024
_MAX_RATIO: Final = 100
#: Small bodies may shrink as much as they like.
_RATIO_FROM_BYTES: Final = 1024 * 1024
#: What a Blob may hold.
_MOST_BYTES: Final = 64 * 1024 * 1024


async def decoded(response: httpx.Response, max_bytes: int | None) -> AsyncIterator[bytes]:
    """The body in parts of 64 KiB at most, decoded; httpx's own decoders have no bound.

    Raises FatalNodeError: `http.too_large` above `max_bytes`, `http.compression`, `http.encoding`.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    inflater = None if coding in ("", "identity") else _Inflater(coding)
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


def _too_large(max_bytes: int) -> FatalNodeError:
    raising = f", or raise `max_response_bytes` ({_MOST_BYTES:,} at most)" if max_bytes < _MOST_BYTES else ""
    return FatalNodeError(
        f"The response is larger than the limit of {max_bytes:,} bytes.",
        code="http.too_large",
        remedy=f"Ask for less{raising}.",
    )
