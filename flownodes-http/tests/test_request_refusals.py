"""http.request refuses what cannot be sent before it sends anything, says why, and shows no secret."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from flownodes_http.request import Request
from flowruntime.authoring import FatalNodeError, NodeError
from flowruntime.http import make_client

from tests.attempts import attempt
from tests.http_server import serving


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return []


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


async def failure(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> NodeError:
    with pytest.raises(NodeError) as raised:
        await attempt(Request, {"url": url, "body": body}, config, client=client)
    assert raised.value.remedy
    return raised.value


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/path",
        "/path",
        "ftp://example.com",
        "file:///etc/passwd",
        "http://",
        "http://[::1",
        "http://xn--/",
        "http://example.com:99999/",
        "http://exa mple.com\n/",
    ],
)
async def test_what_is_no_url_is_fatal(client: httpx.AsyncClient, url: str) -> None:
    error = await failure(client, url)
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.url"


@pytest.mark.parametrize(
    "headers", [{"X y": "1"}, {"": "1"}, {"X-Key": "se\ncret"}, {"X-Key": "se\x00cret"}, {"X:": "secret"}]
)
async def test_a_header_that_http_cannot_carry_is_fatal(
    server: str, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    error = await failure(client, server, headers=headers)
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.headers"
    assert repr(next(iter(headers))) in error.message
    assert "cret" not in str(error)


async def test_a_token_that_http_cannot_carry_is_fatal_and_not_shown(server: str, client: httpx.AsyncClient) -> None:
    error = await failure(client, server, auth={"type": "bearer", "token": "sec\nret"})
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.headers"
    assert "ret" not in error.message.replace("secret", "")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"headers": {"X-A": "1", "x-a": "2"}}, "'X-A' and 'x-a'"),
        ({"headers": {"Host": ["a", "b"]}}, "'Host' cannot be repeated"),
        ({"headers": {"X-A": ["fine", "a\r\nX-Evil: hunter2"]}}, "'X-A' has a line break"),
        ({"headers": {"X-A\r\nX-Evil": "1"}}, "cannot be the name"),
        ({"headers": {"Authorization": "hunter2"}, "auth": {"type": "bearer", "token": "hunter2"}}, "Both"),
        ({"auth": {"type": "basic", "username": "a:hunter2", "password": "p"}}, "colon"),
        ({"auth": {"type": "bearer", "token": " "}}, "empty"),
        ({"method": "PUT", "idempotency_header": "My Key"}, "'My Key'"),
        ({"method": "PUT", "idempotency_header": "Content-Length"}, "'Content-Length'"),
    ],
    ids=str,
)
async def test_headers_that_cannot_be_meant_are_refused(
    server: str, client: httpx.AsyncClient, config: dict[str, Any], says: str
) -> None:
    error = await failure(client, server, **config)
    assert (type(error), error.code) == (FatalNodeError, "http.headers")
    assert says in error.message
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
async def test_a_header_that_follows_from_the_body_cannot_be_set(
    server: str, client: httpx.AsyncClient, name: str
) -> None:
    error = await failure(client, server, "content", method="POST", headers={name: "3"})
    assert isinstance(error, FatalNodeError)
    assert error.code == "http.headers"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("example.com/path?hunter2", "Write the whole URL: https://example.com/path."),
        ("localhost:8080/x", "Write the whole URL: https://localhost:8080/x."),
        ("/path", "Write the whole URL: https://example.com/path."),
        ("  ", "The URL is empty."),
        ("ftp://example.com", "other protocols are not spoken"),
        ("mailto:a@b", "other protocols are not spoken"),
        ("http://exa mple.com/", "its host"),
        ("http://example.com/a\nb", "control character"),
        ("http://example.com:port/", "its port is no number"),
        ("http://1.2.3.999/", "its host is no address"),
        ("http://:80/", "it has no host"),
        ("https://" + "a" * 70000, "65,536"),
        (5, "is no text"),
    ],
    ids=repr,
)
async def test_what_is_wrong_with_a_url_and_what_to_write_is_said(
    client: httpx.AsyncClient, url: Any, says: str
) -> None:
    error = await failure(client, url)
    assert error.code == "http.url"
    assert says in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "//me:hunter2@host?hunter2",
        "gopher://me:hunter2@x/?a=hunter2",
        "http://me:pa/hunter2@host/",
        "http://me:1?hunter2@host:x/",
        "http://me:hunter2#@host:x/",
        "http://host:x/#hunter2",
        "me:hunter2@host/path",
    ],
)
async def test_no_secret_of_a_bad_url_is_shown(client: httpx.AsyncClient, url: str) -> None:
    assert "hunter2" not in str(await failure(client, url))
