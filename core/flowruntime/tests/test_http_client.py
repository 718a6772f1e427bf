"""The shared HTTP client connects where the network policy says, and to nothing else."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import httpcore
import httpx
import pytest
from flowcore.errors import InstallationError
from flowruntime.http import AddressRefusedError, make_client
from flowruntime.http.guard import PublicBackend

from tests.http_server import serving


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/to-loopback":
        start_response("302 Found", [("Location", environ["QUERY_STRING"]), ("Content-Length", "0")])
        return []
    cookie = environ.get("HTTP_COOKIE", "none")
    start_response("200 OK", [("Set-Cookie", "id=1; Path=/"), ("Content-Type", "text/plain")])
    return [f"cookies: {cookie}".encode()]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(application) as url:
        yield url


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


async def test_an_open_client_reaches_the_loopback_and_a_public_one_does_not(server: str) -> None:
    async with make_client("open") as client:
        assert (await client.get(server)).status_code == 200
    async with make_client("public") as client:
        with pytest.raises(AddressRefusedError) as raised:
            await client.get(server)
    place = server.removeprefix("http://")
    assert raised.value.code == "http.address_refused"
    assert f"--allow-net {place}, " in raised.value.remedy
    assert f'allow_net = ["{place}"]' in raised.value.remedy
    assert not raised.value.retryable


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f000001", "2130706433", "0177.1", "localhost", "LOCALHOST", "0"],
)
async def test_no_spelling_of_the_loopback_gets_through(server: str, host: str) -> None:
    url = f"http://{host}:{server.rpartition(':')[2]}/"
    async with make_client("open") as client:  # the control: the spelling is one that reaches the server
        assert (await client.get(url)).status_code == 200
    async with make_client("public") as client:
        with pytest.raises(AddressRefusedError):
            await client.get(url)


@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "[64:ff9b::7f00:1]"])
async def test_no_wrapping_of_the_loopback_gets_through(server: str, host: str) -> None:
    async with make_client("public") as client:
        with pytest.raises(AddressRefusedError, match="loopback"):
            await client.get(f"http://{host}:{server.rpartition(':')[2]}/")


async def test_only_the_exact_host_and_port_that_are_allowed_get_through(server: str) -> None:
    port = int(server.rpartition(":")[2])
    async with make_client("public", [f"127.0.0.1:{port}"]) as client:
        assert (await client.get(server)).status_code == 200
        for other in (f"http://localhost:{port}/", f"http://127.0.0.1:{port % 65535 + 1}/"):
            with pytest.raises(AddressRefusedError):
                await client.get(other)


async def test_a_redirect_from_an_allowed_place_is_checked_too(server: str) -> None:
    port = server.rpartition(":")[2]
    url = f"{server}/to-loopback?http://localhost:{port}/"
    async with make_client("open") as client:
        assert (await client.get(url, follow_redirects=True)).text.startswith("cookies")
    async with make_client("public", [f"127.0.0.1:{port}"]) as client:
        with pytest.raises(AddressRefusedError, match="localhost"):
            await client.get(url, follow_redirects=True)


async def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answers(host: str, port: int, **_: Any) -> list[Any]:
        kind, protocol = socket.AF_INET, socket.IPPROTO_TCP
        return [(kind, 1, protocol, "", (address, port)) for address in ("1.1.1.1", "10.0.0.5")]

    monkeypatch.setattr(anyio, "getaddrinfo", answers)
    with pytest.raises(AddressRefusedError, match="private") as raised:
        await PublicBackend().connect_tcp("rebinding.example", 80)
    assert "10.0.0.5" not in str(raised.value), "what a name means inside is nobody's business"


async def test_the_socket_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    connected: list[str] = []

    async def answers(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("1.1.1.1", "1.0.0.1")]

    async def connect(remote_host: str, remote_port: int, **_: Any) -> Any:
        connected.append(remote_host)
        raise OSError("no route")

    monkeypatch.setattr(anyio, "getaddrinfo", answers)
    monkeypatch.setattr(anyio, "connect_tcp", connect)
    with pytest.raises(httpcore.ConnectError):
        await PublicBackend().connect_tcp("name.example", 80)
    assert asked == ["name.example"]
    assert connected == ["1.1.1.1", "1.0.0.1"]


async def test_an_unknown_name_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with make_client("public") as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://does-not-exist.invalid/")


async def test_socket_files_are_refused() -> None:
    with pytest.raises(AddressRefusedError, match=r"/run/docker\.sock"):
        await PublicBackend().connect_unix_socket("/run/docker.sock")


@pytest.mark.parametrize(("net", "used"), [("open", True), ("public", False)])
async def test_proxies_of_the_environment_are_used_by_an_open_client_only(
    server: str, monkeypatch: pytest.MonkeyPatch, net: Any, used: bool
) -> None:
    seen: list[str] = []

    def proxy(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["REQUEST_URI"])
        start_response("200 OK", [])
        return [b"from the proxy"]

    with serving(proxy) as proxy_url:
        monkeypatch.setenv("http_proxy", proxy_url)
        async with make_client(net, [server.removeprefix("http://")]) as client:
            text = (await client.get(server)).text
    assert (text == "from the proxy") is used
    assert bool(seen) is used


@pytest.mark.parametrize("net", ["open", "public"])
async def test_cookies_do_not_travel_from_one_request_to_the_next(server: str, net: Any) -> None:
    async with make_client(net, [server.removeprefix("http://")]) as client:
        for _ in range(2):
            assert (await client.get(server)).text == "cookies: none"


async def test_urls_are_not_logged_unless_someone_asks_for_it(server: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with make_client("open") as client:
        await client.get(f"{server}/?key=secret")
    assert "secret" not in caplog.text


@pytest.mark.parametrize("entry", ["localhost", "localhost:", ":80", "::1:80", "localhost:http", "a:²"])
def test_an_allowed_place_that_is_no_host_and_port_is_refused(entry: str) -> None:
    with pytest.raises(InstallationError, match="no HOST:PORT") as raised:
        make_client("public", [entry])
    assert raised.value.code == "network.allow_net"


def test_importing_the_module_loads_no_httpx() -> None:
    code = "import sys, flowruntime.http; print({'httpx', 'httpcore', 'anyio', 'asyncio'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout == "set()\n"
