"""Makes the pooled HTTP client that a runtime shares among all its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from flowcore.errors import FatalNodeError

if TYPE_CHECKING:
    import httpx

__all__ = ["MAX_REDIRECTS", "AddressRefusedError", "make_client"]

MAX_REDIRECTS: Final = 5


class AddressRefusedError(FatalNodeError):
    """The network policy does not allow this address."""

    default_code = "http.address_refused"


def make_client(net: Literal["open", "public"], allow_net: Sequence[str] = ()) -> httpx.AsyncClient:
    """A new client; the caller closes it.

    With `net` "open" it goes wherever the process can, through proxies when the environment names them.
    With "public" it connects directly, to public unicast addresses only and to the `HOST:PORT` pairs of
    `allow_net`, as they stand in URLs; anything else raises AddressRefusedError.

    Cookies are neither kept nor sent. Content codings other than gzip and deflate are not asked for, so that
    a reader can decode in bounded steps. Each operation of the network may take 30 seconds, unless the
    request says otherwise.

    Raises InstallationError for an `allow_net` entry that is no `HOST:PORT`.
    """
    import logging
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    from flowruntime.http.guard import GuardedTransport, read_allowed

    allowed = read_allowed(allow_net)
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:  # at INFO it would write whole URLs, with the secrets in them
        logger.setLevel(logging.WARNING)
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=15)
    return httpx.AsyncClient(
        transport=GuardedTransport(allowed, limits) if net == "public" else None,
        trust_env=net == "open",
        limits=limits,
        timeout=httpx.Timeout(30, connect=10),
        max_redirects=MAX_REDIRECTS,
        headers={"User-Agent": "flownodes", "Accept-Encoding": "gzip, deflate"},
        # All workflows share the client: a cookie of one must not reach another.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )
