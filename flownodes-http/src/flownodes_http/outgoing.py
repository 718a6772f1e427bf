"""Makes the request that `http.request` sends, out of its inputs and config."""

from __future__ import annotations

from typing import Any

import httpx
from flowruntime.authoring import FatalNodeError, Value
from flowruntime.http import Tls

from flownodes_http.content import make_content
from flownodes_http.headers import authorization, check_name, read_headers
from flownodes_http.settings import READS, RequestConfig
from flownodes_http.urls import read_url, with_query

__all__ = ["build_request", "sends_key"]


def build_request(
    client: httpx.AsyncClient, url: Value, body: Value, config: RequestConfig, *, key: str
) -> httpx.Request:
    """The request; nothing is sent yet. `key` is the idempotency key of the node.

    Raises FatalNodeError (`http.url`, `http.headers`, `http.body`) for what cannot be sent.
    """
    target = with_query(read_url(url), config.query)
    headers = read_headers(config.headers)
    written = {name.lower(): value for name, value in headers}
    if config.auth is not None:
        if "authorization" in written:
            raise FatalNodeError(
                "Both `auth` and `headers` say the Authorization header.",
                code="http.headers",
                remedy="Leave one of them out.",
            )
        headers.append(("Authorization", authorization(config.auth)))
        target = target.copy_with(userinfo=b"")  # which httpx would prefer
    if sends_key(config):
        check_name(config.idempotency_header or "")
        if (config.idempotency_header or "").lower() not in written:
            headers.append((config.idempotency_header or "", key))
    if config.method == "TRACE" and body is not None:
        raise FatalNodeError(
            "A TRACE request cannot have a body.", code="http.body", remedy="Leave the port `body` out."
        )
    content = make_content(body, config.body_format, written.get("content-type", ""))
    if content is not None:
        headers = [(name, value) for name, value in headers if name.lower() != "content-type"]
        headers += [("Content-Type", content.content_type), ("Content-Length", str(content.size))]
    extensions: dict[str, Any] = {}
    if (tls := _tls(config)) != Tls():
        extensions["tls"] = tls
    silence_seconds = None if config.read_timeout_ms is None else config.read_timeout_ms / 1000
    return client.build_request(
        config.method,
        target,
        headers=[(name.encode(), value.encode()) for name, value in headers],
        content=content,
        timeout=httpx.Timeout(silence_seconds, connect=config.connect_timeout_ms / 1000, pool=None),
        extensions=extensions,
    )


def sends_key(config: RequestConfig) -> bool:
    """Whether the request carries an idempotency key."""
    return config.method not in READS and bool(config.idempotency_header)


def _tls(config: RequestConfig) -> Tls:
    given = config.tls
    if given is None:
        return Tls()
    return Tls(
        verify=given.verify,
        ca=given.ca,
        certificate=given.certificate,
        key=given.key,
        key_password=given.key_password,
    )
