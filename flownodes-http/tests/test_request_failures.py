"""http.request says what went wrong, whether trying again may help, and shows no secret."""

import gzip
import itertools
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from flownodes_http.request import Request
from flowruntime.authoring import Blob, FatalNodeError, NodeError, RetryableNodeError
from flowruntime.http import make_client

from tests.attempts import attempt
from tests.http_server import make_certificate, serving

MEBIBYTE = 1024 * 1024
never = Event()


def gzip_bomb(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(size // MEBIBYTE)) + packer.flush()


CODED: dict[str, tuple[str, bytes]] = {
    "/bomb": ("gzip", gzip_bomb(200 * MEBIBYTE)),
    "/just-below-the-ratio": ("gzip", gzip.compress((os.urandom(1200) + bytes(100_000)) * 15)),
    "/small-and-empty": ("gzip", gzip.compress(bytes(900_000))),
    "/unasked": ("br", b"whatever"),
    "/no-gzip": ("gzip", b"plain text"),
    "/cut-off": ("gzip", gzip.compress(b"text" * 1000)[:-9]),
}


def application(environ: dict[str, Any], start_response: Any) -> Any:
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path in CODED:
        coding, body = CODED[path]
        start_response("200 OK", [("Content-Encoding", coding), ("Content-Type", "text/plain")])
        return [body]
    if path.startswith("/status/"):
        names = {"after": "Retry-After", "type": "Content-Type"}
        given = dict(item.split("=") for item in query.split("&") if item)
        headers = [(names[name], value.replace("+", " ")) for name, value in given.items()]
        start_response(f"{path.rpartition('/')[2]} Some Reason", headers)
        return [b"e" * 100_000]
    if path == "/bad-gzip-error":
        start_response("404 Not Found", [("Content-Encoding", "gzip")])
        return [gzip.compress(b"gone")[:-3]]
    if path == "/endless":
        start_response("200 OK", [("Content-Type", query or "text/plain")])
        return itertools.repeat(b"x" * 65536)
    if path == "/slow":
        never.wait(30)
    if path == "/trickle":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" for _ in iter(lambda: never.wait(0.02), True))
    if path == "/redirect":
        start_response("302 Found", [("Location", query)])
        return itertools.repeat(b"x" * 65536)
    if path == "/loop":
        start_response("302 Found", [("Location", f"/loop?{query}"), ("Content-Length", "0")])
        return []
    if path == "/redirect-keeping-all":
        start_response("307 Temporary Redirect", [("Location", query), ("Content-Length", "0")])
        return []
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    names_sent = sorted(name for name in environ if name.startswith("HTTP_"))
    return [f"{environ['REQUEST_METHOD']} {' '.join(names_sent)} {body.decode()}".encode()]


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


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if connection.recv(65536) == b"stop":
                        return
                    answer(connection)

        thread = Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with socket.create_connection(listener.getsockname()) as last:
                last.sendall(b"stop")
            thread.join()


async def ask(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> Any:
    done = await attempt(Request, {"url": url, "body": body}, config, client=client)
    return done.outputs["body"]


async def failure(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as raised:
        await ask(client, url, body, **config)
    assert raised.value.remedy
    return raised.value


# --- statuses -----------------------------------------------------------------------------------


async def test_a_failure_tells_status_headers_and_the_first_64_kib(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, f"{server}/status/404?type=text/html")
    assert error.code == "http.404"
    assert "404 Some Reason" in error.message
    assert error.details["status"] == 404
    assert error.details["headers"]["content-type"] == "text/html"
    assert error.details["body"] == "e" * 65536


async def test_a_body_that_is_no_text_is_left_out_of_the_details(server: str, client: httpx.AsyncClient) -> None:
    assert (await failure(client, f"{server}/status/404?type=image/png")).details["body"] is None


async def test_a_status_is_told_although_its_body_cannot_be_read(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, f"{server}/bad-gzip-error")
    assert (error.code, error.details["body"]) == ("http.404", "gone")


@pytest.mark.parametrize(
    ("method", "status", "config", "retryable"),
    [
        ("GET", 400, {}, False),
        ("GET", 401, {}, False),
        ("GET", 404, {}, False),
        ("GET", 500, {}, False),
        ("GET", 429, {}, True),
        ("GET", 502, {}, True),
        ("GET", 503, {}, True),
        ("GET", 504, {}, True),
        ("POST", 503, {}, True),
        ("POST", 503, {"idempotency_header": None}, False),
        ("POST", 429, {"idempotency_header": None}, False),
        ("GET", 500, {"retry_status": ["5xx"]}, True),
        ("GET", 503, {"retry_status": [500]}, False),
        ("GET", 503, {"accept_status": ["4xx"]}, True),
    ],
)
async def test_which_statuses_may_be_retried(
    server: str, client: httpx.AsyncClient, *, method: str, status: int, config: dict[str, Any], retryable: bool
) -> None:
    error = await failure(client, f"{server}/status/{status}", method=method, **config)
    assert error.code == f"http.{status}"
    assert error.retryable is retryable


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("after=7", 7.0),
        ("after=Wed,+21+Oct+2020+07:28:00+GMT", 0.0),
        ("after=soon", None),
        ("", None),
    ],
)
async def test_retry_after_says_how_long_to_wait(
    server: str, client: httpx.AsyncClient, query: str, seconds: float | None
) -> None:
    error = await failure(client, f"{server}/status/429?{query}")
    assert error.retry_after_seconds == seconds


async def test_a_date_to_retry_after_is_read_against_the_runtimes_clock(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, f"{server}/status/503?after=Tue,+14+Nov+2023+22:13:50+GMT")
    assert error.retry_after_seconds == 30.0, "the clock of these attempts stands at 22:13:20"


# --- no answer ----------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("config", [{}, {"method": "POST", "idempotency_header": None}])
async def test_a_port_where_nobody_listens_is_unreachable(
    closed_port: int, client: httpx.AsyncClient, config: dict[str, Any]
) -> None:
    error = await failure(client, f"http://127.0.0.1:{closed_port}/", **config)
    assert isinstance(error, RetryableNodeError)
    assert error.code == "http.unreachable"
    assert "Connection refused" in error.message


async def test_a_name_that_is_not_known_is_named(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await failure(client, "https://no-such-host.example/")
    assert isinstance(error, RetryableNodeError)
    assert error.code == "http.dns"
    assert "'no-such-host.example'" in error.message


@pytest.mark.parametrize("path", ["/slow", "/trickle"])
async def test_an_answer_that_takes_too_long_is_a_timeout(server: str, client: httpx.AsyncClient, path: str) -> None:
    error = await failure(client, server + path, timeout_ms=100)
    assert isinstance(error, RetryableNodeError)
    assert error.code == "http.timeout"


async def test_a_write_that_may_have_had_its_effect_is_retried_with_a_key_only(
    server: str, client: httpx.AsyncClient
) -> None:
    assert (await failure(client, f"{server}/slow", method="POST", timeout_ms=100)).retryable
    error = await failure(client, f"{server}/slow", method="POST", timeout_ms=100, idempotency_header=None)
    assert (error.code, error.retryable) == ("http.timeout", False)
    assert "idempotency" in error.remedy


async def test_a_server_that_is_silent_in_between_is_a_timeout_of_its_own(
    server: str, client: httpx.AsyncClient
) -> None:
    error = await failure(client, f"{server}/slow", read_timeout_ms=100)
    assert (error.code, error.retryable) == ("http.timeout", True)
    assert "silent for 100 ms" in error.message
    assert "`read_timeout_ms`" in error.remedy
    error = await failure(client, f"{server}/trickle", read_timeout_ms=5000, timeout_ms=200)
    assert "no whole answer within 200 ms" in error.message


async def test_no_connection_in_time_is_a_timeout_of_its_own(client: httpx.AsyncClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection and never answers the handshake
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        error = await failure(client, url, method="POST", idempotency_header=None, connect_timeout_ms=100)
    assert (error.code, error.retryable) == ("http.timeout", True), "nothing has been sent yet"
    assert "no connection within 100 ms" in error.message


async def test_a_failure_whose_body_does_not_come_is_told_nevertheless(server: str, client: httpx.AsyncClient) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 404 Gone\r\nContent-Length: 10\r\n\r\nhalf")
        connection.recv(1)

    with raw_server(answer) as url:
        error = await failure(client, url, timeout_ms=300)
        if error.code == "http.timeout":  # the machine is busy, and the head did not come in time either
            error = await failure(client, url, timeout_ms=10_000)
    assert (error.code, error.details["body"]) == ("http.404", "half")


async def test_a_letter_that_the_excerpt_cuts_in_two_is_left_out(client: httpx.AsyncClient) -> None:
    body = ("x" + "ü" * 40_000).encode()
    head = f"HTTP/1.1 404 Gone\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    with raw_server(lambda connection: connection.sendall(head.encode() + body)) as url:
        error = await failure(client, url)
    assert error.details["body"] == "x" + "ü" * 32_767


async def test_no_error_shows_what_a_server_sends_back(client: httpx.AsyncClient) -> None:
    with raw_server(lambda connection: connection.sendall(b"GET /?key=hunter2 and no HTTP\r\n\r\n")) as url:
        error = await failure(client, f"{url}/?key=hunter2")
    assert error.code == "http.disconnected"
    assert "no HTTP" in error.message
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"SSH-2.0-OpenSSH_9\r\n"],
    ids=["none", "half", "another protocol"],
)
async def test_a_connection_that_breaks_is_told(client: httpx.AsyncClient, answer: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        error = await failure(client, url)
        assert isinstance(error, RetryableNodeError)
        assert error.code == "http.disconnected"
        error = await failure(client, url, method="POST", idempotency_header=None)
        assert isinstance(error, FatalNodeError)


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def test_a_certificate_that_nobody_vouches_for_is_fatal(
    client: httpx.AsyncClient, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(application, certificate) as url:
        error = await failure(client, url)
        assert isinstance(error, FatalNodeError)
        assert error.code == "http.tls"
        assert "self" in error.message
        assert "SSL_CERT_FILE" in error.remedy

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # the control: trusted, it is fine
        async with make_client("open") as trusting:
            assert "GET" in await ask(trusting, url)


async def test_tls_with_a_server_that_speaks_none_is_told(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, server.replace("http:", "https:"))
    assert isinstance(error, RetryableNodeError)
    assert error.code == "http.tls"
    assert ssl.SSLError.__name__ not in error.message


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["text/plain", "image/png"])
async def test_an_answer_without_end_stops_at_the_limit(
    server: str, client: httpx.AsyncClient, media_type: str
) -> None:
    error = await failure(client, f"{server}/endless?{media_type}")
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.too_large"
    assert "10,485,760" in error.message


async def test_the_size_limit_can_be_set(server: str, client: httpx.AsyncClient) -> None:
    size = len(await ask(client, f"{server}/small-and-empty"))
    assert len(await ask(client, f"{server}/small-and-empty", max_response_bytes=size)) == size
    error = await failure(client, f"{server}/small-and-empty", max_response_bytes=size - 1)
    assert error.code == "http.too_large"


async def test_a_bomb_is_refused_and_what_is_below_the_ratio_is_not(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, f"{server}/bomb", max_response_bytes=64 * MEBIBYTE)
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.compression"
    assert "100:1" in error.message
    assert len(await ask(client, f"{server}/just-below-the-ratio")) > MEBIBYTE


@pytest.mark.parametrize("path", ["/unasked", "/no-gzip", "/cut-off"])
async def test_what_cannot_be_decoded_is_told(server: str, client: httpx.AsyncClient, path: str) -> None:
    error = await failure(client, server + path)
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.encoding"


# --- redirects ----------------------------------------------------------------------------------


async def test_redirects_without_end_stop_after_five(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, f"{server}/loop")
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.redirects"


async def test_the_body_of_a_redirect_is_not_waited_for(server: str, client: httpx.AsyncClient) -> None:
    assert (await ask(client, f"{server}/redirect?/there")).startswith("GET")


async def test_keys_stay_with_the_origin_that_they_are_for(server: str, client: httpx.AsyncClient) -> None:
    config = {
        "headers": {"X-Api-Key": "secret", "Accept": "text/plain"},
        "auth": {"type": "bearer", "token": "secret"},
    }
    with serving(application) as other:
        at_home = await ask(client, f"{server}/redirect-keeping-all?{server}/there", **config)
        elsewhere = await ask(client, f"{server}/redirect-keeping-all?{other}/there", **config)
    assert "HTTP_AUTHORIZATION" in at_home
    assert "HTTP_X_API_KEY" in at_home
    assert "HTTP_AUTHORIZATION" not in elsewhere
    assert "HTTP_X_API_KEY" not in elsewhere
    assert "HTTP_ACCEPT " in elsewhere


async def test_a_redirect_may_ask_for_the_body_once_more(server: str, client: httpx.AsyncClient) -> None:
    url = f"{server}/redirect-keeping-all?/there"
    for body in ("content", Blob.from_bytes(b"content")):
        assert (await ask(client, url, body, method="POST")).endswith(" content")


@pytest.mark.parametrize(
    "target",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://xn--/",
        "http://127.0.0.1:99999/",
        "http://[::1",
        "http://a b/",
    ],
)
async def test_a_redirect_to_another_protocol_is_fatal(server: str, client: httpx.AsyncClient, target: str) -> None:
    error = await failure(client, f"{server}/redirect?{target}")
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.redirects"


async def test_a_public_client_refuses_the_loopback_with_the_operators_remedy(server: str) -> None:
    async with make_client("public") as guarded:
        error = await failure(guarded, server)
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.address_refused"
    assert f"--allow-net {server.removeprefix('http://')}" in error.remedy


@pytest.mark.parametrize("path", ["/status/404", "/loop", "/slow"])
async def test_no_error_shows_the_query_or_the_password(server: str, client: httpx.AsyncClient, path: str) -> None:
    error = await failure(client, f"{server.replace('//', '//me:hunter2@')}{path}?type=hunter2", timeout_ms=200)
    assert "hunter2" not in str(error)
