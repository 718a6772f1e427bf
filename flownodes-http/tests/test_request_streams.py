"""Large bodies pass through http.request in parts, into and out of temporary files, and bombs are stopped early."""

import gc
import gzip
import hashlib
import itertools
import os
import tempfile
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from flowcore.errors import RetryableNodeError
from flownodes_http import decoding
from flownodes_http.request import Request
from flowruntime import Runtime
from flowruntime.authoring import Blob, BlobWriter, FatalNodeError, NodeError
from flowruntime.http import make_client

from tests.attempts import attempt
from tests.http_server import serving

MEBIBYTE = 1024 * 1024
PART = bytes(range(256)) * 256
PARTS = 24 * MEBIBYTE // len(PART)
SHA256 = hashlib.sha256(PART * PARTS).hexdigest()
never = Event()


def packed(content: bytes, times: int, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return b"".join(packer.compress(content) for _ in range(times)) + packer.flush()


ZEROS = bytes(MEBIBYTE)
BOMBS = {
    "gzip": ("gzip", packed(ZEROS, 32, 31)),
    "zlib": ("deflate", packed(ZEROS, 32, 15)),
    "raw": ("deflate", packed(ZEROS, 32, -15)),
    "members": ("gzip", gzip.compress(ZEROS) * 32),
}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/large":
        headers = [("Content-Type", query)] if query else []
        start_response("200 OK", headers)
        return itertools.repeat(PART, PARTS)
    if path == "/announced":
        start_response("200 OK", [("Content-Length", str(11 * MEBIBYTE)), ("Content-Type", "text/plain")])
        return (b"x" if index == 0 or never.wait(30) else b"" for index in range(2))
    if path.startswith("/bomb/"):
        coding, body = BOMBS[path.rpartition("/")[2]]
        start_response("200 OK", [("Content-Encoding", coding), ("Content-Type", query or "image/png")])
        return [body]
    received, left = hashlib.sha256(), int(environ["CONTENT_LENGTH"])
    while left:
        part = environ["wsgi.input"].read(min(left, 65536))
        left -= len(part)
        if path != "/parts":
            received.update(part)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['CONTENT_LENGTH']} {received.hexdigest()}".encode()]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(application) as url:
        yield url
        never.set()


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    async with make_client("open") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def ask(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> Any:
    return (await attempt(Request, {"url": url, "body": body}, config, client=client)).outputs["body"]


@contextmanager
def at_most(mebibytes: int) -> Iterator[None]:
    """Check how much memory is taken at the most, by the server as well."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mebibytes * MEBIBYTE
    finally:
        tracemalloc.stop()


def files_in(folder: Path) -> int:
    gc.collect()
    return len(list(folder.iterdir()))


def large_blob() -> Blob:
    with BlobWriter(media_type="video/mp4") as writer:
        for _ in range(PARTS):
            writer.write(PART)
        return writer.finish()


@pytest.mark.parametrize("media_type", ["video/mp4", ""])
async def test_a_large_response_goes_into_a_file_and_not_into_memory(
    server: str, client: httpx.AsyncClient, folder: Path, media_type: str
) -> None:
    with at_most(4):
        blob = await ask(client, f"{server}/large?{media_type}", max_response_bytes=64 * MEBIBYTE)
    assert isinstance(blob, Blob)
    assert (blob.size, blob.sha256) == (PARTS * len(PART), SHA256)
    assert blob.media_type == (media_type or "application/octet-stream")
    assert files_in(folder) == 1
    del blob
    assert files_in(folder) == 0


async def test_the_measure_sees_what_is_held_in_memory(server: str, client: httpx.AsyncClient) -> None:
    with pytest.raises(AssertionError), at_most(4):  # the control: as a text it is held
        await ask(client, f"{server}/large?text/plain; charset=latin-1", max_response_bytes=64 * MEBIBYTE)


@pytest.mark.parametrize("path", ["/whole", "/parts"])
async def test_a_large_blob_is_sent_from_its_file(
    server: str, client: httpx.AsyncClient, folder: Path, path: str
) -> None:
    blob = large_blob()
    body = {"title": "x", "film": blob} if path == "/parts" else blob
    with at_most(12):  # ten of them is what the server reserves when it looks whether there is more to come
        told = await ask(
            client, server + path, body, method="POST", body_format="multipart" if path == "/parts" else "auto"
        )
    size, sha256 = told.split()
    assert int(size) >= blob.size
    assert path == "/parts" or sha256 == SHA256


async def test_what_was_fetched_can_be_sent_on(server: str, client: httpx.AsyncClient) -> None:
    blob = await ask(client, f"{server}/large?video/mp4", max_response_bytes=64 * MEBIBYTE)
    with at_most(12):
        assert await ask(client, f"{server}/whole", blob, method="PUT") == f"{blob.size} {SHA256}"


@pytest.mark.parametrize("name", list(BOMBS))
async def test_a_bomb_goes_off_in_no_form(
    server: str, client: httpx.AsyncClient, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with at_most(4), pytest.raises(FatalNodeError) as raised:
        await ask(client, f"{server}/bomb/{name}", max_response_bytes=64 * MEBIBYTE)
    assert raised.value.code == "http.compression"
    assert files_in(folder) == 0
    monkeypatch.setattr(decoding, "_MAX_RATIO", 10_000)  # the control: without the limit it goes off
    assert (await ask(client, f"{server}/bomb/{name}", max_response_bytes=64 * MEBIBYTE)).size == 32 * MEBIBYTE


@pytest.mark.parametrize("media_type", ["image/png", "text/plain", ""])
async def test_the_size_limit_counts_what_is_decoded(
    server: str, client: httpx.AsyncClient, folder: Path, monkeypatch: pytest.MonkeyPatch, media_type: str
) -> None:
    monkeypatch.setattr(decoding, "_MAX_RATIO", 10_000)
    with at_most(16), pytest.raises(FatalNodeError) as raised:
        await ask(client, f"{server}/bomb/gzip?{media_type}")
    assert raised.value.code == "http.too_large"
    assert "`max_response_bytes`" in raised.value.remedy
    assert files_in(folder) == 0


async def test_a_size_that_is_announced_is_not_waited_for(server: str, client: httpx.AsyncClient) -> None:
    with pytest.raises(NodeError) as raised:
        await ask(client, f"{server}/announced")
    assert raised.value.code == "http.too_large"
    with pytest.raises(NodeError) as raised:  # the control: what is small enough is
        await ask(client, f"{server}/announced", max_response_bytes=11 * MEBIBYTE, timeout_ms=100)
    assert raised.value.code == "http.timeout"


def test_no_more_than_64_mib_can_be_asked_for() -> None:
    def problems(limit: int) -> list[str]:
        config = {"max_response_bytes": limit}
        node = {"id": "n", "node_type": "http.request", "config": config, "inputs": {"url": "http://example.com"}}
        return [problem.pointer for problem in Runtime().check({"name": "w", "nodes": [node]}).problems]

    assert problems(64 * MEBIBYTE) == []
    assert problems(64 * MEBIBYTE + 1) == ["/nodes/0/config/max_response_bytes"]


async def test_a_file_that_cannot_be_written_is_told(
    server: str, client: httpx.AsyncClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    with pytest.raises(RetryableNodeError) as raised:
        await ask(client, f"{server}/large?video/mp4", max_response_bytes=64 * MEBIBYTE)
    assert raised.value.code == "blob.storage"
    assert "No such file" in raised.value.message
    assert "TMPDIR" in raised.value.remedy
