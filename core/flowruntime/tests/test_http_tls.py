"""A request may say its TLS settings; connections are pooled by them and closed together with the client."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from flowcore.errors import FatalNodeError
from flowruntime.http import Tls, make_client

from tests.http_server import make_certificate


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the number of the connection and the name in the client's certificate."""
        peer: Any = self.connection.getpeercert()
        body = f"{self.client_address[1]} {dict(peer['subject'][0])['commonName'] if peer else None}".encode()
        self.send_response(200)
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
def tls_server(certificate: tuple[Path, Path], clients: Path | None = None) -> Iterator[str]:
    """A server on a free port; with `clients` it asks for a certificate that this one vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
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


def made(folder: Path, name: str) -> tuple[Path, Path]:
    folder.joinpath(name).mkdir()
    return make_certificate(folder / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def certificate(folder: Path) -> tuple[Path, Path]:
    return made(folder, "server")


@pytest.fixture(scope="module")
def mine(folder: Path) -> tuple[Path, Path]:
    """A certificate of a client, and its key."""
    return made(folder, "client")


@pytest.fixture(scope="module")
def server(certificate: tuple[Path, Path]) -> Iterator[str]:
    with tls_server(certificate) as url:
        yield url


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def get(client: httpx.AsyncClient, url: str, tls: Tls | None = None) -> str:
    return (await client.get(url, extensions={} if tls is None else {"tls": tls})).text


async def test_a_certificate_is_checked_unless_the_request_says_otherwise(server: str) -> None:
    async with make_client("open") as client:
        for tls in (None, Tls()):
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await get(client, server, tls)
        assert (await get(client, server, Tls(verify=False))).endswith("None")
        with pytest.raises(httpx.ConnectError):  # what one request allows is not allowed to the next
            await get(client, server)


async def test_authorities_are_given_as_a_file_or_as_text(server: str, certificate: tuple[Path, Path]) -> None:
    for ca in (str(certificate[0]), certificate[0].read_text()):
        async with make_client("open") as client:
            assert await get(client, server, Tls(ca=ca))


async def test_authorities_of_ones_own_stand_in_place_of_the_usual_ones(server: str, mine: tuple[Path, Path]) -> None:
    async with make_client("open") as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await get(client, server, Tls(ca=str(mine[0])))


def encrypted(key: Path) -> Path:
    locked = key.with_suffix(".locked")
    opened = load_pem_private_key(key.read_bytes(), None)
    lock = BestAvailableEncryption(b"hunter2")
    locked.write_bytes(opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return locked


async def test_a_client_shows_its_certificate(certificate: tuple[Path, Path], mine: tuple[Path, Path]) -> None:
    authority = str(certificate[0])
    shown, key = mine
    both = shown.read_text() + key.read_text()
    locked = encrypted(key)
    with tls_server(certificate, clients=shown) as url:
        async with make_client("open") as client:
            with pytest.raises(httpx.ReadError, match="CERTIFICATE_REQUIRED"):  # the control: it insists
                await get(client, url, Tls(ca=authority))
            for tls in (
                Tls(ca=authority, certificate=str(shown), key=str(key)),
                Tls(ca=authority, certificate=shown.read_text(), key=key.read_text()),
                Tls(ca=authority, certificate=both),
                Tls(ca=authority, certificate=str(shown), key=str(locked), key_password="hunter2"),
            ):
                assert (await get(client, url, tls)).endswith("127.0.0.1")


async def test_connections_are_shared_by_those_with_the_same_settings_only(
    server: str, certificate: tuple[Path, Path]
) -> None:
    trusting, careless = Tls(ca=str(certificate[0])), Tls(verify=False)
    async with make_client("open") as client:
        first = await get(client, server, trusting)
        assert await get(client, server, Tls(ca=str(certificate[0]))) == first
        assert await get(client, server, careless) != first
        assert await get(client, server, trusting) == first


async def test_a_file_that_was_renewed_is_read_again(
    server: str, certificate: tuple[Path, Path], mine: tuple[Path, Path], tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(mine[0].read_bytes())
    tls = Tls(ca=str(bundle))
    async with make_client("open") as client:
        with pytest.raises(httpx.ConnectError):
            await get(client, server, tls)
        bundle.write_bytes(certificate[0].read_bytes() * 2)
        assert await get(client, server, tls)


async def test_pools_beyond_sixteen_are_closed_but_none_that_is_in_use(
    server: str, certificate: tuple[Path, Path]
) -> None:
    pem = certificate[0].read_text()
    async with make_client("open") as client:
        request = client.build_request("GET", server, extensions={"tls": Tls(ca=pem)})
        held = await client.send(request, stream=True)
        numbers = [await get(client, server, Tls(ca=pem + "\n" * count)) for count in range(1, 20)]
        last = await get(client, server, Tls(ca=pem + "\n" * 19))
        assert last == numbers[-1], "used a moment ago, so it is still open"
        evicted = await get(client, server, Tls(ca=pem + "\n"))
        assert evicted != numbers[0]
        number = (await held.aread()).decode()
        assert await get(client, server, Tls(ca=pem)) == number


async def test_all_pools_are_closed_with_the_client(server: str) -> None:
    client = make_client("open")
    request = client.build_request("GET", server, extensions={"tls": Tls(verify=False)})
    response = await client.send(request, stream=True)
    await response.aread()
    stream = response.extensions["network_stream"]
    connection: socket.socket = stream.get_extra_info("socket")
    assert connection.fileno() >= 0
    await client.aclose()
    assert connection.fileno() == -1


async def test_a_public_client_reads_no_files_but_takes_texts(server: str, certificate: tuple[Path, Path]) -> None:
    async with make_client("public", [server.removeprefix("https://").rstrip("/")]) as client:
        for tls in (Tls(ca=str(certificate[0])), Tls(certificate="/etc/shadow"), Tls(key="/no/such/file")):
            with pytest.raises(FatalNodeError, match="no files are read") as raised:
                await get(client, server, tls)
            assert "secrets" in raised.value.remedy
        assert await get(client, server, Tls(ca=certificate[0].read_text()))
        assert await get(client, server, Tls(verify=False))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ca": "{folder}/none.pem"}, "`tls.ca` names cannot be read: No such file"),
        ({"ca": "hunter2\0"}, "`tls.ca` names cannot be read"),
        ({"ca": "{folder}"}, "`tls.ca` names cannot be read: Is a directory"),
        ({"ca": "{key}"}, "`tls.ca` holds no certificates"),
        ({"ca": "-----BEGIN hunter2"}, "`tls.ca` holds no certificates"),
        ({"certificate": "{shown}", "key": "hunter2"}, "`tls.key` names cannot be read"),
        ({"certificate": "{shown}"}, "its key is missing"),
        ({"key": "{key}"}, "without `tls.certificate`"),
        ({"certificate": "{other}", "key": "{key}"}, "belongs to another one"),
        ({"certificate": "{shown}", "key": "{locked}"}, "another password"),
        ({"certificate": "{shown}", "key": "{locked}", "key_password": "wrong"}, "another password"),
    ],
    ids=str,
)
async def test_settings_that_cannot_be_used_are_told_without_a_secret(
    server: str, certificate: tuple[Path, Path], mine: tuple[Path, Path], settings: dict[str, str], says: str
) -> None:
    shown, key = mine
    places = {"shown": shown, "key": key, "locked": encrypted(key), "other": certificate[0], "folder": shown.parent}
    tls = Tls(**{name: text.format(**places) for name, text in settings.items()})  # type: ignore[arg-type]
    async with make_client("open") as client:
        with pytest.raises(FatalNodeError) as raised:
            await get(client, server, tls)
    assert (raised.value.code, raised.value.retryable) == ("http.tls", False)
    assert says in raised.value.message
    assert "hunter2" not in str(raised.value)


def test_settings_do_not_show_the_key() -> None:
    assert "hunter2" not in repr(Tls(certificate="c", key="hunter2", key_password="hunter2"))


async def test_a_handshake_takes_no_longer_than_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        async with make_client("open") as client:
            with pytest.raises(httpx.ConnectTimeout):
                await client.get(url, timeout=httpx.Timeout(30, connect=0.1), extensions={"tls": Tls(verify=False)})
