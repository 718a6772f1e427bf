"""Sends a request and follows redirects, leaving behind what is not for the origin they lead to."""

from __future__ import annotations

from typing import Final

import httpx
from flowruntime.authoring import FatalNodeError, NodeEvents
from flowruntime.http import Tls

from flownodes_http.settings import RequestConfig
from flownodes_http.urls import is_sendable, masked, origin

__all__ = ["send"]

#: Headers of one's own that may follow a redirect to another origin; any other may be a key.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-length", "content-type", "range", "user-agent"}
)


async def send(
    client: httpx.AsyncClient, request: httpx.Request, config: RequestConfig, events: NodeEvents
) -> httpx.Response:
    """The answer, its body not yet read; each request is announced before it is sent.

    Redirects are followed here: httpx would read their bodies whole. Raises FatalNodeError (`http.redirects`).
    """
    first = request
    left = config.max_redirects
    while True:
        events.info(f"{request.method} {masked(request.url)}")
        try:
            response = await client.send(request, stream=True, follow_redirects=False)
        except (UnicodeError, httpx.InvalidURL) as error:  # what httpx raises for a Location such as javascript:x
            raise _bad_redirect(request.url) from error
        except httpx.RemoteProtocolError as error:
            if str(error).startswith("Invalid URL in location header"):
                raise _bad_redirect(request.url) from error
            raise
        if not config.follow_redirects or response.next_request is None:
            return response
        await response.aclose()
        if not left:
            raise FatalNodeError(
                f"{masked(first.url)} redirects more than {config.max_redirects} times, which is the limit.",
                code="http.redirects",
                remedy="Use the last URL itself, raise `max_redirects`, or set `follow_redirects` to false.",
            )
        left -= 1
        if not is_sendable(response.next_request.url):
            raise _bad_redirect(request.url)
        request = _followed(request, response.next_request, config, events)


def _followed(
    before: httpx.Request, request: httpx.Request, config: RequestConfig, events: NodeEvents
) -> httpx.Request:
    """The next request as it may be sent."""
    if origin(request.url) == origin(before.url):
        if "cookie" in before.headers:  # which httpx drops, as it would fill in its own
            request.headers["cookie"] = before.headers["cookie"]
        return request
    kept_back = [name for name in ("Authorization", "Cookie") if name in before.headers]
    request.headers.pop("authorization", None)
    for name in config.headers:
        if name.lower() not in _HARMLESS and name.lower() != "host" and name in request.headers:
            request.headers.pop(name)
            kept_back.append(name)
    tls = request.extensions.get("tls", Tls())
    if tls.certificate is not None:
        request.extensions = {**request.extensions, "tls": tls.without_client()}
        kept_back.append("the client certificate")
    if kept_back:
        events.warning(f"The redirect leads to another origin, where these are not sent: {', '.join(kept_back)}.")
    return request


def _bad_redirect(url: httpx.URL) -> FatalNodeError:
    return FatalNodeError(
        f"{masked(url)} redirects to something that is no http or https URL.",
        code="http.redirects",
        remedy="Ask the server's operator, or use the URL that is meant.",
    )
