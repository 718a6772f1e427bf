"""http.request writes a body in the form that it is told to: JSON, a form, a text, several parts."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx
import pytest
from flownodes_http.request import Request
from flowruntime.authoring import Blob, BlobWriter, FatalNodeError
from flowruntime.http import make_client

from tests.attempts import attempt
from tests.http_server import serving

PDF = Blob.from_bytes(b"%PDF-1.7", media_type="application/pdf")


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An echo."""
    echo = {
        "method": environ["REQUEST_METHOD"],
        "type": environ.get("CONTENT_TYPE"),
        "length": environ.get("CONTENT_LENGTH"),
        "chunked": environ.get("HTTP_TRANSFER_ENCODING"),
        "body": base64.b64encode(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))).decode(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(echo).encode()]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(application) as url:
        yield url


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with make_client("open") as made:
        yield made


async def echo(client: httpx.AsyncClient, url: str, body: Any, **config: Any) -> dict[str, Any]:
    """What the server got."""
    done = await attempt(Request, {"url": url, "body": body}, {"method": "POST", **config}, client=client)
    answer: dict[str, Any] = json.loads(str(done.outputs["body"]))
    answer["body"] = base64.b64decode(answer["body"])
    assert answer["chunked"] is None
    assert answer["length"] == str(len(answer["body"]))
    return answer


async def refusal(client: httpx.AsyncClient, url: str, body: Any, **config: Any) -> FatalNodeError:
    with pytest.raises(FatalNodeError) as raised:
        await echo(client, url, body, **config)
    assert raised.value.remedy
    return raised.value


def parts_of(got: dict[str, Any]) -> list[tuple[str, str | None, str | None, bytes]]:
    """`(name, file name, media type, content)` of each part, read by the standard library."""
    head = f"Content-Type: {got['type']}\r\n\r\n".encode()
    parts = []
    for part in message_from_bytes(head + got["body"], policy=HTTP).iter_parts():
        name = part.get_param("name", header="content-disposition")
        media_type = part.get("content-type")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append((str(name), part.get_filename(), None if media_type is None else str(media_type), content))
    return parts


@pytest.mark.parametrize(
    ("body", "config", "sent", "media_type"),
    [
        ("text", {"body_format": "json"}, b'"text"', "application/json"),
        ([1], {"body_format": "json"}, b"[1]", "application/json"),
        ({"a": 1}, {"headers": {"Content-Type": "application/vnd.api+json"}}, b'{"a":1}', "application/vnd.api+json"),
        ({"a": "1 2", "b": ["ü", None, ""], "c": None}, {"body_format": "form"}, b"a=1+2&b=%C3%BC&b=", None),
        ({"o": {"x": 1}}, {"body_format": "form"}, b"o=%7B%22x%22%3A1%7D", None),
        ("a=1&b=2", {"body_format": "form"}, b"a=1&b=2", None),
        ({}, {"body_format": "form"}, b"", None),
        (7, {"body_format": "text"}, b"7", "text/plain; charset=utf-8"),
        ("<a/>", {"body_format": "text", "headers": {"content-type": "text/xml"}}, b"<a/>", "text/xml"),
        (PDF, {"body_format": "json"}, b"%PDF-1.7", "application/pdf"),
        (PDF, {"headers": {"Content-Type": "image/png"}}, b"%PDF-1.7", "image/png"),
    ],
)
async def test_the_format_says_how_a_body_is_written(
    server: str, client: httpx.AsyncClient, *, body: Any, config: dict[str, Any], sent: bytes, media_type: str | None
) -> None:
    got = await echo(client, server, body, **config)
    assert got["body"] == sent
    assert got["type"] == (media_type or "application/x-www-form-urlencoded")


async def test_a_text_goes_out_in_the_charset_that_its_header_names(server: str, client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "text/plain; charset=ISO-8859-1"}
    got = await echo(client, server, "Grüße", headers=headers)
    assert (got["body"], got["type"]) == ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1")
    error = await refusal(client, server, "☃", headers=headers)
    assert error.code == "http.body"
    assert "'☃'" in error.message
    error = await refusal(client, server, "a", headers={"Content-Type": "text/plain; charset=klingon"})
    assert "'klingon'" in error.message


@pytest.mark.parametrize("body", ["text", "", 5, {"a": 1}, [], PDF])
async def test_a_read_may_have_a_body_too(server: str, client: httpx.AsyncClient, body: Any) -> None:
    assert (await echo(client, server, body, method="GET"))["method"] == "GET"


async def test_texts_and_files_go_out_in_parts(server: str, client: httpx.AsyncClient) -> None:
    body = {
        "title": "Grüße",
        "count": 3,
        "none": None,
        "tags": ["a", "b"],
        "scan": PDF,
        "notes": {"content": "x,y\r\n", "filename": "notes ü.csv", "media_type": "text/csv"},
        "photo": {"content": PDF, "filename": "p.pdf"},
        "typed": {"content": "{}", "media_type": "application/json"},
        "named": {"content": "n", "filename": "n.txt"},
        "blank": "",
    }
    got = await echo(client, server, body, body_format="multipart")
    assert got["type"].startswith("multipart/form-data; boundary=flownodes-")
    assert parts_of(got) == [
        ("title", None, None, "Grüße".encode()),
        ("count", None, None, b"3"),
        ("tags", None, None, b"a"),
        ("tags", None, None, b"b"),
        ("scan", "scan", "application/pdf", b"%PDF-1.7"),
        ("notes", "notes ü.csv", "text/csv", b"x,y\r\n"),
        ("photo", "p.pdf", "application/pdf", b"%PDF-1.7"),
        ("typed", None, "application/json", b"{}"),
        ("named", "n.txt", 'text/plain; charset="utf-8"', b"n"),
        ("blank", None, None, b""),
    ]


async def test_a_header_that_says_multipart_is_enough(server: str, client: httpx.AsyncClient) -> None:
    got = await echo(client, server, {"a": "1"}, headers={"Content-Type": "multipart/form-data; boundary=mine"})
    assert parts_of(got) == [("a", None, None, b"1")]
    error = await refusal(
        client, server, {"a": "1"}, body_format="multipart", headers={"Content-Type": "application/json"}
    )
    assert "'application/json'" in error.message


async def test_every_attempt_sends_the_same_parts_and_other_content_has_another_boundary(
    server: str, client: httpx.AsyncClient
) -> None:
    first = await echo(client, server, {"a": PDF, "b": "1"}, body_format="multipart")
    again = await echo(client, server, {"a": PDF, "b": "1"}, body_format="multipart")
    other = await echo(client, server, {"a": PDF, "b": "2"}, body_format="multipart")
    assert first["body"] == again["body"]
    assert first["type"] != other["type"]


async def test_no_name_breaks_out_of_its_part(server: str, client: httpx.AsyncClient) -> None:
    evil = 'a"\r\nX-Evil: 1\r\n\r\n\0'
    got = await echo(client, server, {evil: {"content": "c", "filename": evil}}, body_format="multipart")
    head, _, _ = got["body"].partition(b"\r\n\r\n")
    assert head.count(b"\r\n") == 2, "boundary, disposition, type"
    assert b'name="a%22%0D%0AX-Evil: 1%0D%0A%0D%0A"; filename="a%22%0D%0AX-Evil' in head
    error = await refusal(
        client, server, {"f": {"content": "c", "media_type": "text/csv\r\nX-Evil: 1"}}, body_format="multipart"
    )
    assert error.code == "http.body"


@pytest.mark.parametrize(
    ("body", "config", "says"),
    [
        ({"f": {"a": 1}}, {"body_format": "multipart"}, "'f'"),
        ({"f": {"content": 1}}, {"body_format": "multipart"}, "'f'"),
        ({"f": {"content": "1", "filename": 2}}, {"body_format": "multipart"}, "'f'"),
        ({"f": {"content": "1", "file_name": "x"}}, {"body_format": "multipart"}, "'f'"),
        ("text", {"body_format": "multipart"}, "no object"),
        (PDF, {"body_format": "multipart"}, "no object"),
        ([1], {"body_format": "form"}, "no object"),
        ({"f": PDF}, {"body_format": "form"}, "'f'"),
        ({"f": ["x", PDF]}, {"body_format": "form"}, "'f'"),
        ({"a": 1}, {"body_format": "text"}, "no text"),
        ("text", {"method": "TRACE"}, "TRACE"),
    ],
)
async def test_a_body_that_does_not_fit_its_format_is_refused(
    server: str, client: httpx.AsyncClient, body: Any, config: dict[str, Any], says: str
) -> None:
    error = await refusal(client, server, body, **config)
    assert error.code == "http.body"
    assert says in error.message


async def test_a_blob_whose_content_is_elsewhere_is_refused_before_anything_is_sent(
    server: str, client: httpx.AsyncClient
) -> None:
    absent = Blob(sha256=PDF.sha256, size=PDF.size)
    for body, body_format in ((absent, "auto"), ({"f": absent}, "multipart")):
        error = await refusal(client, server, body, body_format=body_format)
        assert error.code == "http.body"
        assert PDF.sha256[:12] in error.message


def cut_off(blob: Blob) -> None:
    with blob.open() as reader:
        Path(reader.name).write_bytes(b"short")


async def test_a_blob_whose_file_was_cut_off_is_told(server: str, client: httpx.AsyncClient) -> None:
    with BlobWriter() as writer:
        writer.write(bytes(1_000_000))
        blob = writer.finish()
    cut_off(blob)
    error = await refusal(client, server, blob)
    assert error.code == "http.body"
    assert "cannot be read" in error.message
