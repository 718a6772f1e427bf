"""Makes the request that `http.request` sends, out of its inputs and config."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlencode

import httpx
from flowcore.values import write_json
from flowruntime.authoring import Blob, FatalNodeError, Value

from flownodes_http.settings import READS, BasicAuth, BearerAuth, RequestConfig, Scalar

__all__ = ["build_request", "is_sendable", "masked"]

_PART_BYTES: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LAST_PORT: Final = 65535
#: Headers that follow from the body.
_COMPUTED: Final = frozenset({"content-length", "transfer-encoding"})
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def build_request(
    client: httpx.AsyncClient, url: str, body: Value, config: RequestConfig, *, key: str
) -> httpx.Request:
    """The request; nothing is sent yet. `key` is the idempotency key of the node.

    Raises FatalNodeError (`http.url`, `http.headers`) for what cannot be sent.
    """
    target = _read_url(url)
    if config.query:
        target = target.copy_merge_params(_query(config.query))
    headers = _read_headers(config.headers)
    if config.auth is not None:
        headers["authorization"] = _authorization(config.auth)
        target = target.copy_with(userinfo=b"")  # which httpx would prefer
    if config.method not in READS and config.idempotency_header is not None:
        headers.setdefault(config.idempotency_header.lower(), key)
    content, media_type = _content(body, headers.get("content-type", ""))
    if media_type:
        headers.setdefault("content-type", media_type)
    if isinstance(body, Blob):
        headers["content-length"] = str(body.size)
    seconds = config.timeout_ms / 1000
    return client.build_request(
        config.method,
        target,
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        content=content,
        timeout=httpx.Timeout(seconds, connect=min(seconds, 10)),
    )


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
        return url.scheme in ("http", "https") and url.host != "" and (url.port is None or url.port <= _LAST_PORT)
    except UnicodeError:  # a host such as "xn--", which stands for no name
        return False


def _read_url(text: str) -> httpx.URL:
    remedy = "Give a whole URL, such as https://example.com/path."
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise FatalNodeError(f"{_shown(text)} is no URL: {error}.", code="http.url", remedy=remedy) from error
    if not is_sendable(url):
        raise FatalNodeError(f"{_shown(text)} is no http or https URL.", code="http.url", remedy=remedy)
    return url


def _shown(text: str) -> str:
    return repr(re.sub(r"//[^/@]*@", "//…@", text.partition("?")[0])[:200])


def _read_headers(given: Mapping[str, Scalar]) -> dict[str, str]:
    headers = {}
    for name, value in given.items():
        if value is None:
            continue
        text = _text(value).strip()
        if not _TOKEN.fullmatch(name):
            raise FatalNodeError(
                f"{name!r} cannot be the name of a header.",
                code="http.headers",
                remedy="Use letters, digits and hyphens.",
            )
        if name.lower() in _COMPUTED:
            raise FatalNodeError(
                f"The header {name!r} cannot be set: it follows from the body.",
                code="http.headers",
                remedy="Leave it out.",
            )
        if _CONTROL.search(text):  # the value may be a secret, so it is not shown
            raise FatalNodeError(
                f"The header {name!r} has a line break or another control character in its value.",
                code="http.headers",
                remedy="Remove it; headers are single lines.",
            )
        headers[name.lower()] = text
    return headers


def _query(given: Mapping[str, Scalar | list[Scalar]]) -> dict[str, list[str]]:
    query = {}
    for name, value in given.items():
        values = [_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]
        if values:
            query[name] = values
    return query


def _authorization(auth: BasicAuth | BearerAuth) -> str:
    match auth:
        case BasicAuth(username=username, password=password):
            return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        case BearerAuth(token=token):
            text = token.strip()
            if _CONTROL.search(text):
                raise FatalNodeError(
                    "The token has a line break or another control character in it.",
                    code="http.headers",
                    remedy="Remove it from the secret.",
                )
            return f"Bearer {text}"


def _content(body: Value, media_type: str) -> tuple[bytes | _BlobContent | None, str]:
    """What is sent, and the media type that it has unless the headers say one."""
    match body:
        case None:
            return None, ""
        case str():
            return body.encode(), "text/plain; charset=utf-8"
        case Blob():
            return _BlobContent(body), body.media_type
        case dict() if media_type.partition(";")[0].strip().lower() == _FORM:
            return urlencode(_query(body), doseq=True).encode(), _FORM
        case _:
            return write_json(body).encode(), "application/json"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else write_json(value)


class _BlobContent:
    """The bytes of a Blob in parts, from the beginning each time: a redirect sends them once more."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._blob.open() as reader:
            while part := reader.read(_PART_BYTES):
                yield part
