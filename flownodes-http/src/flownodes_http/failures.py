"""Says what went wrong with an HTTP request in the words of node errors: which code, whether to try again."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from flowruntime.authoring import FatalNodeError, NodeError, RetryableNodeError

__all__ = ["failure_of", "no_answer_in_time", "retry_after_seconds", "status_failure"]

_NOT_REPEATED: Final = (
    "The request may have had its effect, so it is not repeated; with an `idempotency_header` that the "
    "server knows it could be."
)
_REMEDIES: Final = {
    401: "Check `auth` and the secret that it names.",
    403: "Check `auth` and the secret that it names, and what they allow.",
    404: "Check the URL.",
    405: "Check `method`.",
    429: "Ask less often, or allow more attempts.",
}


def failure_of(error: httpx.HTTPError, url: str, *, repeatable: bool) -> NodeError:
    """The node error for an exchange that broke down. `url` is masked.

    `repeatable`: whether the request may be made again although it may have reached the server.
    """
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return RetryableNodeError(
                f"{url}: no connection in time.",
                code="http.timeout",
                remedy="Check host and port, or raise `timeout_ms`.",
            )
        case httpx.TimeoutException():
            return no_answer_in_time(url, repeatable=repeatable)
        case httpx.ConnectError():
            return _no_connection(error, url)
        case httpx.ProxyError():
            return RetryableNodeError(
                f"{url}: the proxy refused: {error}.",
                code="http.proxy",
                remedy="Check the proxy that the environment names.",
            )
        case httpx.LocalProtocolError():
            # Its text may show the value of a header.
            return FatalNodeError(
                f"{url}: the request cannot be written as HTTP.",
                code="http.headers",
                remedy="Check `headers`.",
            )
        case _:
            return _perhaps(
                repeatable=repeatable,
                message=f"{url}: the connection broke before the answer was whole ({error or 'closed'}).",
                code="http.disconnected",
                remedy="Look at the server's side.",
            )


def no_answer_in_time(url: str, *, repeatable: bool) -> NodeError:
    """The node error for a server that took too long."""
    return _perhaps(
        repeatable=repeatable,
        message=f"{url}: no whole answer in time.",
        code="http.timeout",
        remedy="Raise `timeout_ms`, or ask for less.",
    )


def status_failure(response: httpx.Response, url: str, details: dict[str, Any], *, retry: bool) -> NodeError:
    """The node error for an answer whose status is no success."""
    status = response.status_code
    message = f"{url} answered {status} {response.reason_phrase}".rstrip() + "."
    code = f"http.{status}"
    remedy = _REMEDIES.get(status, "The body in the error's details may say why.")
    if not retry:
        return FatalNodeError(message, code=code, remedy=remedy, details=details)
    after = retry_after_seconds(response.headers)
    return RetryableNodeError(message, code=code, remedy=remedy, details=details, retry_after_seconds=after)


def retry_after_seconds(headers: httpx.Headers) -> float | None:
    """What Retry-After (RFC 9110, section 10.2.3) asks for, in seconds from now; None without a readable one.

    A date is compared with the answer's own Date, so that a wrong clock here does no harm.

    >>> retry_after_seconds(httpx.Headers({"Retry-After": "120"}))
    120.0
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    at = _date(text)
    if at is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (at - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _no_connection(error: httpx.ConnectError, url: str) -> NodeError:
    host = error.request.url.raw_host.decode("ascii")
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return FatalNodeError(
                    f"{url}: the certificate of {host!r} is not trusted: {cause.verify_message}.",
                    code="http.tls",
                    remedy="Check the host; the environment variable SSL_CERT_FILE names a file of "
                    "authorities to trust.",
                )
            case ssl.SSLError():
                return RetryableNodeError(
                    f"{url}: no TLS connection with {host!r}: {cause.reason or 'handshake failed'}.",
                    code="http.tls",
                    remedy="Check whether the port speaks https.",
                )
            case socket.gaierror():
                return RetryableNodeError(
                    f"{url}: the host name {host!r} is not known: {cause.strerror}.",
                    code="http.dns",
                    remedy="Check the spelling of the host and the network's name server.",
                )
            case OSError(errno=int(number)) if number in errno.errorcode:
                return RetryableNodeError(
                    f"{url}: no connection: {os.strerror(number)}.",
                    code="http.unreachable",
                    remedy="Check host and port, and whether the server runs.",
                )
    return RetryableNodeError(
        f"{url}: no connection: {error}.",
        code="http.unreachable",
        remedy="Check host and port, and whether the server runs.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it. The pool cuts `__cause__`, `__context__` stays."""
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            todo.extend(reversed(cause.exceptions))
        todo.extend(each for each in (cause.__context__, cause.__cause__) if each is not None)


def _perhaps(*, repeatable: bool, message: str, code: str, remedy: str) -> NodeError:
    if repeatable:
        return RetryableNodeError(message, code=code, remedy=remedy)
    return FatalNodeError(message, code=code, remedy=f"{remedy} {_NOT_REPEATED}")
