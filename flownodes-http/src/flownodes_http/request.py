"""The node type `http.request`: asks a server for something, or sends it something."""

from __future__ import annotations

import ssl
from typing import Any, Final

import anyio
import httpx
from flowruntime.authoring import Context, Node, NodeError, Port, Value, node

from flownodes_http.bodies import read_body, read_excerpt
from flownodes_http.failures import failure_of, no_answer_in_time, status_failure
from flownodes_http.outgoing import build_request, sends_key
from flownodes_http.sending import send
from flownodes_http.settings import READS, RequestConfig, names_status
from flownodes_http.urls import masked

__all__ = ["Request"]

_FIRST_FAILURE: Final = 400
#: How long the body of a failure is waited for.
_EXCERPT_SECONDS: Final = 5


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
            description="Where to: a whole http or https URL, such as https://example.com/path.",
        ),
        Port(
            name="body",
            description="What to send: objects and arrays go as JSON, texts as they are, Blobs as their bytes, "
            "streamed; null sends nothing. `body_format` says it otherwise.",
        ),
    ],
    outputs=[
        Port(name="status", schema={"type": "integer"}, description="The status code, such as 200."),
        Port(
            name="body",
            schema={"type": ["string", "object"]},
            description="What came back: text when the media type is text, JSON, XML or a form, else a Blob; "
            "`response_format` says it otherwise.",
        ),
        Port(
            name="headers",
            schema={
                "type": "object",
                "properties": {"set-cookie": {"type": "array", "items": {"type": "string"}}},
                "additionalProperties": {"type": "string"},
            },
            description="The answer's headers by lower-case name; repeated ones are joined by a comma, but "
            "`set-cookie` is an array.",
        ),
        Port(
            name="url",
            schema={"type": "string"},
            description="The URL that answered in the end, after redirects, without its query.",
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
        {
            "title": "Send a form",
            "config": {"method": "POST", "body_format": "form"},
            "inputs": {"url": "https://example.com/search", "body": {"q": "flow nodes", "tag": ["a", "b"]}},
        },
        {
            "title": "Upload a file with a field beside it",
            "config": {"method": "POST", "body_format": "multipart"},
            "inputs": {
                "url": "https://example.com/upload",
                "body": {
                    "title": "Notes",
                    "file": {"content": "a,b\n1,2\n", "filename": "notes.csv", "media_type": "text/csv"},
                },
            },
        },
        {
            "title": "Fetch a large file as a Blob, with a client certificate",
            "config": {
                "response_format": "blob",
                "max_response_bytes": 67108864,
                "timeout_ms": 120000,
                "tls": {"certificate": "${{ secrets.CLIENT_CERT }}", "key": "${{ secrets.CLIENT_KEY }}"},
            },
            "inputs": {"url": "https://files.example.com/export.csv"},
            "needs": "a client certificate and its key",
        },
    ],
)
class Request(Node):
    """One HTTP request over the runtime's pooled client."""

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Send the request and read the answer. Raises NodeError with a code of `http.…`."""
        config: RequestConfig = ctx.config
        client = ctx.http
        request = build_request(client, ctx.inputs["url"], ctx.inputs.get("body"), config, key=ctx.idempotency_key)
        shown = masked(request.url)
        repeatable = config.method in READS or sends_key(config)
        if config.tls is not None and not config.tls.verify:
            ctx.events.warning(f"The certificate of {shown} is not checked: anyone in between can read and answer.")
        deadline = anyio.current_time() + config.timeout_ms / 1000
        try:
            with anyio.fail_after(config.timeout_ms / 1000):
                response = await send(client, request, config, ctx.events)
            try:
                if _is_failure(response.status_code, config):
                    raise await _failure(response, ctx, deadline, repeatable=repeatable)
                with anyio.fail_after(deadline - anyio.current_time()):
                    return await _answer(response, ctx)
            finally:
                await response.aclose()
        except TimeoutError as error:
            raise no_answer_in_time(shown, config, repeatable=repeatable) from error
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise failure_of(error, shown, config, repeatable=repeatable) from error


def _is_failure(status: int, config: RequestConfig) -> bool:
    """Whether a status fails the node."""
    return status >= _FIRST_FAILURE and not names_status(config.accept_status, status)


async def _failure(response: httpx.Response, ctx: Context, deadline: float, *, repeatable: bool) -> NodeError:
    seconds = max(0.0, min(_EXCERPT_SECONDS, deadline - anyio.current_time()))
    details: dict[str, Any] = {
        "status": response.status_code,
        "headers": _headers(response),
        "body": await read_excerpt(response, seconds=seconds),
    }
    retry = repeatable and names_status(ctx.config.retry_status, response.status_code)
    return status_failure(response, masked(response.url), details, retry=retry, now=ctx.now())


async def _answer(response: httpx.Response, ctx: Context) -> dict[str, Value]:
    config: RequestConfig = ctx.config
    body = await read_body(
        response, config.response_format, max_bytes=config.max_response_bytes, warn=ctx.events.warning
    )
    url = response.url.copy_with(userinfo=b"", query=None, fragment=None)
    return {"status": response.status_code, "body": body, "headers": _headers(response), "url": str(url)}


def _headers(response: httpx.Response) -> dict[str, Value]:
    headers: dict[str, Value] = dict(response.headers.items())  # one look at each: a server may send thousands
    if "set-cookie" in headers:  # the one header that cannot be joined: a comma may stand inside a cookie
        headers["set-cookie"] = response.headers.get_list("set-cookie")
    return headers
