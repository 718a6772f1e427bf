"""What people are told about schemas that do not fit: where, why, and a way to make them fit."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.compatibility import Fit, compare, describe
from flowcore.values import freeze, thaw

STRING, INTEGER, OBJECT, ARRAY = ({"type": name} for name in ("string", "integer", "object", "array"))
BLOB = {"type": "object", "required": ["$blob"], "properties": {"$blob": {"type": "object"}}}


def test_what_fits_needs_no_words() -> None:
    assert compare(STRING, True) == compare(INTEGER, {"type": "number"}) == Fit(answer="fits")
    assert compare(STRING, True).message == ""


def test_the_message_names_both_schemas_and_the_reason() -> None:
    fit = compare({"type": ["string", "null"]}, STRING)
    assert fit.message == "string or null may not fit string: it can be null."
    assert (fit.source, fit.target, fit.why) == ("string or null", "string", "it can be null")


def test_the_places_lead_to_the_parts_that_decide() -> None:
    def page(item: Any) -> dict[str, Any]:
        items = {"type": "array", "items": {"$ref": "#/$defs/item/kind"}, "minItems": 1}
        return {
            "type": "object",
            "properties": {"items": items},
            "required": ["items"],
            "$defs": {"item": {"kind": item}},
        }

    target = {"type": "object", "properties": {"items": {"type": "array", "items": INTEGER}}}
    fit = compare(page(STRING), target)
    assert fit.answer == "cannot_fit"
    assert (fit.source_pointer, fit.target_pointer) == ("/properties/items/items", "/properties/items/items")
    assert fit.message.endswith("string is never integer (at '/properties/items/items' of both).")
    fit = compare(page({"type": "number"}), target)
    assert (fit.answer, fit.target_pointer) == ("may_fit", "/properties/items/items")
    assert "it can have a fraction" in fit.message


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        (True, STRING, "it can be anything"),
        ({"enum": ["a", "c"]}, {"enum": ["a", "b"]}, "it can be 'c'"),
        (OBJECT, {"type": "object", "required": ["b", "a"]}, "its property 'a' may be absent"),
        (INTEGER, {"type": "integer", "minimum": 1}, "it can be less than 1"),
        (INTEGER, {"type": "integer", "exclusiveMaximum": 1}, "it can be 1 or more"),
        (STRING, {"type": "string", "pattern": "^a"}, "it may not match the pattern '^a'"),
        (ARRAY, {"type": "array", "maxItems": 2}, "it can have more than 2 items"),
        (ARRAY, {"type": "array", "uniqueItems": True}, "it can hold the same item twice"),
        (OBJECT, {"type": "object", "additionalProperties": False}, "it can have properties that are not allowed"),
        (STRING, False, "no value is accepted"),
        (
            {"type": "string", "maxLength": 1},
            {"type": "string", "minLength": 2},
            "at least 2 characters are more than 1",
        ),
    ],
)
def test_the_reason_says_what_stands_against_it(source: Any, target: Any, why: str) -> None:
    assert compare(source, target).why == why


@pytest.mark.parametrize(
    ("source", "target", "part"),
    [
        (STRING, OBJECT, "transform.json_parse"),
        (STRING, ARRAY, "transform.json_parse"),
        (OBJECT, STRING, "transform.json_stringify"),
        (ARRAY, STRING, "transform.json_stringify"),
        (STRING, INTEGER, "to_number(@)"),
        (INTEGER, STRING, "to_string(@)"),
        ({"type": "boolean"}, STRING, "to_string(@)"),
        (OBJECT, INTEGER, "${{ nodes.ID.PORT.path }}"),
        (ARRAY, INTEGER, "control.loop"),
        (INTEGER, ARRAY, "[@]"),
        ({"type": "null"}, STRING, "transform.jmespath"),
        ({"type": "number"}, INTEGER, "floor(@)"),
        ({"type": ["string", "null"]}, STRING, "not_null(@, …)"),
        (True, STRING, "It is checked when it arrives."),
        (BLOB, STRING, "`response_format`"),
        (BLOB, ARRAY, "transform.json_parse between when it holds JSON text"),
        (STRING, BLOB, "Connect a port that gives a Blob"),
        (
            {"type": "object", "required": ["a"], "properties": {"a": STRING}},
            {"type": "object", "properties": {"a": INTEGER}},
            "{name: path}",
        ),
    ],
)
def test_the_remedy_names_a_way_to_convert(source: Any, target: Any, part: str) -> None:
    assert part in compare(source, target).remedy


@pytest.mark.parametrize(
    ("schema", "line"),
    [
        ({"type": "array", "items": {"anyOf": [INTEGER, {"type": "null"}]}}, "array of integer or null"),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "integer from 1 to 5"),
        ({"type": "string", "minLength": 1, "maxLength": 5}, "string from 1 to 5 characters"),
        ({"type": "string", "pattern": "^a"}, "string matching '^a'"),
        ({"type": "object", "required": ["a"], "properties": {"b": True}}, "object with b, a"),
        ({"type": "object", "properties": dict.fromkeys("abcde", True)}, "object with a, b, c, d, …"),
        ({"allOf": [STRING, {"type": "integer"}]}, "string and integer"),
        ({"const": None}, "null"),
        ({"enum": []}, "nothing"),
        ({"enum": list("abcdef")}, "'a', 'b', 'c', 'd' or …"),
        (BLOB, "Blob"),
        ({"type": "array", "items": BLOB}, "array of Blob"),
        ({"$ref": "#/$defs/a", "$defs": {"a": STRING}}, "string"),
        ({"$ref": "https://schemas.test/a"}, "what 'https://schemas.test/a' refers to"),
        ({"minLength": 1}, "anything with conditions"),
        ({"title": "Anything"}, "anything"),
    ],
)
def test_a_schema_becomes_one_readable_line(schema: Any, line: str) -> None:
    assert describe(schema) == line


def test_a_line_is_short_whatever_the_schema() -> None:
    long = {"anyOf": [{"type": "object", "properties": dict.fromkeys(("n" * 50 + str(i) for i in range(9)), True)}] * 9}
    assert len(describe(long)) == 100


def test_the_answer_for_frozen_schemas_is_kept() -> None:
    source, target = freeze({"type": "string"}), freeze({"type": "integer"})
    assert compare(source, target) is compare(source, target)


def test_the_answer_for_schemas_that_can_change_is_made_anew() -> None:
    source = thaw({"type": "string"})
    assert compare(source, STRING).answer == "fits"
    source["type"] = "integer"
    assert compare(source, STRING).answer == "cannot_fit"
