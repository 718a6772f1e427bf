"""http.request sends what its inputs and config say and gives what the server answers."""

import base64
import gzip
import json
import socket
import warnings
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream
from flowcore.nodes import effects_of
from flownodes_http.request import Request
from flowruntime.authoring import Blob, NodeError
from flowruntime.http import make_client
from flowruntime.registry import check_catalog

from tests.attempts import Attempt, attempt, node_type_of
from tests.http_server import serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what httpbin imports is not ours to mend
    from httpbin import app as httpbin

BODIES: dict[str, tuple[bytes, str]] = {
    "/latin": ("Grüße".encode("latin-1"), "text/plain; charset=iso-8859-1"),
    "/undeclared-latin": ("Grüße".encode("latin-1"), "text/plain"),
    "/utf-8": ("Grüße ☃".encode(), "text/plain"),
    "/bom": ("\ufeffGrüße".encode(), "text/html; charset=utf-8"),
    "/utf-16": ("Grüße".encode("utf-16"), "text/csv"),
    "/odd-charset": (b"plain", "text/plain; charset=klingon"),
    "/codec-charset": (b"plain", "text/plain; charset=base64"),
    "/surrogates": (b"+2AA-", "text/plain; charset=utf-7"),
    "/wrong-charset": ("Grüße".encode("latin-1"), "text/plain; charset=utf-8"),
    "/wrong-mark": ("\ufeffGrüße".encode(), "text/plain; charset=latin-1"),
    "/utf-16-unmarked": ("Grüße".encode("utf-16-le"), "text/plain; charset=UTF-16"),
    "/quoted-charset": ("Grüße".encode("cp1252"), 'text/plain; format=flowed; Charset="windows-1252"'),
    "/shift-jis": ("日本".encode("shift_jis"), "text/html; charset=Shift_JIS"),
    "/octets": ("Grüße".encode(), "application/octet-stream"),
    "/problem": (b'{"title": 1}', "application/problem+json"),
    "/svg": (b"<svg/>", "image/svg+xml"),
    "/form": (b"a=1", "application/x-www-form-urlencoded"),
    "/untyped-text": ("Grüße".encode(), ""),
    "/untyped-bytes": (b"\xff\xfe\xfd\x80", ""),
    "/pdf": (b"%PDF-" + b"x" * 300_000, "Application/PDF; name=x"),
    "/empty-pdf": (b"", "application/pdf"),
}


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers what the tables say, an echo otherwise."""
    path = environ["PATH_INFO"]
    if path in BODIES:
        body, media_type = BODIES[path]
        start_response("200 OK", [("Content-Type", media_type)] if media_type else [])
        return [body]
    if path.startswith("/status/"):
        status = path.rpartition("/")[2]
        start_response(f"{status} Status", [("Content-Type", "application/pdf"), ("ETag", "1")])
        return []
    if path == "/cookies":
        cookies = [("Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"), ("Set-Cookie", "b=2")]
        start_response("200 OK", [*cookies, ("Content-Type", "text/plain")])
        return [b""]
    if path == "/repeated-headers":
        start_response("200 OK", [("X-A", "1"), ("X-A", "2"), ("X-B", "ä"), ("Content-Type", "text/plain")])
        return [b""]
    if path.startswith("/coded/"):
        text = b"coded " * 1000
        coded = {
            "gzip": gzip.compress(text),
            "two": gzip.compress(text[:3000]) + gzip.compress(text[3000:]) + b"\0\0",
            "deflate": zlib.compress(text),
            "raw": zlib.compress(text)[2:-4],
        }
        name = path.rpartition("/")[2]
        coding = "deflate" if name in ("deflate", "raw") else "gzip"
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", coding)])
        return [coded[name]]
    names = [name for name in environ if name.startswith(("HTTP_", "CONTENT_"))]
    echo = {
        "method": environ["REQUEST_METHOD"],
        "url": environ["REQUEST_URI"],
        "headers": {name.removeprefix("HTTP_"): environ[name] for name in names},
        "body": base64.b64encode(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))).decode(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(echo).encode()]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(application) as url:
        yield url


@pytest.fixture(scope="module")
def httpbin_server() -> Iterator[str]:
    with serving(httpbin) as url:
        yield url


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with make_client("open") as made:
        yield made


async def ask(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> Attempt:
    return await attempt(Request, {"url": url, "body": body}, config, client=client)


async def echo(client: httpx.AsyncClient, url: str, body: Any = None, **config: Any) -> dict[str, Any]:
    """What the server got."""
    done = await ask(client, url, body, **config)
    answer: dict[str, Any] = json.loads(done.outputs["body"])
    answer["body"] = base64.b64decode(answer["body"])
    return answer


# --- against httpbin ----------------------------------------------------------------------------


async def test_a_get_gives_status_text_and_headers(httpbin_server: str, client: httpx.AsyncClient) -> None:
    done = await ask(client, f"{httpbin_server}/get", query={"page": 2, "tag": ["a b", "ü"], "no": None})
    assert done.outputs["status"] == 200
    assert json.loads(done.outputs["body"])["args"] == {"page": "2", "tag": ["a b", "ü"]}
    assert done.outputs["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_an_object_goes_out_as_json(httpbin_server: str, client: httpx.AsyncClient, method: str) -> None:
    url = f"{httpbin_server}/{method.lower()}"
    done = await ask(client, url, {"name": "Zoë", "n": [1, None]}, method=method)
    got = json.loads(done.outputs["body"])
    assert got["json"] == {"name": "Zoë", "n": [1, None]}
    assert got["headers"]["Content-Type"] == "application/json"


async def test_a_form_goes_out_when_the_headers_say_so(httpbin_server: str, client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = {"a": "1 2", "b": ["x", "y"], "yes": True, "none": None}
    done = await ask(client, f"{httpbin_server}/post", body, method="POST", headers=headers)
    assert json.loads(done.outputs["body"])["form"] == {"a": "1 2", "b": ["x", "y"], "yes": "true"}


async def test_basic_and_bearer_authentication_are_sent(httpbin_server: str, client: httpx.AsyncClient) -> None:
    basic = {"type": "basic", "username": "ada", "password": "p:w ü"}
    done = await ask(client, f"{httpbin_server}/basic-auth/ada/p:w ü", auth=basic)
    assert json.loads(done.outputs["body"])["authenticated"] is True
    done = await ask(client, f"{httpbin_server}/bearer", auth={"type": "bearer", "token": "t0k3n\n"})
    assert json.loads(done.outputs["body"]) == {"authenticated": True, "token": "t0k3n"}


@pytest.mark.parametrize("path", ["gzip", "deflate"])
async def test_a_compressed_answer_is_read(httpbin_server: str, client: httpx.AsyncClient, path: str) -> None:
    done = await ask(client, f"{httpbin_server}/{path}")
    assert json.loads(done.outputs["body"])["method"] == "GET"


async def test_an_image_comes_back_as_a_blob(httpbin_server: str, client: httpx.AsyncClient) -> None:
    blob = (await ask(client, f"{httpbin_server}/image/png")).outputs["body"]
    assert isinstance(blob, Blob)
    assert blob.media_type == "image/png"
    assert blob.read().startswith(b"\x89PNG")


async def test_redirects_are_followed_or_given_as_they_are(httpbin_server: str, client: httpx.AsyncClient) -> None:
    url = f"{httpbin_server}/redirect/5"
    assert (await ask(client, url)).outputs["status"] == 200
    done = await ask(client, url, follow_redirects=False)
    assert done.outputs["status"] == 302
    assert done.outputs["headers"]["location"].startswith("/relative-redirect")


async def test_a_failure_that_is_accepted_is_a_result(httpbin_server: str, client: httpx.AsyncClient) -> None:
    for accepted in ([404], ["4xx"], [500, "4xx"]):
        done = await ask(client, f"{httpbin_server}/status/404", accept_status=accepted)
        assert done.outputs["status"] == 404


async def test_a_head_has_headers_and_an_empty_body(httpbin_server: str, client: httpx.AsyncClient) -> None:
    done = await ask(client, f"{httpbin_server}/gzip", method="HEAD")
    assert done.outputs["body"] == ""
    assert done.outputs["headers"]["content-encoding"] == "gzip"


# --- what is sent -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "sent", "media_type"),
    [
        ("Grüße", "Grüße".encode(), "text/plain; charset=utf-8"),
        ([1, "ä"], '[1,"ä"]'.encode(), "application/json"),
        (0, b"0", "application/json"),
        (False, b"false", "application/json"),
        (Blob.from_bytes(b"\0" * 200_000, media_type="image/png"), b"\0" * 200_000, "image/png"),
        ({"file": Blob.from_bytes(b"x")}, None, "application/json"),
    ],
)
async def test_a_body_goes_out_by_what_it_is(
    server: str, client: httpx.AsyncClient, body: Any, sent: bytes | None, media_type: str
) -> None:
    got = await echo(client, server, body, method="POST")
    assert got["headers"]["CONTENT_TYPE"] == media_type
    if sent is None:
        assert json.loads(got["body"])["file"]["$blob"]["size"] == 1
    else:
        assert got["body"] == sent
        assert got["headers"]["CONTENT_LENGTH"] == str(len(sent))


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_is_spoken(server: str, client: httpx.AsyncClient, method: str) -> None:
    assert (await echo(client, server, method=method))["method"] == method


async def test_a_host_in_another_script_is_looked_up_by_its_ascii_name(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def unknown(host: Any, *_: Any, **__: Any) -> None:
        asked.append(host if isinstance(host, str) else host.decode())
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NodeError, match=r"xn--bcher-kva\.example") as raised:
        await ask(client, "http://bücher.example/straße?q=ü")
    assert asked == ["xn--bcher-kva.example"]
    assert raised.value.code == "http.dns"


async def test_white_space_around_a_url_does_not_count_and_within_it_is_escaped(
    server: str, client: httpx.AsyncClient
) -> None:
    assert (await echo(client, f" {server}/a b?c=d e\n"))["url"] == "/a%20b?c=d%20e"


async def test_null_sends_no_body(server: str, client: httpx.AsyncClient) -> None:
    got = await echo(client, server, None, method="POST")
    assert got["body"] == b""
    assert "CONTENT_TYPE" not in got["headers"]


async def test_a_content_type_of_ones_own_wins(server: str, client: httpx.AsyncClient) -> None:
    got = await echo(client, server, "<a/>", method="POST", headers={"content-type": "application/xml"})
    assert got["headers"]["CONTENT_TYPE"] == "application/xml"
    assert got["body"] == b"<a/>"


async def test_headers_are_sent_and_null_leaves_one_out(server: str, client: httpx.AsyncClient) -> None:
    headers = {"X-One": " a ", "X-Two": 2, "X-Three": True, "X-Four": None, "X-Five": "ü"}
    got = (await echo(client, server, headers=headers))["headers"]
    assert (got["X_ONE"], got["X_TWO"], got["X_THREE"]) == ("a", "2", "true")
    assert got["X_FIVE"].encode("latin-1").decode() == "ü"
    assert "X_FOUR" not in got


async def test_headers_go_out_as_they_are_written_one_line_for_each_value() -> None:
    received: list[bytes] = []
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not Django's

        async def answer(stream: SocketStream) -> None:
            async with stream:
                received.append(await stream.receive())
                await stream.send(b"HTTP/1.1 204 None\r\n\r\n")

        async with anyio.create_task_group() as tasks, make_client("open") as client:
            tasks.start_soon(listener.serve, answer)
            await ask(client, f"http://127.0.0.1:{port}/", headers={"X-ApiKEY": "a", "X-Many": ["1", None, 2]})
            tasks.cancel_scope.cancel()
    lines = received[0].split(b"\r\n")
    assert b"X-ApiKEY: a" in lines
    assert [line for line in lines if line.startswith(b"X-Many")] == [b"X-Many: 1", b"X-Many: 2"]


async def test_the_query_of_the_config_goes_into_that_of_the_url(server: str, client: httpx.AsyncClient) -> None:
    got = await echo(client, f"{server}/p?a=1&b=2", query={"b": 3, "c": ["x", "y"], "d": False})
    assert got["url"] == "/p?a=1&b=3&c=x&c=y&d=false"


async def test_what_the_config_does_not_name_of_a_urls_query_stays_as_it_is_written(
    server: str, client: httpx.AsyncClient
) -> None:
    url = f"{server}/p?sig=x%2By&&flag&a=1&b=2&a=3"
    got = await echo(client, url, query={"a": "ü &", "c": "", "d": [], "b": None, "e": [None]})
    assert got["url"] == "/p?sig=x%2By&&flag&b=2&a=%C3%BC%20%26&c="
    assert (await echo(client, f"{server}/p?", query={"a": "1"}))["url"] == "/p?a=1"


async def test_a_url_without_query_in_the_config_is_sent_as_it_is(server: str, client: httpx.AsyncClient) -> None:
    got = await echo(client, f"{server}/a%2Fb?sig=x%2By&&z", query={})
    assert got["url"] == "/a%2Fb?sig=x%2By&&z"


async def test_writes_send_the_idempotency_key_and_reads_do_not(server: str, client: httpx.AsyncClient) -> None:
    first = await echo(client, server, method="POST")
    second = await echo(client, server, method="POST")
    key = first["headers"]["IDEMPOTENCY_KEY"]
    assert key == second["headers"]["IDEMPOTENCY_KEY"] != ""
    assert "IDEMPOTENCY_KEY" not in (await echo(client, server))["headers"]


async def test_the_idempotency_header_can_be_renamed_set_and_switched_off(
    server: str, client: httpx.AsyncClient
) -> None:
    renamed = (await echo(client, server, method="PUT", idempotency_header="X-Request-Id"))["headers"]
    assert "X_REQUEST_ID" in renamed
    assert "IDEMPOTENCY_KEY" not in renamed
    own = await echo(client, server, method="PUT", headers={"idempotency-key": "mine"})
    assert own["headers"]["IDEMPOTENCY_KEY"] == "mine"
    for nothing in (None, ""):
        off = await echo(client, server, method="PUT", idempotency_header=nothing)
        assert "IDEMPOTENCY_KEY" not in off["headers"]


async def test_user_and_password_in_the_url_are_sent_unless_the_config_has_others(
    server: str, client: httpx.AsyncClient
) -> None:
    url = server.replace("//", "//me:pw@")
    got = await echo(client, url)
    assert got["headers"]["AUTHORIZATION"] == "Basic " + base64.b64encode(b"me:pw").decode()
    got = await echo(client, url, auth={"type": "bearer", "token": "t"})
    assert got["headers"]["AUTHORIZATION"] == "Bearer t"


async def test_the_request_is_announced_without_what_may_be_secret(server: str, client: httpx.AsyncClient) -> None:
    done = await ask(client, server.replace("//", "//me:pw@") + "/p?token=secret", query={"k": "secret"})
    assert done.events == [("Info", f"GET {server.replace('//', '//…@')}/p?…")]
    done = await ask(client, f"{server}/p", method="DELETE")
    assert done.events == [("Info", f"DELETE {server}/p")]


# --- what comes back ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latin", "Grüße"),
        ("/undeclared-latin", "Grüße"),
        ("/utf-8", "Grüße ☃"),
        ("/bom", "Grüße"),
        ("/utf-16", "Grüße"),
        ("/odd-charset", "plain"),
        ("/codec-charset", "plain"),
        ("/surrogates", "+2AA-"),
        ("/wrong-charset", "Gr\ufffd\ufffde"),
        ("/wrong-mark", "Grüße"),
        ("/utf-16-unmarked", "Grüße"),
        ("/quoted-charset", "Grüße"),
        ("/shift-jis", "日本"),
        ("/problem", '{"title": 1}'),
        ("/svg", "<svg/>"),
        ("/form", "a=1"),
        ("/untyped-text", "Grüße"),
        ("/empty-pdf", ""),
    ],
)
async def test_a_text_is_read_in_its_charset(server: str, client: httpx.AsyncClient, path: str, text: str) -> None:
    assert (await ask(client, server + path)).outputs["body"] == text


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/wrong-charset", "is not in the charset 'utf-8'"),
        ("/odd-charset", "'klingon', which is not known"),
        ("/codec-charset", "'base64', which is not known"),
        ("/undeclared-latin", None),
        ("/latin", None),
    ],
)
async def test_a_charset_that_is_wrong_or_unknown_is_warned_of(
    server: str, client: httpx.AsyncClient, path: str, says: str | None
) -> None:
    warnings_given = [text for kind, text in (await ask(client, server + path)).events if kind == "Warning"]
    assert [says in text for text in warnings_given if says is not None] == ([True] if says else [])
    assert len(warnings_given) == (says is not None)


async def test_the_format_of_the_response_can_be_set(server: str, client: httpx.AsyncClient) -> None:
    assert (await ask(client, f"{server}/octets", response_format="text")).outputs["body"] == "Grüße"
    blob = (await ask(client, f"{server}/latin", response_format="blob")).outputs["body"]
    assert blob == Blob.from_bytes("Grüße".encode("latin-1"), media_type="text/plain")
    empty = (await ask(client, f"{server}/empty-pdf", response_format="blob")).outputs["body"]
    assert empty == Blob.from_bytes(b"", media_type="application/pdf")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 205)])
async def test_an_answer_without_a_body_gives_the_empty_text(
    server: str, client: httpx.AsyncClient, method: str, status: int
) -> None:
    done = await ask(client, f"{server}/status/{status}", method=method)
    headers: Any = done.outputs["headers"]
    assert (done.outputs["status"], done.outputs["body"], headers["etag"]) == (status, "", "1")


async def test_cookies_are_given_one_by_one(server: str, client: httpx.AsyncClient) -> None:
    headers: Any = (await ask(client, f"{server}/cookies")).outputs["headers"]
    assert headers["set-cookie"] == ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]


@pytest.mark.parametrize(
    ("path", "media_type"), [("/pdf", "application/pdf"), ("/untyped-bytes", "application/octet-stream")]
)
async def test_what_is_no_text_is_a_blob(server: str, client: httpx.AsyncClient, path: str, media_type: str) -> None:
    blob = (await ask(client, server + path)).outputs["body"]
    assert isinstance(blob, Blob)
    assert (blob.media_type, blob.read()) == (media_type, BODIES[path][0])


@pytest.mark.parametrize("name", ["gzip", "two", "deflate", "raw"])
async def test_every_form_of_gzip_and_deflate_is_decoded(server: str, client: httpx.AsyncClient, name: str) -> None:
    assert (await ask(client, f"{server}/coded/{name}")).outputs["body"] == "coded " * 1000


async def test_repeated_headers_are_joined_under_their_lower_case_name(server: str, client: httpx.AsyncClient) -> None:
    headers = (await ask(client, f"{server}/repeated-headers")).outputs["headers"]
    assert headers["x-a"] == "1, 2"
    assert headers["x-b"] == "ä"


# --- the node type ------------------------------------------------------------------------------


def test_the_method_decides_whether_the_node_reads_or_writes() -> None:
    effects = node_type_of(Request).effects
    assert effects_of(effects, {"method": "HEAD"}) == "read"
    assert effects_of(effects, {"method": "DELETE"}) == "write"


def test_every_port_and_every_field_is_described() -> None:
    node_type = node_type_of(Request)
    assert all(port.description for port in (*node_type.inputs.ports, *node_type.outputs.ports))
    assert isinstance(node_type.config_schema, dict)
    fields = node_type.config_schema["properties"]
    assert [name for name, field in fields.items() if not (field["title"] and field["description"])] == []


def test_the_committed_catalog_is_what_the_code_says() -> None:
    assert check_catalog(Path(__file__).parents[1]) == []
