"""The transport that stands in for the network: a function of a test answers every request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import httpx

__all__ = ["AnsweringTransport"]


class AnsweringTransport(httpx.MockTransport):
    """As httpx' MockTransport; but an answer that was made with its whole content can be streamed too."""

    def __init__(self, answer: Callable[[httpx.Request], Any]) -> None:
        super().__init__(answer)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The function's answer, with a body that nobody has read yet."""
        answered = await super().handle_async_request(request)
        return httpx.Response(
            answered.status_code,
            headers=answered.headers,
            stream=_Unread(cast("httpx.AsyncByteStream", answered.stream)),
            extensions=answered.extensions,
        )


class _Unread(httpx.AsyncByteStream):
    """The body of an answer, which httpx has read already when it was given as a whole."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
