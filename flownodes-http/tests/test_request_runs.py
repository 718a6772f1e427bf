"""http.request in executions: many at once, cancelled, tried again, and with secrets that nobody gets to see."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from flowcore.events import NodeRetrying, to_wire
from flowruntime import Runtime
from flowruntime.journal import HistoryGap
from flowruntime.testing import ManualClock

from tests.http_server import serving

Answer = Callable[[SocketStream, bytes], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """A server on this loop; it reads a request without a body, and leaves the rest to `answer`."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await answer(stream, await stream.receive())

    async with await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1024) as listener:
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not Django's
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            yield f"http://127.0.0.1:{port}"
            tasks.cancel_scope.cancel()


def requests(url: str, count: int = 1, **fields: Any) -> dict[str, Any]:
    """A workflow of nodes that make the same request at once."""
    nodes = [{"id": f"n{i}", "node_type": "http.request", "inputs": {"url": url}, **fields} for i in range(count)]
    return {"name": "requests", "nodes": nodes, "settings": {"max_parallel_nodes": None}}


async def test_two_hundred_requests_are_under_way_at_once() -> None:
    waiting = 0
    all_here = anyio.Event()

    async def answer(stream: SocketStream, request: bytes) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 200:
            all_here.set()
        await all_here.wait()
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok")

    async with answering(answer) as url, Runtime() as runtime:
        with anyio.fail_after(60):
            result = await runtime.run(requests(url, 200))
    assert (result.status, len(result.completed_nodes)) == ("succeeded", 200)
    assert {outputs["body"] for outputs in result.node_outputs.values()} == {"ok"}


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["nothing", "half"])
async def test_cancelling_closes_the_connection_at_once(begin: bytes) -> None:
    asked, closed = anyio.Event(), anyio.Event()

    async def answer(stream: SocketStream, request: bytes) -> None:
        if begin:
            await stream.send(begin)
        asked.set()
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        closed.set()

    async with answering(answer) as url, Runtime() as runtime:
        execution_id = await runtime.submit(requests(url))
        with anyio.fail_after(30):
            await asked.wait()
            runtime.cancel(execution_id)
        with anyio.fail_after(25):  # of the 30 seconds that the request might take
            await closed.wait()
            assert (await runtime.wait(execution_id)).status == "cancelled"


async def test_the_servers_wish_to_wait_is_followed_by_the_runtimes_clock() -> None:
    received: list[bytes] = []

    async def answer(stream: SocketStream, request: bytes) -> None:
        received.append(request)
        if len(received) == 1:
            busy = b"HTTP/1.1 503 Busy\r\nRetry-After: Tue, 14 Nov 2023 22:14:00 GMT\r\n"
        else:
            busy = b"HTTP/1.1 200 OK\r\n"
        await stream.send(busy + b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    clock = ManualClock()  # at 22:13:20
    policy = {"max_attempts": 2, "delay_ms": 1, "jitter": 0}
    async with answering(answer) as url, Runtime(clock=clock) as runtime:
        with anyio.fail_after(30):
            document = requests(url, config={"method": "POST"}, retry_policy=policy)
            execution_id = await runtime.submit(document)
            async for event in runtime.follow(execution_id):
                if isinstance(event, NodeRetrying):
                    assert event.delay_ms == 40_000
                    clock.advance(40)
            result = await runtime.wait(execution_id)
    assert result.status == "succeeded"
    keys = [line for request in received for line in request.split(b"\r\n") if line.startswith(b"Idempotency-Key")]
    assert len(keys) == 2
    assert keys[0] == keys[1], "the second attempt is the same request"


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Fails with the status in the path, or redirects to the query."""
    path = environ["PATH_INFO"][1:]
    got = environ.get("HTTP_AUTHORIZATION", "") + environ["QUERY_STRING"] + environ.get("HTTP_X_KEY", "")
    start_response(f"{path} Status", [("X-Got-It", str("hunter2" in got))])
    return [b"sorry"]


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"auth": {"type": "bearer", "token": "${{ secrets.CANARY }}"}}, "{server}/404"),
        ({"auth": {"type": "basic", "username": "me", "password": "${{ secrets.CANARY }}"}}, "{server}/200"),
        ({"headers": {"X-Key": "${{ secrets.CANARY }}"}}, "{server}/503"),
        ({"query": {"key": "${{ secrets.CANARY }}"}}, "{server}/200"),
        ({"query": {"key": "${{ secrets.CANARY }}"}, "timeout_ms": 0.001}, "{server}/200"),
        ({"headers": {"X-Key": "${{ secrets.CANARY }}\nX: 1"}}, "{server}/200"),
        ({"tls": {"ca": "${{ secrets.CANARY }}"}}, "{server}/200"),
        ({"tls": {"certificate": "-----BEGIN ${{ secrets.CANARY }}"}}, "{server}/200"),
        ({"query": {"key": "${{ secrets.CANARY }}"}}, "http://127.0.0.1:1/"),
    ],
    ids=json.dumps,
)
async def test_no_secret_appears_in_any_event(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], url: str
) -> None:
    monkeypatch.setenv("FLOW_SECRET_CANARY", "hunter2")
    with serving(failing) as server:
        async with Runtime() as runtime:
            document = requests(url.format(server=server), config=config, retry_policy={"max_attempts": 1})
            execution_id = await runtime.submit(document)
            followed = runtime.follow(execution_id)
            events = [to_wire(event, execution_id) async for event in followed if not isinstance(event, HistoryGap)]
    told = json.dumps(events)
    assert "hunter2" not in told
    assert "aHVudGVyMg" not in told
    assert "n0" in told


async def test_what_no_event_shows_has_arrived_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_SECRET_CANARY", "hunter2")
    secret = "${{ secrets.CANARY }}"
    with serving(failing) as server:
        async with Runtime() as runtime:
            for config in ({"query": {"key": secret}}, {"headers": {"X-Key": secret}}, {}):
                result = await runtime.run(requests(f"{server}/200", config=config))
                headers: Any = result.node_outputs["n0"]["headers"]
                assert headers["x-got-it"] == str(bool(config))
