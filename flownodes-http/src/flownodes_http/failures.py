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
from urllib.request import getproxies

import httpx
from flowruntime.authoring import FatalNodeError, NodeError, RetryableNodeError

from flownodes_http.settings import RequestConfig

__all__ = ["failure_of", "no_answer_in_time", "retry_after_seconds", "status_failure"]

#: More of them than any wait has seconds.
_MOST_DIGITS: Final = 12
#: What h11 says of a head, a line between chunks, or a trailer without an end.
_NO_END_OF_LINE: Final = "Receive buffer too long"

_NOT_REPEATED: Final = (
    "The request may have had its effect, so it is not repeated; with an `idempotency_header` that the "
    "server knows it could be."
)
_REMEDIES: Final = {
    401: "Check `auth` and the secret that it names.",
    403: "Check `auth` and the secret that it names, and what they allow.",
    404: "Check the URL.",
    405: "Check `method`.",
    407: "Check the user and password of the proxy that the environment names.",
    413: "Send less at once.",
    415: "Check `body_format` and the header Content-Type.",
    429: "Ask less often, or allow more attempts.",
}


def failure_of(
    error: httpx.HTTPError | ssl.SSLError, url: str, config: RequestConfig, *, repeatable: bool
) -> NodeError:
    """The node error for an exchange that broke down. `url` is masked.

    `repeatable`: whether the request may be made again although it may have reached the server.
    """
    match error:
        case httpx.ConnectTimeout():
            return RetryableNodeError(
                f"{url}: no connection within {config.connect_timeout_ms:g} ms.",
                code="http.timeout",
                remedy="Check host and port, or raise `connect_timeout_ms`.",
            )
        case httpx.TimeoutException():
            return _perhaps(
                repeatable=repeatable,
                message=f"{url}: the server was silent for {config.read_timeout_ms or 0:g} ms.",
                code="http.timeout",
                remedy="Raise `read_timeout_ms`.",
            )
        case httpx.ConnectError():
            return _no_connection(error, url)
        case httpx.ProxyError():
            return RetryableNodeError(
                f"{url}: the proxy refused: {error}.",
                code="http.proxy",
                remedy="Check the proxy that the environment names, and its user and password.",
            )
        case httpx.LocalProtocolError():
            # Its text may show the value of a header.
            return FatalNodeError(
                f"{url}: the request cannot be written as HTTP.",
                code="http.headers",
                remedy="Check `headers`.",
            )
        case httpx.RemoteProtocolError() if str(error) == _NO_END_OF_LINE:
            return FatalNodeError(
                f"{url}: the head of the answer, or a line of its coding, is larger than the limit of 100 KiB.",
                code="http.too_large",
                remedy="Look at the server's side: it sends too many headers, or too long ones.",
            )
        case _:
            refusals = (_tls_refusal(cause, url) for cause in _causes(error) if isinstance(cause, ssl.SSLError))
            refusal = next(filter(None, refusals), None)
            return refusal or _perhaps(
                repeatable=repeatable,
                message=f"{url}: {_how_it_broke(error)}.",
                code="http.disconnected",
                remedy="Look at the server's side, and at the port.",
            )


def no_answer_in_time(url: str, config: RequestConfig, *, repeatable: bool) -> NodeError:
    """The node error for an exchange that took too long as a whole."""
    return _perhaps(
        repeatable=repeatable,
        message=f"{url}: no whole answer within {config.timeout_ms:g} ms.",
        code="http.timeout",
        remedy="Raise `timeout_ms`, or ask for less.",
    )


def status_failure(
    response: httpx.Response, url: str, details: dict[str, Any], *, retry: bool, now: datetime
) -> NodeError:
    """The node error for an answer whose status is no success. `now` is the moment that Retry-After counts from."""
    status = response.status_code
    message = f"{url} answered {status} {response.reason_phrase}".rstrip() + "."
    code = f"http.{status}"
    remedy = _REMEDIES.get(status, "The body in the error's details may say why.")
    if not retry:
        return FatalNodeError(message, code=code, remedy=remedy, details=details)
    after = retry_after_seconds(response.headers, now)
    return RetryableNodeError(message, code=code, remedy=remedy, details=details, retry_after_seconds=after)


def retry_after_seconds(headers: httpx.Headers, now: datetime) -> float | None:
    """What Retry-After (RFC 9110, section 10.2.3) asks for, in seconds from now; None without a readable one.

    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> retry_after_seconds(httpx.Headers({"Retry-After": "120"}), now)
    120.0
    >>> retry_after_seconds(httpx.Headers({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}), now)
    30.0
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:_MOST_DIGITS])
    at = _date(text)
    return None if at is None else max(0.0, (at - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
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
                    remedy="Check the host; `tls.ca`, or for all requests the environment variable SSL_CERT_FILE, "
                    "names authorities to trust.",
                )
            case ssl.SSLError() if (refusal := _tls_refusal(cause, url)) is not None:
                return refusal
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
                return _unreachable(url, os.strerror(number))
    return _unreachable(url, "the connection was not made")


def _unreachable(url: str, why: str) -> NodeError:
    proxy = ", and the proxy that the environment names" if getproxies() else ""
    return RetryableNodeError(
        f"{url}: no connection: {why}.",
        code="http.unreachable",
        remedy=f"Check host and port, whether the server runs{proxy}.",
    )


def _tls_refusal(cause: ssl.SSLError, url: str) -> NodeError | None:
    """The error for an alert of the server, which means that no request has been looked at; None for anything else."""
    alert = (cause.reason or "").partition("ALERT_")[2]
    if alert in ("", "INTERNAL_ERROR"):
        return None
    return FatalNodeError(
        f"{url}: the server refused the TLS connection: {alert.lower().replace('_', ' ')}.",
        code="http.tls",
        remedy="If the server asks for a client certificate, give the right one in `tls.certificate` and `tls.key`.",
    )


def _how_it_broke(error: Exception) -> str:
    """In words of our own: those of httpx may show what was sent, when the other side sends it back."""
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error)
        if text.startswith("Server disconnected"):
            return "the server closed the connection without an answer"
        if text.startswith("peer closed"):
            return "the connection was closed before the answer was whole"
        return "what the server sent is no HTTP"
    return "the connection broke before the answer was whole"


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
