"""One HTTP client for all settings of TLS: connections with the same settings share a pool."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias, cast

import anyio
import httpx
from flowcore.errors import InstallationError

from flowruntime.http.client import CONNECT_SECONDS, MAX_CONNECTIONS, MAX_REDIRECTS
from flowruntime.http.guard import GuardedTransport
from flowruntime.http.tls import Tls, file_stamps, make_context

__all__ = ["PooledClient"]

_Key: TypeAlias = tuple[Tls, tuple[tuple[int, int], ...]]

_MAX_POOLS: Final = 16


class PooledClient(httpx.AsyncClient):
    """An httpx client whose requests may say their TLS settings: `extensions={"tls": Tls(…)}`.

    Other settings mean another pool. The 16 pools used last are kept, all are closed together with the client.
    `make_client` says the rest.
    """

    def __init__(
        self,
        net: Literal["open", "public"],
        allowed: frozenset[tuple[str, int]],
        tls: Tls | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._net = net
        self._allowed = allowed
        self._given_transport = transport
        self._tls = tls or Tls()
        #: By settings, the one used last at the end.
        self._others: dict[_Key, _Pool] = {}
        self._open(make_context(self._tls))

    def _open(self, context: ssl.SSLContext) -> None:
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=64, keepalive_expiry=15)
        transport = self._given_transport
        if transport is None and self._net == "public":
            transport = GuardedTransport(self._allowed, limits, context)
        try:
            super().__init__(
                transport=transport,
                verify=context,
                trust_env=transport is None,  # the environment's proxies would go before the transport
                limits=limits,
                timeout=httpx.Timeout(30, connect=CONNECT_SECONDS),
                max_redirects=MAX_REDIRECTS,
                headers={"User-Agent": "flownodes", "Accept-Encoding": "gzip, deflate"},
                # All workflows share the client: a cookie of one must not reach another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            names = ", ".join(sorted(name for name in os.environ if name.lower().endswith("_proxy")))
            raise InstallationError(  # the addresses stay unsaid: passwords may stand in them
                f"A proxy that the environment names cannot be used (see {names}).",
                code="network.proxy",
                remedy="Write http://HOST:PORT; for socks5:// install httpx[socks].",
            ) from error

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """Send a request over the pool of its TLS settings.

        Raises what httpx raises, and FatalNodeError (`http.tls`) for settings that cannot be used.
        """
        tls = request.extensions.get("tls", self._tls)
        if tls == self._tls:
            try:
                return await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
            except ssl.SSLError as error:  # an alert after the handshake, which httpx forgets to make one of its own
                raise httpx.ReadError(str(error), request=request) from error
        pool = self._pool(tls)
        pool.users += 1
        try:
            response = await pool.client.send(request, stream=True, auth=auth, follow_redirects=follow_redirects)
        except BaseException:
            await self._leave(pool)
            raise
        response.stream = _Counted(cast("httpx.AsyncByteStream", response.stream), lambda: self._leave(pool))
        if not stream:
            try:
                await response.aread()
            finally:
                await response.aclose()
        return response

    def _pool(self, tls: Tls) -> _Pool:
        key = (tls, file_stamps(tls, allowed=self._net == "open"))
        pool = self._others.pop(key, None) or _Pool(
            PooledClient(self._net, self._allowed, tls, transport=self._given_transport)
        )
        self._others[key] = pool
        return pool

    async def _leave(self, pool: _Pool) -> None:
        """A request is over: close the pools that are too many, but none that is in use."""
        pool.users -= 1
        idle = [key for key, other in self._others.items() if not other.users]
        surplus = [self._others.pop(key) for key in idle[: max(0, len(self._others) - _MAX_POOLS)]]
        with anyio.CancelScope(shield=True):
            for other in surplus:
                await other.client.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._close_others()
        await super().aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._close_others()
        await super().__aexit__(exc_type, exc_value, traceback)

    async def _close_others(self) -> None:
        while self._others:
            _, pool = self._others.popitem()
            await pool.client.aclose()


class _Pool:
    """A client for other settings, and how many requests are using it."""

    __slots__ = ("client", "users")

    def __init__(self, client: PooledClient) -> None:
        self.client = client
        self.users = 0


class _Counted(httpx.AsyncByteStream):
    """The body of a response; says once when it is closed."""

    def __init__(self, inner: httpx.AsyncByteStream, closed: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._closed: Callable[[], Awaitable[None]] | None = closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        closed, self._closed = self._closed, None
        try:
            await self._inner.aclose()
        finally:
            if closed is not None:
                await closed()
