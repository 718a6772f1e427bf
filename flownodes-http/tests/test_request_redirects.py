"""http.request goes where redirects point, and takes nothing along that is for one origin only."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from flownodes_http.request import Request
from flowruntime.authoring import Blob, FatalNodeError
from flowruntime.http import make_client

from tests.attempts import Attempt, attempt
from tests.http_server import serving


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """`/301?URL` redirects, everything else is an echo."""
    path = environ["PATH_INFO"][1:]
    if path.isdigit():
        target = unquote(environ["QUERY_STRING"])
        start_response(f"{path} Elsewhere", [("Location", target), ("Content-Length", "0")])
        return []
    echo = {
        "method": environ["REQUEST_METHOD"],
        "url": environ["REQUEST_URI"],
        "body": environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode(),
        "names": sorted(name for name in environ if name.startswith("HTTP_")),
        "host": environ["HTTP_HOST"],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(echo).encode()]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(application) as url:
        yield url


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    async with make_client("open") as made:
        yield made


async def ask(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> Attempt:
    return await attempt(Request, {"url": url, "body": body}, config, client=client)


def got(done: Attempt) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(str(done.outputs["body"]))
    return answer


@pytest.mark.parametrize(
    ("status", "method", "follows_as"),
    [
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (301, "HEAD", "HEAD"),
        (302, "POST", "GET"),
        (302, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
async def test_the_method_after_a_redirect_is_that_of_httpx(
    server: str, client: httpx.AsyncClient, *, status: int, method: str, follows_as: str
) -> None:
    url = f"{server}/{status}?/there"
    body = "content" if method in ("POST", "PUT", "PATCH") else None
    done = await ask(client, url, body, method=method)
    theirs = await client.request(method, url, content=body, follow_redirects=True)
    assert done.events[-1] == ("Info", f"{follows_as} {server}/there")
    assert theirs.request.method == follows_as
    if follows_as != "HEAD":
        assert got(done)["method"] == follows_as
        assert got(done)["body"] == (body if follows_as == method and body else "")


async def test_parts_are_sent_once_more(server: str, client: httpx.AsyncClient) -> None:
    body = {"a": "1", "file": Blob.from_bytes(b"content")}
    assert (
        "content"
        in got(await ask(client, f"{server}/307?/there", body, method="POST", body_format="multipart"))["body"]
    )


async def test_each_step_is_announced_and_the_last_url_is_given_both_without_queries(
    server: str, client: httpx.AsyncClient
) -> None:
    done = await ask(client, f"{server.replace('//', '//me:hunter2@')}/302?{server}/there?key=hunter2%23part")
    masked = server.replace("//", "//…@")
    assert done.events == [("Info", f"GET {masked}/302?…"), ("Info", f"GET {server}/there?…")]
    assert got(done)["url"] == "/there?key=hunter2"
    assert done.outputs["url"] == f"{server}/there"
    assert (await ask(client, server.replace("//", "//me:hunter2@") + "/a?b=c")).outputs["url"] == f"{server}/a"


async def test_a_redirect_that_is_not_followed_is_a_result(server: str, client: httpx.AsyncClient) -> None:
    done = await ask(client, f"{server}/302?/there", follow_redirects=False)
    headers: Any = done.outputs["headers"]
    assert (done.outputs["status"], headers["location"], done.outputs["url"]) == (302, "/there", f"{server}/302")


@pytest.mark.parametrize("steps", [0, 1, 7])
async def test_the_number_of_redirects_can_be_set(server: str, client: httpx.AsyncClient, steps: int) -> None:
    url = "/there"
    for _ in range(steps + 1):
        url = f"/302?{url.replace('%', '%25').replace('?', '%3F')}"
    assert "GET" in str((await ask(client, server + url, max_redirects=steps + 1)).outputs["body"])
    with pytest.raises(FatalNodeError, match=f"more than {steps} times") as raised:
        await ask(client, server + url, max_redirects=steps)
    assert raised.value.code == "http.redirects"


async def test_what_is_for_one_origin_does_not_follow_to_another_and_does_not_come_back(
    server: str, client: httpx.AsyncClient
) -> None:
    config = {
        "headers": {"X-Api-Key": "k", "Cookie": "id=1", "Accept": "application/json", "X-Null": None},
        "auth": {"type": "bearer", "token": "t"},
    }
    secret = {"HTTP_AUTHORIZATION", "HTTP_X_API_KEY", "HTTP_COOKIE"}
    home = got(await ask(client, f"{server}/302?/there", **config))
    assert secret <= set(home["names"]), "the control: the same origin gets them"
    with serving(application) as other:
        done = await ask(client, f"{server}/302?{other}/there", **config)
        back = got(await ask(client, f"{server}/302?{other}/302%3F{server}/there", **config))
    for elsewhere in (got(done), back):
        assert secret.isdisjoint(elsewhere["names"])
        assert "HTTP_ACCEPT" in elsewhere["names"]
    (warning,) = [message for kind, message in done.events if kind == "Warning"]
    assert "Authorization, Cookie, X-Api-Key" in warning


@pytest.mark.parametrize("spelling", ["localhost", "127.1"])
async def test_another_name_of_the_same_host_is_another_origin(
    server: str, client: httpx.AsyncClient, spelling: str
) -> None:
    elsewhere = server.replace("127.0.0.1", spelling)
    done = await ask(client, f"{server}/302?{elsewhere}/there", auth={"type": "bearer", "token": "t"})
    assert "HTTP_AUTHORIZATION" not in got(done)["names"]
    assert got(done)["host"] == elsewhere.removeprefix("http://")


async def test_a_host_header_of_ones_own_stays_at_home(server: str, client: httpx.AsyncClient) -> None:
    config = {"headers": {"Host": "virtual.example"}}
    assert got(await ask(client, f"{server}/there", **config))["host"] == "virtual.example"
    with serving(application) as other:
        done = await ask(client, f"{server}/302?{other}/there", **config)
    assert got(done)["host"] == other.removeprefix("http://")
