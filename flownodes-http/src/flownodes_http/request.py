"""The node type `http.request`: asks a server for something, or sends it something."""

from __future__ import annotations

from typing import Any, Final

import anyio
import httpx
from flowruntime.authoring import Context, FatalNodeError, Node, Port, Value, node
from flowruntime.http import MAX_REDIRECTS

from flownodes_http.bodies import read_body, read_excerpt
from flownodes_http.failures import failure_of, no_answer_in_time, status_failure
from flownodes_http.outgoing import build_request, is_sendable, masked
from flownodes_http.settings import READS, RequestConfig, names_status

__all__ = ["Request"]

_FIRST_FAILURE: Final = 400
#: Headers of one's own that may follow a redirect to another origin; any other may be a key.
_HARMLESS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-length", "content-type", "range", "user-agent"}
)


@node(
    "http.request",
    title="HTTP Request",
    description="Asks a server for something, or sends it something: one HTTP request and its answer. "
    "An answer with a status from 400 on fails the node unless `accept_status` names it.",
    category="Network",
    inputs=[
        Port(
            name="url",
            schema={"type": "string"},
            required=True,
            description="Where to: a whole http or https URL.",
        ),
        Port(
            name="body",
            description="What to send: objects and arrays go as JSON (as a form, if the Content-Type header "
            "says so), texts as they are, Blobs as their bytes; null sends nothing.",
        ),
    ],
    outputs=[
        Port(name="status", schema={"type": "integer"}, description="The status code, such as 200."),
        Port(
            name="body",
            schema={"type": ["string", "object"]},
            description="What came back: text when the media type is text, JSON, XML or a form, else a Blob.",
        ),
        Port(
            name="headers",
            schema={"type": "object", "additionalProperties": {"type": "string"}},
            description="The answer's headers by lower-case name; repeated ones are joined by a comma.",
        ),
    ],
    config=RequestConfig,
    retry_policy={"max_attempts": 3},
    effects={"from": "/method", "read": list(READS), "else": "write"},
    examples=[
        {
            "title": "Read an API with a token",
            "config": {
                "query": {"limit": 10},
                "auth": {"type": "bearer", "token": "${{ secrets.API_TOKEN }}"},
            },
            "inputs": {"url": "https://api.example.com/items"},
        },
        {
            "title": "Send JSON, and take a conflict as an answer",
            "config": {"method": "POST", "accept_status": [409]},
            "inputs": {"url": "https://api.example.com/items", "body": {"name": "Ada"}},
        },
    ],
)
class Request(Node):
    """One HTTP request over the runtime's pooled client."""

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Send the request and read the answer. Raises NodeError with a code of `http.…`."""
        config: RequestConfig = ctx.config
        request = build_request(ctx.http, ctx.inputs["url"], ctx.inputs.get("body"), config, key=ctx.idempotency_key)
        shown = masked(request.url)
        has_key = config.idempotency_header is not None and config.idempotency_header in request.headers
        repeatable = config.method in READS or has_key
        ctx.events.info(f"{config.method} {shown}")
        try:
            with anyio.fail_after(config.timeout_ms / 1000):
                response = await _send(ctx.http, request, config)
                try:
                    return await _read(response, config, repeatable=repeatable)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise no_answer_in_time(shown, repeatable=repeatable) from error
        except httpx.HTTPError as error:
            raise failure_of(error, shown, repeatable=repeatable) from error


async def _send(client: httpx.AsyncClient, request: httpx.Request, config: RequestConfig) -> httpx.Response:
    """The answer, its body not yet read. Redirects are followed here: httpx would read their bodies whole."""
    first = request
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = await client.send(request, stream=True, follow_redirects=False)
        except UnicodeError as error:  # what httpx raises when the host of the Location cannot be a name
            raise _bad_redirect(request.url) from error
        if not config.follow_redirects or response.next_request is None:
            return response
        await response.aclose()
        if not is_sendable(response.next_request.url):
            raise _bad_redirect(request.url)
        request = response.next_request
        if _origin(request.url) != _origin(first.url):
            for name in config.headers:
                if name.lower() not in _HARMLESS:
                    request.headers.pop(name, None)
    raise FatalNodeError(
        f"{masked(first.url)} redirects more than {MAX_REDIRECTS} times, which is the limit.",
        code="http.redirects",
        remedy="Use the last URL itself, or set `follow_redirects` to false.",
    )


def _bad_redirect(url: httpx.URL) -> FatalNodeError:
    return FatalNodeError(
        f"{masked(url)} redirects to something that is no http or https URL.",
        code="http.redirects",
        remedy="Set `follow_redirects` to false to see where to.",
    )


async def _read(response: httpx.Response, config: RequestConfig, *, repeatable: bool) -> dict[str, Value]:
    status = response.status_code
    headers = {name: response.headers[name] for name in response.headers}
    if status >= _FIRST_FAILURE and not names_status(config.accept_status, status):
        details: dict[str, Any] = {
            "status": status,
            "headers": headers,
            "body": await read_excerpt(response),
        }
        retry = repeatable and names_status(config.retry_status, status)
        raise status_failure(response, masked(response.url), details, retry=retry)
    body = await read_body(response, max_bytes=config.max_response_bytes)
    return {"status": status, "body": body, "headers": headers}


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
