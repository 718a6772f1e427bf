"""Makes the pooled HTTP client that a runtime shares among all its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal

from flowcore.errors import FatalNodeError

if TYPE_CHECKING:
    import httpx

__all__ = [
    "CONNECT_SECONDS",
    "MAX_CONNECTIONS",
    "MAX_REDIRECTS",
    "AddressRefusedError",
    "make_client",
    "network_replaced",
]

#: How many redirects are followed, unless the request says otherwise.
MAX_REDIRECTS: Final = 5
#: How many connections are open at once; further requests wait for one.
MAX_CONNECTIONS: Final = 256
#: How long making a connection may take, unless the request says otherwise.
CONNECT_SECONDS: Final = 10


#: What is asked in the place of the network by clients that are made in this context.
_stand_in: Final[ContextVar[httpx.AsyncBaseTransport | None]] = ContextVar("stand-in for the network", default=None)


class AddressRefusedError(FatalNodeError):
    """The network policy does not allow this address."""

    default_code = "http.address_refused"


@contextmanager
def network_replaced(transport: httpx.AsyncBaseTransport) -> Iterator[None]:
    """For tests: clients that are made meanwhile, in this task or one that it starts, ask this transport instead.

    A runtime makes its client for the first request, so the runtime has to be entered inside.
    """
    token = _stand_in.set(transport)
    try:
        yield
    finally:
        _stand_in.reset(token)


def make_client(net: Literal["open", "public"], allow_net: Sequence[str] = ()) -> httpx.AsyncClient:
    """A new client; the caller closes it.

    With `net` "open" it goes wherever the process can, through proxies when the environment names them.
    With "public" it connects directly, to public unicast addresses only and to the `HOST:PORT` pairs of
    `allow_net`, as they stand in URLs; anything else raises AddressRefusedError.

    A request may say TLS settings of its own with the extension `tls`, a `Tls`; only an open client reads the files
    that they name. Cookies are neither kept nor sent. Content codings other than gzip and deflate are not asked for,
    so that a reader can decode in bounded steps. Each operation of the network may take 30 seconds, unless the request
    says otherwise.

    Raises InstallationError for an `allow_net` entry that is no `HOST:PORT`, and for a proxy that cannot be used.
    """
    import logging

    from flowruntime.http.guard import read_allowed
    from flowruntime.http.pool import PooledClient

    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:  # at INFO it would write whole URLs, with the secrets in them
        logger.setLevel(logging.WARNING)
    return PooledClient(net, read_allowed(allow_net), transport=_stand_in.get())
