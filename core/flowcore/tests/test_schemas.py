"""What is read off a JSON Schema: names, defaults, and the places that carry a mark."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.schemas import X_EXPRESSION, default_of, fields_marked, known_keys, with_defaults

MARKED = {X_EXPRESSION: True}


def places(schema: Any, value: Any) -> list[tuple[str | int, ...]]:
    return list(fields_marked(schema, X_EXPRESSION, value))


@pytest.mark.parametrize(
    ("schema", "keys"),
    [({"properties": {"a": True, "b": {}}}, ("a", "b")), ({}, ()), (True, ()), ({"properties": 5}, ())],
    ids=str,
)
def test_the_declared_names_are_known(schema: Any, keys: tuple[str, ...]) -> None:
    assert known_keys(schema) == keys


def test_a_default_may_be_null() -> None:
    assert default_of({"default": None}) == (True, None)
    assert default_of({}) == (False, None)
    assert default_of(True) == (False, None)


def test_defaults_fill_what_is_absent_also_inside_given_objects() -> None:
    schema = {"properties": {"a": {"default": 1}, "b": {"properties": {"c": {"default": 2}}}, "d": {}}}
    assert with_defaults(schema, {"b": {}, "x": 3}) == {"a": 1, "b": {"c": 2}, "x": 3}
    assert with_defaults(schema, {"a": None, "b": 5}) == {"a": None, "b": 5}


def test_a_value_without_anything_to_fill_is_not_copied() -> None:
    value = {"a": 0}
    assert with_defaults({"properties": {"a": {"default": 1}}}, value) is value


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"properties": {"a": MARKED, "b": {}}}, {"a": 1, "b": 2}, [("a",)]),
        ({"properties": {"a": MARKED}}, {}, []),
        ({"items": {"properties": {"when": MARKED}}}, [{"when": "x"}, {}], [(0, "when")]),
        ({"additionalProperties": MARKED, "properties": {"a": {}}}, {"a": 1, "b": 2}, [("b",)]),
        ({"anyOf": [{"type": "null"}, MARKED]}, "x", [()]),
        ({"oneOf": [{"properties": {"a": MARKED}}], "allOf": [{"properties": {"a": MARKED}}]}, {"a": 1}, [("a",)]),
        ({"$defs": {"e": MARKED}, "properties": {"a": {"$ref": "#/$defs/e"}}}, {"a": 1}, [("a",)]),
        ({"$ref": "#/$defs/none", "$defs": {}}, {"a": 1}, []),
        (True, {"a": 1}, []),
    ],
    ids=str,
)
def test_marked_places_are_found_wherever_schemas_nest(
    schema: Any, value: Any, expected: list[tuple[str | int, ...]]
) -> None:
    assert places(schema, value) == expected


def test_a_schema_that_refers_to_itself_is_followed_as_deep_as_the_value() -> None:
    schema = {
        "$defs": {"tree": {"properties": {"when": MARKED, "next": {"$ref": "#/$defs/tree"}}}},
        "$ref": "#/$defs/tree",
    }
    assert places(schema, {"when": 1, "next": {"when": 2}}) == [("when",), ("next", "when")]
    assert places({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, {}) == []


def test_a_schema_that_leads_to_itself_many_times_over_is_searched_in_no_time() -> None:
    again = {"$ref": "#/$defs/tree"}
    tree = {
        "anyOf": [again, again],
        "oneOf": [again] * 9,
        "properties": {"when": MARKED},
        "additionalProperties": again,
    }
    value: Any = {"when": "x"}
    for _ in range(30):
        value = {"deeper": value}
    assert places({**again, "$defs": {"tree": tree}}, value) == [(*["deeper"] * 30, "when")]
