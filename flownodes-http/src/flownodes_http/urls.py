"""Reads the URLs that requests go to, and shows them without what is secret in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_plus, urlencode

import httpx
from flowruntime.authoring import FatalNodeError, Value

from flownodes_http.settings import Scalar
from flownodes_http.texts import pairs

__all__ = ["is_sendable", "masked", "origin", "read_url", "with_query"]

_LAST_PORT: Final = 65535
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_OTHER_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:(//|(?!\d))", re.IGNORECASE)
#: httpx would escape a space in a host, and look that up.
_HOST: Final = re.compile(rb"[\w.~:-]+", re.ASCII)
#: How httpx begins to say what is wrong, and what we say: its own words may show parts of a password.
_FAULTS: Final = (
    ("Invalid port", "its port is no number (/, ?, # and @ in a password are written as %2F, %3F, %23 and %40)"),
    ("Invalid IDNA", "its host cannot be the name of one"),
    ("Invalid IPv", "its host is no address"),
    ("Invalid non-printable", "it has a line break or another control character in it"),
    ("URL too long", "it is longer than 65,536 characters"),
)


def read_url(text: Value) -> httpx.URL:
    """The URL of a text; white space around it does not count. Raises FatalNodeError (`http.url`)."""
    if not isinstance(text, str):
        raise FatalNodeError(
            "The URL is no text.", code="http.url", remedy="Hand the port `url` a text, such as https://example.com/."
        )
    text = text.strip()
    if _SCHEME.match(text) is None:
        raise _without_scheme(text)
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        why = next((ours for theirs, ours in _FAULTS if str(error).startswith(theirs)), "it cannot be read")
        raise _no_url(text, why) from error
    if not url.raw_host:
        raise _no_url(text, "it has no host")
    if not is_sendable(url):
        raise _no_url(text, "its host or port cannot be one")
    return url


def with_query(url: httpx.URL, given: Mapping[str, Scalar | list[Scalar]]) -> httpx.URL:
    """The URL with these parameters in place of its own ones of the same names; the others stay as written.

    >>> str(with_query(httpx.URL("https://example.com/?sig=x%2By&b=1"), {"b": [2, None, "ü"], "c": None}))
    'https://example.com/?sig=x%2By&b=2&b=%C3%BC'
    """
    added = pairs(given)
    names = {name for name, _ in added}
    own = url.query.decode("ascii").split("&") if url.query else []
    parts = [part for part in own if unquote_plus(part.partition("=")[0]) not in names]
    if not added:
        return url
    return url.copy_with(query="&".join([*parts, urlencode(added, quote_via=quote)]).encode("ascii"))


def masked(url: httpx.URL) -> str:
    """The URL as it may be shown: what is secret in it, its query and its user, left out.

    >>> masked(httpx.URL("https://me:pw@example.com:8443/a%20b?token=x#y"))
    'https://…@example.com:8443/a%20b?…'
    """
    path, question, _ = url.raw_path.decode("ascii").partition("?")
    user = "…@" if url.userinfo else ""
    return f"{url.scheme}://{user}{url.netloc.decode('ascii')}{path}{'?…' if question else ''}"


def is_sendable(url: httpx.URL) -> bool:
    """Whether it is a whole http or https URL.

    >>> is_sendable(httpx.URL("https://example.com/")), is_sendable(httpx.URL("ftp://example.com/"))
    (True, False)
    """
    try:
        return (
            url.scheme in ("http", "https")
            and url.host != ""
            and _HOST.fullmatch(url.raw_host) is not None
            and (url.port is None or url.port <= _LAST_PORT)
        )
    except UnicodeError:  # a host such as "xn--", which stands for no name
        return False


def origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    """Scheme, host and port: what a key is for."""
    return url.scheme, url.raw_host, url.port


def _without_scheme(text: str) -> FatalNodeError:
    shown = _shown(text)
    if not text:
        return FatalNodeError("The URL is empty.", code="http.url", remedy="Hand the port `url` a URL.")
    if _OTHER_SCHEME.match(text) is not None:
        return FatalNodeError(
            f"The URL {shown!r} is no http or https URL.",
            code="http.url",
            remedy="Write a URL such as https://example.com/path; other protocols are not spoken.",
        )
    whole = f"https://{shown}" if text[0].isalnum() or text[0] == "[" else "https://example.com/path"
    return FatalNodeError(
        f"The URL {shown!r} does not begin with http:// or https://.",
        code="http.url",
        remedy=f"Write the whole URL: {whole}.",
    )


def _no_url(text: str, why: str) -> FatalNodeError:
    return FatalNodeError(
        f"{_shown(text)!r} is no URL: {why}.",
        code="http.url",
        remedy="Write a URL such as https://example.com/path.",
    )


def _shown(text: str) -> str:
    """What may be shown of a text that was to be a URL: nothing before an @, nothing of a query or fragment."""
    text = re.sub(r"^([a-z]*:?//)?.*@", r"\1…@", text, flags=re.IGNORECASE | re.DOTALL)
    return re.split(r"[?#]", text, maxsplit=1)[0][:200]
