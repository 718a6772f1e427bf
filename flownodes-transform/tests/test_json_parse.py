"""transform.json_parse turns text into values, and says precisely why it can't."""

import json
from typing import Any

import pytest
from flownodes_transform.json_parse import json_parse
from flowruntime.authoring import Blob, FatalNodeError

from tests.attempts import attempt


async def parse(text: Any) -> Any:
    return (await attempt(json_parse, {"json": text})).outputs["parsed"]


async def failure(text: Any) -> FatalNodeError:
    with pytest.raises(FatalNodeError) as raised:
        await parse(text)
    return raised.value


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True]}, [], "text", 0, None])
async def test_a_text_becomes_the_value_it_says(value: Any) -> None:
    assert await parse(json.dumps(value)) == value


async def test_a_blob_is_parsed_like_a_text() -> None:
    assert await parse(Blob.from_bytes('{"name": "Zoë"}'.encode())) == {"name": "Zoë"}


async def test_a_byte_order_mark_does_no_harm() -> None:
    assert await parse("\ufeff[1]") == [1]


@pytest.mark.parametrize("as_blob", [False, True])
async def test_a_text_of_several_mebibytes_is_parsed(as_blob: bool) -> None:
    value = ["x" * 1000] * 3000
    text = json.dumps(value)
    assert await parse(Blob.from_bytes(text.encode()) if as_blob else text) == value


@pytest.mark.parametrize("as_blob", [False, True])
async def test_a_web_page_is_shown_by_its_beginning(as_blob: bool) -> None:
    page = "<!DOCTYPE html><html><body>" + "Sign in " * 100
    error = await failure(Blob.from_bytes(page.encode()) if as_blob else page)
    assert error.code == "json.syntax"
    assert "line 1, column 1" in error.message
    assert repr(page[:80]) in error.message
    assert page[:81] not in error.message
    assert "web page" in error.remedy


async def test_the_place_of_a_slip_is_named() -> None:
    error = await failure('{\n  "a": 1,\n  "b": tru\n}')
    assert "line 3, column 8" in error.message


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_an_empty_text_is_called_empty(text: str) -> None:
    assert "is empty" in (await failure(text)).message


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ('{"a": {"b": 1, "b": 2}}', "json.duplicate_key", "/a"),
        ('{"a": NaN}', "json.not_a_number", "/a"),
        ("[18446744073709551616]", "json.integer_range", "/0"),
        (b"\xff\xfe[1]", "json.encoding", ""),
        ("[" * 100_000, "json.too_deep", ""),
    ],
)
async def test_what_strict_json_refuses_is_named_with_its_place(text: str | bytes, code: str, pointer: str) -> None:
    error = await failure(Blob.from_bytes(text) if isinstance(text, bytes) else text)
    assert error.code == code
    assert error.details["problems"][0]["pointer"] == pointer
    assert pointer in error.message


async def test_only_some_of_very_many_problems_are_listed() -> None:
    error = await failure("[" + ",".join(["NaN"] * 1000) + "]")
    assert len(error.details["problems"]) == 20


async def test_a_text_above_the_limit_is_refused() -> None:
    error = await failure(" " * (64 * 1024 * 1024 + 1))
    assert error.code == "json.too_large"
    assert "64 MiB" in error.message


@pytest.mark.parametrize("value", [{"a": 1}, [1], 5, None, True])
async def test_what_is_parsed_already_is_an_error_that_says_so(value: Any) -> None:
    error = await failure(value)
    assert error.code == "json.already_parsed"
    assert "without this node" in error.remedy
