"""transform.json_stringify, jmespath and set make of data what their config says."""

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.values import thaw
from flownodes_transform.jmespath import jmespath
from flownodes_transform.json_parse import json_parse
from flownodes_transform.json_stringify import json_stringify
from flownodes_transform.set import Set
from flowruntime.authoring import Blob
from flowruntime.registry import check_catalog

from tests.attempts import attempt, node_type_of

TYPES = [jmespath, json_parse, json_stringify, Set]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, '{"b":[1,null],"a":"ä"}'),
        ({"sort_keys": True}, '{"a":"ä","b":[1,null]}'),
        ({"indent": 1.0}, '{\n "b": [\n  1,\n  null\n ],\n "a": "ä"\n}'),
        ({"indent": 1}, '{\n "b": [\n  1,\n  null\n ],\n "a": "ä"\n}'),
    ],
)
async def test_a_value_is_written_as_json(config: dict[str, Any], text: str) -> None:
    done = await attempt(json_stringify, {"value": {"b": [1, None], "a": "ä"}}, config)
    assert done.outputs == {"json": text}


@pytest.mark.parametrize(
    "value",
    [
        [{"id": number} for number in range(100_000)],
        {str(number): number for number in range(100_000)},
        ["ä" * 999] * 999,
    ],
    ids=["objects", "keys", "texts"],
)
async def test_others_go_on_while_a_large_value_is_written(value: Any) -> None:
    texts: list[Any] = []

    async def write() -> None:
        texts.append((await attempt(json_stringify, {"value": value}, {"indent": 1})).outputs["json"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await anyio.lowlevel.checkpoint()
        assert texts == []
    assert json.loads(texts[0]) == value


async def test_a_blob_inside_a_value_is_written_as_its_reference() -> None:
    done = await attempt(json_stringify, {"value": [Blob.from_bytes(b"x", media_type="image/png")]})
    assert done.outputs["json"].startswith('[{"$blob":{"sha256":"2d711642')


@pytest.mark.parametrize(
    ("expression", "result"),
    [("items[?n > `1`].name", ["b"]), ("length(items)", 2), ("nothing.there", None), ("@", None)],
)
async def test_an_expression_is_asked_of_the_data_itself(expression: str, result: Any) -> None:
    data = {"items": [{"n": 1, "name": "a"}, {"n": 2, "name": "b"}]}
    done = await attempt(jmespath, {"data": data}, {"expression": expression})
    assert done.outputs == {"result": data if expression == "@" else result}


async def test_set_gives_its_fields_whatever_comes_in() -> None:
    done = await attempt(Set, {"fields": 1, "ctx": 2}, {"fields": {"a": [1]}})
    assert done.outputs == {"value": {"a": [1]}}


async def test_set_without_fields_gives_an_empty_object() -> None:
    assert (await attempt(Set)).outputs == {"value": {}}


@pytest.mark.parametrize("target", TYPES)
async def test_every_example_gives_what_it_says(target: Any) -> None:
    node_type = node_type_of(target)
    assert node_type.examples
    for example in map(thaw, node_type.examples):
        done = await attempt(target, example["inputs"], example["config"])
        assert done.outputs == example["outputs"]


@pytest.mark.parametrize("target", TYPES)
def test_every_type_is_pure_and_described(target: Any) -> None:
    node_type = node_type_of(target)
    assert node_type.effects == "pure"
    assert node_type.title
    assert node_type.description
    ports = [*node_type.inputs.ports, *node_type.outputs.ports]
    assert [port.name for port in ports if not port.description] == []


def test_the_committed_catalog_is_what_the_code_says() -> None:
    assert check_catalog(Path(__file__).parents[1]) == []
