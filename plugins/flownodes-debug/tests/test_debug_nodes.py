"""The debug nodes show what flows and change nothing of it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jmespath
import pytest
from flowcore.values import thaw
from flownodes_debug.inspect import inspect
from flownodes_debug.log import log
from flownodes_debug.noop import noop
from flowruntime import Runtime
from flowruntime.authoring import Blob
from flowruntime.registry import check_catalog

from tests.attempts import attempt, node_type_of

TYPES = [inspect, log, noop]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("hello", "DEBUG: hello"),
        ("", "DEBUG: "),
        ({"a": [1, None], "b": "ä"}, 'DEBUG: {"a":[1,null],"b":"ä"}'),
        (None, "DEBUG: null"),
        (True, "DEBUG: true"),
        (Blob.from_bytes(b""), 'DEBUG: {"$blob":{"sha256":"e3b0c442'),
    ],
)
async def test_log_says_the_message_and_hands_it_on(message: Any, said: str) -> None:
    done = await attempt(log, {"message": message})
    [(event_type, text)] = done.events
    assert event_type == "Info"
    assert text.startswith(said)
    assert isinstance(message, Blob) or text == said
    assert done.outputs == {"message": message}


@pytest.mark.parametrize(
    ("level", "event_type", "word"),
    [
        ("debug", "Info", "DEBUG"),
        ("info", "Info", "INFO"),
        ("warning", "Warning", "WARNING"),
        ("error", "Warning", "ERROR"),
    ],
)
async def test_the_level_is_the_word_before_the_message(level: str, event_type: str, word: str) -> None:
    done = await attempt(log, {"message": "x"}, {"level": level, "label": "here"})
    assert done.events == [(event_type, f"{word}: here: x")]


@pytest.mark.parametrize("message", ["y" * 10_001, ["y" * 20_000], [["y"] * 10] * 5_000])
async def test_a_long_message_is_cut_with_a_note_and_handed_on_whole(message: Any) -> None:
    done = await attempt(log, {"message": message})
    [(_, text)] = done.events
    assert text.endswith("… (cut after 10,000 characters)")
    assert len(text) == len("DEBUG: ") + 10_000 + len("… (cut after 10,000 characters)")
    assert done.outputs["message"] is message


async def test_a_message_of_just_the_limit_is_whole() -> None:
    done = await attempt(log, {"message": "y" * 10_000})
    assert done.events == [("Info", "DEBUG: " + "y" * 10_000)]


@pytest.mark.parametrize(
    ("value", "kind", "size", "paths"),
    [
        (None, "null", 4, ["@"]),
        (False, "boolean", 5, ["@"]),
        (1.5, "number", 3, ["@"]),
        ("ä", "string", 4, ["@"]),
        ([], "array", 2, ["@"]),
        ([{"id": 1}, [2]], "array", 14, ["[0].id", "[1][0]"]),
        ({"a": {"b-c": [0], "": 1}}, "object", 22, ['a."b-c"[0]', 'a.""']),
        ({'q"': 1}, "object", 9, [r'"q\""']),
        (Blob.from_bytes(b"abc"), "blob", 3, ["@"]),
    ],
)
async def test_inspect_tells_type_size_and_paths(value: Any, kind: str, size: int, paths: list[str]) -> None:
    done = await attempt(inspect, {"value": value})
    assert done.outputs == {"value": value, "type": kind, "size": size, "paths": paths}


async def test_a_path_finds_its_value_as_an_expression() -> None:
    value = {"a": {"b-c": [0], "": 1}, 'q"\\': 2, "ä": [[3], 4], "_x9": 5, "9x": 6, "\n": 7}
    done = await attempt(inspect, {"value": value})
    assert [jmespath.search(path, value) for path in done.outputs["paths"]] == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_inspect_lists_a_thousand_paths_at_most() -> None:
    done = await attempt(inspect, {"value": list(range(5000))})
    assert len(done.outputs["paths"]) == 1000


async def test_noop_hands_everything_on() -> None:
    inputs = {"a": 1, "self": None, "odd name": [2]}
    assert (await attempt(noop, inputs)).outputs == inputs
    assert (await attempt(noop)).outputs == {}


@pytest.mark.parametrize("target", TYPES)
async def test_every_example_gives_what_it_says(target: Any) -> None:
    node_type = node_type_of(target)
    assert node_type.examples
    for example in map(thaw, node_type.examples):
        done = await attempt(target, example["inputs"], example["config"])
        assert done.outputs == example["outputs"]


def test_logging_loads_no_dear_library() -> None:
    code = "import sys, flownodes_debug.log; print({'httpx', 'jmespath', 'msgspec'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout == "set()\n"


def test_the_committed_catalog_is_what_the_code_says() -> None:
    assert check_catalog(Path(__file__).parents[1]) == []


async def test_noop_at_the_start_passes_on_inputs_that_the_workflow_does_not_declare() -> None:
    document = {
        "name": "through",
        "inputs": {"type": "object", "properties": {"x": {}}},
        "nodes": [{"id": "n", "node_type": "debug.noop"}],
    }
    async with Runtime() as runtime:
        result = await runtime.run(document, {"x": 1, "z": 2})
    assert result.outputs == {"n": {"x": 1, "z": 2}}
