"""The config of `http.request`, field by field."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from flowruntime.http import CONNECT_SECONDS, MAX_REDIRECTS
from msgspec import Meta, Struct

__all__ = [
    "MAX_RESPONSE_BYTES",
    "READS",
    "BasicAuth",
    "BearerAuth",
    "BodyFormat",
    "RequestConfig",
    "ResponseFormat",
    "Scalar",
    "Status",
    "TlsConfig",
    "names_status",
]

#: Methods that change nothing.
READS: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
#: The size limit of a response after decoding, 10 MiB.
MAX_RESPONSE_BYTES: Final = 10 * 1024 * 1024

Method: TypeAlias = Literal["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"]
BodyFormat: TypeAlias = Literal["auto", "json", "form", "multipart", "text"]
ResponseFormat: TypeAlias = Literal["auto", "text", "blob"]
#: A status, or a class of them such as "4xx".
Status: TypeAlias = Annotated[int, Meta(ge=100, le=599)] | Annotated[str, Meta(pattern="^[1-5]xx$")]
Scalar: TypeAlias = str | int | float | bool | None
_Milliseconds: TypeAlias = Annotated[float, Meta(gt=0)]


class BasicAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="basic"):
    """User name and password (RFC 7617)."""

    username: Annotated[str, Meta(description="The user name, without a colon.")]
    password: Annotated[str, Meta(description="The password: `${{ secrets.NAME }}`.")]


class BearerAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="bearer"):
    """A token (RFC 6750)."""

    token: Annotated[str, Meta(description="The token: `${{ secrets.NAME }}`.")]


class TlsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certificates and keys: PEM texts, best from secrets, or paths of PEM files where every address may be reached."""

    verify: Annotated[
        bool,
        Meta(description="Whether the server's certificate is checked; false gives a Warning with every request."),
    ] = True
    ca: Annotated[
        str | None,
        Meta(description="Certificates of the authorities to trust in place of the usual ones."),
    ] = None
    certificate: Annotated[
        str | None,
        Meta(description="The client's certificate. It is not shown to another origin after a redirect."),
    ] = None
    key: Annotated[
        str | None,
        Meta(description="The key of the client's certificate, unless it stands in the same PEM."),
    ] = None
    key_password: Annotated[
        str | None,
        Meta(description="The password of the key, if it has one: `${{ secrets.NAME }}`."),
    ] = None


class RequestConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the request is made and which answers are good."""

    method: Annotated[
        Method,
        Meta(title="Method", description="GET, HEAD, OPTIONS and TRACE read, all others write."),
    ] = "GET"
    headers: Annotated[
        dict[str, Scalar | list[Scalar]],
        Meta(
            title="Headers",
            description="Headers to send, by name; an array repeats the header, null leaves it out.",
        ),
    ] = {}
    query: Annotated[
        dict[str, Scalar | list[Scalar]],
        Meta(
            title="Query",
            description="Parameters for the URL's query, in place of those of the same name there; "
            "an array repeats the name, null counts as not there, an empty text is sent as one.",
        ),
    ] = {}
    body_format: Annotated[
        BodyFormat,
        Meta(
            title="Body format",
            description="How the body is written. `auto`: texts as they are, objects and arrays as JSON, or as what "
            "the Content-Type header says of `form` and `multipart`. `json`: everything as JSON, texts too. `form`: an "
            "object, URL-encoded. `multipart`: an object of texts and files, a file being a Blob, or "
            "`{content, filename, media_type}`. `text`: in the charset of the Content-Type header. A Blob that is the "
            "whole body goes as its bytes.",
        ),
    ] = "auto"
    auth: Annotated[
        BasicAuth | BearerAuth | None,
        Meta(title="Authentication", description="What the Authorization header says."),
    ] = None
    timeout_ms: Annotated[
        _Milliseconds,
        Meta(
            title="Timeout",
            description="Milliseconds for the whole exchange: connecting, redirects, and both bodies.",
        ),
    ] = 30_000
    connect_timeout_ms: Annotated[
        _Milliseconds,
        Meta(title="Connect timeout", description="Milliseconds for making a connection, TLS included."),
    ] = CONNECT_SECONDS * 1000
    read_timeout_ms: Annotated[
        _Milliseconds | None,
        Meta(
            title="Read timeout",
            description="Milliseconds that the server may be silent, or take nothing; null: as long as the whole.",
        ),
    ] = None
    follow_redirects: Annotated[
        bool,
        Meta(
            title="Follow redirects",
            description="Whether to go where a redirect points. Authentication, headers of one's own and a client "
            "certificate do not go to another origin.",
        ),
    ] = True
    max_redirects: Annotated[
        int,
        Meta(title="Redirects at most", ge=0, le=20, description="How many redirects are followed; one more fails."),
    ] = MAX_REDIRECTS
    tls: Annotated[
        TlsConfig | None,
        Meta(title="TLS", description="Other authorities, a client certificate; null: as usual."),
    ] = None
    accept_status: Annotated[
        tuple[Status, ...],
        Meta(
            title="Accepted statuses",
            description="Statuses from 400 on that are results and no failures: codes such as 404, "
            'or classes such as "4xx".',
            examples=[[404], ["4xx", 503]],
        ),
    ] = ()
    retry_status: Annotated[
        tuple[Status, ...],
        Meta(
            title="Retried statuses",
            description="Statuses that the retry policy answers, in the same form. Writes without an "
            "idempotency key are never repeated.",
        ),
    ] = (429, 502, 503, 504)
    idempotency_header: Annotated[
        str | None,
        Meta(
            title="Idempotency header",
            description="The header in which writes send a key that is the same in every attempt; null or an empty "
            "text sends none.",
        ),
    ] = "Idempotency-Key"
    response_format: Annotated[
        ResponseFormat,
        Meta(
            title="Response format",
            description="What the body of the answer becomes. `auto`: text when its media type is text, JSON, XML or "
            "a form, else a Blob. `text`, `blob`: that, whatever the media type.",
        ),
    ] = "auto"
    max_response_bytes: Annotated[
        int,
        Meta(
            title="Size limit",
            ge=0,
            le=64 * 1024 * 1024,
            description="The most bytes that a response may have once decoded.",
        ),
    ] = MAX_RESPONSE_BYTES


def names_status(statuses: tuple[Status, ...], status: int) -> bool:
    """Whether a list of codes and classes names a status.

    >>> names_status((404, "5xx"), 503), names_status((404, "5xx"), 403)
    (True, False)
    """
    return status in statuses or f"{status // 100}xx" in statuses
