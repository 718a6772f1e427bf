"""Schemas compiled once an object."""

import gc
import json
import socket
import threading
from typing import Any

import jsonschema_rs
import pytest
from flowcore.schemas import with_defaults
from flowcore.values import freeze
from flowruntime.plan import SchemaCache
from flowruntime.plan import schemas as module


def test_a_schema_object_is_compiled_once() -> None:
    cache = SchemaCache()
    schema = freeze({"type": "string"})
    assert cache.get(schema) is cache.get(schema)
    assert cache.get(True) is cache.get(True)


def test_no_two_schemas_are_taken_for_each_other_although_the_objects_come_and_go() -> None:
    cache = SchemaCache()
    for number in range(2000):
        compiled = cache.get(freeze({"const": number}))
        assert [*compiled.problems(number, "", "inputs")] == []
        assert [*compiled.problems(-1, "", "inputs")] != []
        if number % 500 == 0:
            gc.collect()


def test_the_least_used_schemas_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_SCHEMAS", 3)
    cache = SchemaCache()
    often, other = freeze({"const": "often"}), freeze({"const": "other"})
    kept, dropped = cache.get(often), cache.get(other)
    for number in range(10):
        cache.get(freeze({"const": number}))
        assert cache.get(often) is kept
    assert cache.get(other) is not dropped


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "nothing"}, "\"nothing\" is not one of .* at '/type'"),
        ({"properties": {"a": {"minLength": -1}}}, "-1 is less than the minimum of 0 at '/properties/a/minLength'"),
        ({"properties": {"a": 5}}, '5 is not of types "boolean", "object" at \'/properties/a\''),
        ({"pattern": "("}, '"\\(" is not a "regex" at \'/pattern\''),
        ({"$ref": "#/$defs/missing"}, "Pointer '/\\$defs/missing' does not exist"),
        ({"$ref": "other.json"}, "other.json"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_reason(schema: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SchemaCache().get(freeze(schema))


def test_a_reference_to_another_document_is_refused_without_looking_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        elsewhere = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for schema in ({"$ref": elsewhere}, {"$id": elsewhere, "$ref": "other.json"}):
            with pytest.raises(ValueError, match="must not refer to another document"):
                SchemaCache().get(freeze(schema))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_without_the_refusal_it_would_be_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        elsewhere = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"

        def look() -> None:
            with pytest.raises(jsonschema_rs.ValidationError):
                jsonschema_rs.Draft202012Validator({"$ref": elsewhere})

        looking = threading.Thread(target=look)
        looking.start()
        server.accept()[0].close()
        server.close()
        looking.join()


def test_a_pattern_that_needs_backtracking_is_refused() -> None:
    backtracking = {"pattern": "^(a|a)*(?=b)$"}
    with pytest.raises(ValueError, match="is not a \"regex\" at '/pattern'"):
        SchemaCache().get(freeze(backtracking))
    # The library's own engine takes it, and a short text already exhausts it.
    (error,) = jsonschema_rs.Draft202012Validator(backtracking).iter_errors("a" * 40)
    assert "backtracking" in error.message


def test_recursive_schemas_are_fine() -> None:
    tree = {"$defs": {"T": {"properties": {"inner": {"$ref": "#/$defs/T"}, "n": {"type": "integer"}}}}}
    compiled = SchemaCache().get(freeze({**tree, "$ref": "#/$defs/T"}))
    (problem,) = compiled.problems({"inner": {"inner": {"n": "x"}}}, "/in", "inputs")
    assert (problem.code, problem.pointer) == ("inputs.schema", "/in/inner/inner/n")
    assert problem.message == '"x" is not of type "integer", in the inputs at \'/inner/inner/n\'.'


def test_frozen_values_are_checked_like_plain_ones() -> None:
    compiled = SchemaCache().get(freeze({"items": {"type": "integer"}}))
    value = json.loads('[1, "x"]')
    assert [*compiled.problems(value, "", "inputs")] == [*compiled.problems(freeze(value), "", "inputs")]


def test_values_can_be_kept_out_of_the_messages() -> None:
    compiled = SchemaCache().get(freeze({"properties": {"a": {"type": "integer"}, "b": {"enum": [1]}}}))
    found = [*compiled.problems({"a": "hunter2", "b": "hunter3"}, "", "config", hide_values=True)]
    assert [problem.pointer for problem in found] == ["/a", "/b"]
    assert "hunter" not in repr(found)
    assert [*compiled.problems({"a": 1, "b": 1}, "", "config", hide_values=True)] == []


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"type": "object"},
        {"properties": {"a": {"default": 1}, "b": {}, "c": {"default": None}}},
        {"properties": {"a": True, "b": {"properties": {"x": {"default": [1]}}}, "c": {"default": {}}}},
        {"properties": {"b": {"properties": {"default": {}}}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [{}, {"a": None}, {"b": {}}, {"b": {"x": 2}, "z": 1}, {"b": 5}], ids=str)
def test_defaults_are_filled_as_flowcore_fills_them(schema: Any, value: dict[str, Any]) -> None:
    given = freeze(value)
    filled = SchemaCache().get(freeze(schema)).filled(given)
    assert (filled, list(filled)) == (with_defaults(schema, value), list(with_defaults(schema, value)))
    assert filled is not given
    assert given == value
