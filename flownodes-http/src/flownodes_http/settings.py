"""The config of `http.request`, field by field."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

__all__ = [
    "MAX_RESPONSE_BYTES",
    "READS",
    "BasicAuth",
    "BearerAuth",
    "RequestConfig",
    "Status",
    "names_status",
]

#: Methods that change nothing.
READS: Final = ("GET", "HEAD", "OPTIONS")
#: The size limit of a response after decoding, 10 MiB.
MAX_RESPONSE_BYTES: Final = 10 * 1024 * 1024

Method: TypeAlias = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
#: A status, or a class of them such as "4xx".
Status: TypeAlias = Annotated[int, Meta(ge=100, le=599)] | Annotated[str, Meta(pattern="^[1-5]xx$")]
Scalar: TypeAlias = str | int | float | bool | None


class BasicAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="basic"):
    """User name and password (RFC 7617)."""

    username: Annotated[str, Meta(description="The user name.")]
    password: Annotated[str, Meta(description="The password: `${{ secrets.NAME }}`.")]


class BearerAuth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="bearer"):
    """A token (RFC 6750)."""

    token: Annotated[str, Meta(description="The token: `${{ secrets.NAME }}`.")]


class RequestConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the request is made and which answers are good."""

    method: Annotated[
        Method,
        Meta(title="Method", description="GET, HEAD and OPTIONS read, all others write."),
    ] = "GET"
    headers: Annotated[
        dict[str, Scalar],
        Meta(title="Headers", description="Headers to send, by name; null leaves one out."),
    ] = {}
    query: Annotated[
        dict[str, Scalar | list[Scalar]],
        Meta(
            title="Query",
            description="Parameters for the URL's query, in place of those of the same name there; "
            "an array repeats the name, null leaves it out.",
        ),
    ] = {}
    auth: Annotated[
        BasicAuth | BearerAuth | None,
        Meta(title="Authentication", description="What the Authorization header says."),
    ] = None
    timeout_ms: Annotated[
        float,
        Meta(
            title="Timeout",
            gt=0,
            description="Milliseconds for the whole exchange, redirects and body included.",
        ),
    ] = 30_000
    follow_redirects: Annotated[
        bool,
        Meta(
            title="Follow redirects",
            description="Whether to go where a redirect points, 5 times at most. Authentication and headers "
            "of one's own do not go to another origin.",
        ),
    ] = True
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
            description="The header in which writes send a key that is the same in every attempt; null sends none.",
        ),
    ] = "Idempotency-Key"
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
