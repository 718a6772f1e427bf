"""http.request goes through the proxies that the environment names, unless it may reach the public only."""

import base64
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, Literal

import pytest
from flowcore.errors import InstallationError
from flownodes_http.request import Request
from flowruntime.authoring import NodeError
from flowruntime.http import make_client

from tests.attempts import Attempt, attempt
from tests.http_server import make_certificate, serving

PASSWORD = "hunter2"


class Proxy(ThreadingTCPServer):
    """A forward proxy: passes plain requests on and makes tunnels; wants user and password if it is told to."""

    daemon_threads = True

    def __init__(self, *, locked: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.locked = locked
        #: The first line of each request.
        self.seen: list[str] = []

    def place(self, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.server_address[1]}"


class _Passing(StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        lines = list(iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ""))
        if not lines:
            return
        self.server.seen.append(lines[0])
        key = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        if self.server.locked and f"proxy-authorization: Basic {key}".lower() not in map(str.lower, lines):
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = lines[0].split()
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as upstream:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = Thread(target=_copy, args=(upstream, self.connection))
                back.start()
                _copy(self.connection, upstream)
                back.join()
            return
        place, _, path = target.removeprefix("http://").partition("/")
        host, _, port = place.rpartition(":")
        kept = [line for line in lines[1:] if not line.lower().startswith(("proxy-", "connection:"))]
        with socket.create_connection((host, int(port))) as upstream:
            head = [f"{method} /{path} HTTP/1.1", *kept, "Via: 1.1 proxy", "Connection: close", "", ""]
            upstream.sendall("\r\n".join(head).encode())
            _copy(upstream, self.connection)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running(Proxy()) as made:
        yield made


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ.get('HTTP_VIA', 'direct')} {environ.get('HTTP_PROXY_AUTHORIZATION', 'no key')}".encode()]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(application) as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


async def ask(url: str, net: Literal["open", "public"] = "open", **config: Any) -> Attempt:
    place = url.partition("//")[2].partition("/")[0]
    async with make_client(net, [place] if net == "public" else ()) as client:
        return await attempt(Request, {"url": url}, config, client=client)


async def test_plain_requests_go_through_the_proxy(server: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await ask(server)).outputs["body"] == "direct no key"  # the control
    monkeypatch.setenv("http_proxy", proxy.place())
    assert (await ask(f"{server}/a?b=c")).outputs["body"] == "1.1 proxy no key"
    assert proxy.seen == [f"GET {server}/a?b=c HTTP/1.1"]


async def test_tls_goes_through_a_tunnel_and_is_checked_at_its_end(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    monkeypatch.setenv("https_proxy", proxy.place())
    with serving(application, files) as url:
        with pytest.raises(NodeError) as raised:
            await ask(url)
        assert raised.value.code == "http.tls"
        done = await ask(url, tls={"ca": str(files[0])})
    assert done.outputs["body"] == "direct no key", "nobody but the server reads what is inside"
    assert proxy.seen == [f"CONNECT {url.removeprefix('https://')} HTTP/1.1"] * 2


async def test_hosts_that_need_no_proxy_are_asked_directly(
    server: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy.place())
    assert "proxy" in str((await ask(server)).outputs["body"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert (await ask(server)).outputs["body"] == "direct no key"


async def test_a_client_for_the_public_only_uses_no_proxy(
    server: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.place())
    assert (await ask(server, "public")).outputs["body"] == "direct no key"
    assert proxy.seen == []


async def test_user_and_password_go_to_the_proxy_and_nowhere_else(
    server: str, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path]
) -> None:
    with running(Proxy(locked=True)) as locked, serving(application, files) as secure:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, locked.place(f"me:{PASSWORD}@"))
        assert (await ask(server)).outputs["body"] == "1.1 proxy no key"
        assert (await ask(secure, tls={"verify": False})).outputs["body"] == "direct no key"
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, locked.place("me:wrong@"))
        for url, code in ((server, "http.407"), (secure, "http.proxy")):
            with pytest.raises(NodeError) as raised:
                await ask(url)
            assert raised.value.code == code
            assert "proxy" in raised.value.remedy
            assert "wrong" not in str(raised.value)


async def test_a_proxy_that_is_not_there_is_thought_of(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://me:{PASSWORD}@127.0.0.1:{port}")
    with pytest.raises(NodeError) as raised:
        await ask(server)
    assert raised.value.code == "http.unreachable"
    assert "the proxy that the environment names" in raised.value.remedy
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("scheme", ["socks5", "ftp"])
async def test_a_proxy_that_cannot_be_used_is_the_installations_fault(
    server: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("all_proxy", f"{scheme}://me:{PASSWORD}@127.0.0.1:1080")
    with pytest.raises(InstallationError) as raised:
        await ask(server)
    assert raised.value.code == "network.proxy"
    assert "all_proxy" in raised.value.message
    assert PASSWORD not in str(raised.value)
