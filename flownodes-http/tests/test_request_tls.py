"""http.request trusts whom its config says, shows its certificate to its own origin only, and says what failed."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from flownodes_http.request import Request
from flowruntime.authoring import FatalNodeError, NodeError
from flowruntime.http import make_client

from tests.attempts import Attempt, attempt
from tests.http_server import make_certificate


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Redirect to the query, else answer whether a certificate was shown."""
        target = unquote(self.path.partition("?")[2])
        shown: Any = self.connection.getpeercert()
        self.send_response(302 if target else 200)
        self.send_header("Location" if target else "X-None", target)
        self.send_header("Content-Type", "text/plain")
        body = b"shown" if shown else b"none"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Handshakes that fail are what the tests want."""

    def shutdown_request(self, request: Any) -> None:
        """Read to the end before closing: a reset would overtake the alert."""
        with suppress(OSError):
            socket.socket.shutdown(request, socket.SHUT_WR)
            while socket.socket.recv(request, 65536):
                pass
        request.close()


@contextmanager
def tls_server(
    files: tuple[Path, Path], clients: Path, *, asks: ssl.VerifyMode, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    context.verify_mode = asks
    context.load_verify_locations(clients)
    context.maximum_version = newest
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key, which server and client share here."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(files: tuple[Path, Path]) -> Iterator[str]:
    with tls_server(files, files[0], asks=ssl.CERT_OPTIONAL) as url:
        yield url


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    async with make_client("open") as made:
        yield made


async def ask(client: httpx.AsyncClient, url: str, **config: Any) -> Attempt:
    return await attempt(Request, {"url": url}, config, client=client)


async def test_an_unchecked_certificate_is_warned_of_every_time(server: str, client: httpx.AsyncClient) -> None:
    with pytest.raises(NodeError) as raised:  # the control
        await ask(client, server)
    assert raised.value.code == "http.tls"
    assert "`tls.ca`" in raised.value.remedy
    for _ in range(2):
        done = await ask(client, f"{server}p", tls={"verify": False})
        assert done.outputs["body"] == "none"
        assert [kind for kind, _ in done.events] == ["Warning", "Info"]
        assert "is not checked" in done.events[0][1]


async def test_an_authority_is_trusted_without_a_warning(
    server: str, client: httpx.AsyncClient, files: tuple[Path, Path]
) -> None:
    for ca in (str(files[0]), files[0].read_text()):
        done = await ask(client, server, tls={"ca": ca})
        assert [kind for kind, _ in done.events] == ["Info"]


async def test_a_client_certificate_does_not_go_to_another_origin(
    server: str, client: httpx.AsyncClient, files: tuple[Path, Path]
) -> None:
    tls = {"verify": False, "certificate": str(files[0]), "key": str(files[1])}
    assert (await ask(client, server, tls=tls)).outputs["body"] == "shown"
    assert (await ask(client, f"{server}?{server}there", tls=tls)).outputs["body"] == "shown"
    with tls_server(files, files[0], asks=ssl.CERT_OPTIONAL) as other:
        done = await ask(client, f"{server}?{other}", tls=tls)
    assert done.outputs["body"] == "none"
    assert ("Warning", "The redirect leads to another origin, where these are not sent: the client certificate.") in (
        done.events
    )


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_insists_on_a_certificate_is_told_apart(
    client: httpx.AsyncClient, files: tuple[Path, Path], newest: ssl.TLSVersion
) -> None:
    with tls_server(files, files[0], asks=ssl.CERT_REQUIRED, newest=newest) as url:
        with pytest.raises(FatalNodeError) as raised:
            await ask(client, url, tls={"ca": str(files[0])})
        assert raised.value.code == "http.tls"
        assert "refused the TLS connection" in raised.value.message
        assert "`tls.certificate`" in raised.value.remedy
        tls = {"ca": str(files[0]), "certificate": str(files[0]), "key": str(files[1])}
        assert (await ask(client, url, tls=tls)).outputs["body"] == "shown"
