"""Connects only to public addresses: the transport of a client whose network policy is "public".

The check sits where the socket is made, so it holds for every redirect, every spelling of an address and
every answer of a name server; the socket goes to the address that was checked, without a second look-up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from socket import SOCK_STREAM
from ssl import SSLContext

import anyio
import httpcore
import httpx
from flowcore.errors import InstallationError

from flowruntime.http.addresses import why_not_public
from flowruntime.http.client import AddressRefusedError

__all__ = ["GuardedTransport", "PublicBackend", "read_allowed"]

_Options = Iterable[httpcore.SOCKET_OPTION]


def read_allowed(allow_net: Sequence[str]) -> frozenset[tuple[str, int]]:
    """Host and port of each `HOST:PORT`. Raises InstallationError for anything else.

    >>> sorted(read_allowed(["localhost:8080", "[::1]:80"]))
    [('::1', 80), ('localhost', 8080)]
    """
    allowed = set()
    for entry in allow_net:
        host, _, port = entry.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not host or not port.isascii() or not port.isdigit() or (":" in host and not bracketed):
            raise InstallationError(
                f"The allowed address {entry!r} is no HOST:PORT.",
                code="network.allow_net",
                remedy="Write for example localhost:8080 or [::1]:8080.",
            )
        allowed.add((_normal(host[1:-1] if bracketed else host), int(port)))
    return frozenset(allowed)


class PublicBackend(httpcore.AsyncNetworkBackend):
    """Makes sockets to public unicast addresses and to the allowed hosts and ports, and to nothing else."""

    def __init__(self, allowed: frozenset[tuple[str, int]] = frozenset()) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if (_normal(host), port) in self._allowed:
            return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host!r} was not looked up in time") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        # One bad address among good ones is refused too: it is how rebinding looks.
        for address in addresses:
            if (kind := why_not_public(address)) is not None:
                raise _refusal(host, port, kind)
        share = None if timeout is None else timeout / len(addresses)
        *others, last = addresses
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
        return await self._inner.connect_tcp(last, port, share, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's interface
        socket_options: _Options | None = None,  # noqa: ARG002 - the same
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefusedError(
            f"The socket file {path!r} is not on the public internet.", remedy="Use a public address."
        )

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx over a pool of connections that PublicBackend makes; no proxies.

    It does what httpx.AsyncHTTPTransport does, which has no public way to say how sockets are made.
    """

    def __init__(self, allowed: frozenset[tuple[str, int]], limits: httpx.Limits, context: SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=PublicBackend(allowed),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore.Request(
            request.method,
            target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors():
            answer = await self._pool.handle_async_request(asked)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise httpcore's errors as those of httpx, which have the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


def _normal(host: str) -> str:
    host = host.lower().removesuffix(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def _refusal(host: str, port: int, kind: str) -> AddressRefusedError:
    # The address itself stays unsaid: what a name means inside a network is not for every author to know.
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return AddressRefusedError(
        f"{place} is {kind}, and only the public internet may be reached.",
        remedy=f'The operator can allow it with --allow-net {place}, or in flow.toml with allow_net = ["{place}"].',
        details={"host": host, "port": port},
    )
