"""http.request reads what careless servers send, and is not held up by what hostile ones do."""

import gzip
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from flownodes_http.request import Request
from flowruntime.authoring import Blob, NodeError
from flowruntime.http import make_client

from tests.attempts import Attempt, attempt

TEXT = "text " * 1000


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every request with these bytes, whatever they are, and closes the connection."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            with suppress(anyio.BrokenResourceError):
                await stream.send(answer)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"  # noqa: S610 - not Django's
        tasks.cancel_scope.cancel()


async def ask(answer: bytes) -> Attempt:
    async with answering(answer) as url, make_client("public", [url.removeprefix("http://")]) as client:
        return await attempt(Request, {"url": url}, client=client)


async def failure(answer: bytes) -> NodeError:
    async with answering(answer) as url, make_client("public", [url.removeprefix("http://")]) as client:
        with pytest.raises(NodeError) as raised:
            await attempt(Request, {"url": url}, client=client)
    return raised.value


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def coded(coding: str, body: bytes) -> bytes:
    return head(f"Content-Encoding: {coding}", "Content-Type: text/plain") + body


def in_chunks_of(size: int, coding: str, body: bytes) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])
    return head(f"Content-Encoding: {coding}", "Content-Type: text/plain", "Transfer-Encoding: chunked") + chunks


def packed(text: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(text) + packer.flush()


# --- content codings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)], ids=["gzip", "zlib", "raw"]
)
async def test_a_coding_is_known_although_its_bytes_come_one_by_one(coding: str, wbits: int) -> None:
    done = await ask(in_chunks_of(1, coding, packed(TEXT.encode(), wbits)))
    assert done.outputs["body"] == TEXT


@pytest.mark.parametrize("size", [65_536, 65_537, 65_600, 131_072 + 258])
@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", -15)], ids=["gzip", "raw"])
async def test_a_body_that_ends_just_after_a_full_part_is_whole(coding: str, wbits: int, size: int) -> None:
    done = await ask(coded(coding, packed(b"0" * size, wbits)))
    assert done.outputs["body"] == "0" * size


@pytest.mark.parametrize("rest", [b"\r\n", b"\n", b"\x1f", b"\0\0\n", b"<!-- cached -->"])
@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", 15)])
async def test_what_stands_behind_the_end_of_a_coding_says_nothing(coding: str, wbits: int, rest: bytes) -> None:
    body = packed(TEXT.encode(), wbits) + rest
    assert (await ask(coded(coding, body))).outputs["body"] == TEXT
    assert (await ask(in_chunks_of(1, coding, body))).outputs["body"] == TEXT


async def test_a_second_member_that_is_cut_off_is_told() -> None:
    member = gzip.compress(TEXT.encode())
    assert (await ask(coded("gzip", member + member))).outputs["body"] == TEXT * 2
    assert "its end is missing" in (await failure(coded("gzip", member + member[:-1]))).message


@pytest.mark.parametrize("coding", ["", "none", "UTF-8", "identity", "identity, none"])
async def test_a_coding_that_is_none_changes_nothing(coding: str) -> None:
    assert (await ask(coded(coding, TEXT.encode()))).outputs["body"] == TEXT


@pytest.mark.parametrize("coding", ["gzip, identity", "identity, GZIP", ", x-gzip"])
async def test_a_coding_beside_none_is_undone(coding: str) -> None:
    assert (await ask(coded(coding, gzip.compress(TEXT.encode())))).outputs["body"] == TEXT


# --- headers ------------------------------------------------------------------------------------


async def test_of_two_content_types_the_last_counts() -> None:
    lines = ("Content-Type: application/octet-stream", "Content-Type: application/json; charset=latin-1")
    assert (await ask(head(*lines) + '"ü"'.encode("latin-1"))).outputs["body"] == '"ü"'
    assert isinstance((await ask(head(*reversed(lines)) + b"1")).outputs["body"], Blob)


async def test_thousands_of_headers_hold_nobody_up() -> None:
    lines = [f"{number:x}:" for number in range(0x1000, 0x1000 + 12_000)]
    begun = time.process_time()
    done = await ask(head(*lines, "Content-Length: 0"))
    assert len(done.outputs["headers"]) == len(lines) + 1
    assert time.process_time() - begun < 2, "looking each of them up by its name takes five seconds and more"


@pytest.mark.parametrize(
    "answer",
    [
        head("X: " + "y" * 150_000),
        head(*["X: y"] * 30_000),
        head("Transfer-Encoding: chunked") + b"5;" + b"x" * 150_000,
        head("Transfer-Encoding: chunked") + b"0\r\n" + b"X: y\r\n" * 30_000,
    ],
    ids=["a long header", "many headers", "a long chunk extension", "many trailers"],
)
async def test_a_head_without_end_is_refused_by_a_limit_that_is_named(answer: bytes) -> None:
    error = await failure(answer)
    assert (error.code, error.retryable) == ("http.too_large", False)
    assert "limit of 100 KiB" in error.message


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "mailto:ada@example.com", "data:text/plain,x", "http://[::1", "http://a:99999999/"],
)
async def test_a_redirect_to_what_no_client_can_read_is_told(target: str) -> None:
    error = await failure(head(f"Location: {target}", "Content-Length: 0", status="302 Found"))
    assert (error.code, error.retryable) == ("http.redirects", False)
