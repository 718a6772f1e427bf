"""Pairs of schemas that a person can decide at a glance are decided, and as that person would."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from flowcore.compatibility import compare

INTEGER, NUMBER, STRING, BOOLEAN, NULL = ({"type": name} for name in ("integer", "number", "string", "boolean", "null"))
ARRAY, OBJECT = {"type": "array"}, {"type": "object"}
BLOB = {"type": "object", "required": ["$blob"], "properties": {"$blob": {"type": "object"}}}
OPTIONAL_STRING = {"type": ["string", "null"]}


def list_of(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def record(required: str = "", *, closed: bool = False, **properties: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "required": required.split()}
    return {**made, "additionalProperties": False} if closed else made


TREE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {
            "type": "object",
            "properties": {"value": INTEGER, "children": list_of({"$ref": "#/$defs/tree"})},
            "required": ["value"],
        }
    },
}
TREE_OF_NUMBERS = {
    "type": "object",
    "properties": {"value": NUMBER, "children": list_of({"$ref": "#"})},
}
TREE_OF_STRINGS = {
    "type": "object",
    "properties": {"value": STRING, "children": list_of({"$ref": "#"})},
}

FITS: list[tuple[Any, Any]] = [
    # anything and nothing
    (True, True),
    (True, {}),
    ({}, True),
    ({}, {"title": "Anything", "description": "…", "default": 1, "examples": [2], "x-ui": {}}),
    (STRING, True),
    (False, STRING),
    (False, False),
    (True, {"not": False}),
    (STRING, {"anyOf": [True, STRING]}),
    # types
    (STRING, STRING),
    (INTEGER, NUMBER),
    ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
    ({"type": "integer", "exclusiveMaximum": 3.5}, {"type": "number", "maximum": 3}),
    (INTEGER, {"type": ["integer", "string"]}),
    ({"type": ["integer", "number"]}, NUMBER),
    (NUMBER, {"type": ["integer", "number"]}),
    (STRING, OPTIONAL_STRING),
    (NULL, OPTIONAL_STRING),
    (OPTIONAL_STRING, {"anyOf": [NULL, STRING]}),
    ({"anyOf": [STRING, NULL]}, OPTIONAL_STRING),
    ({"anyOf": [INTEGER, STRING]}, {"anyOf": [STRING, NUMBER, NULL]}),
    (STRING, {"oneOf": [STRING, NULL]}),
    ({"oneOf": [STRING, NULL]}, OPTIONAL_STRING),
    ({"oneOf": [STRING, NULL]}, {"oneOf": [NULL, STRING]}),
    ({"type": ["null", "boolean", "number", "string", "array", "object"]}, {"title": "Anything"}),
    (True, {"type": ["null", "boolean", "number", "string", "array", "object"]}),
    ({"type": "string", "title": "Name"}, {"type": "string", "description": "What to call it."}),
    (STRING, {"type": "string", "format": "date-time"}),
    (STRING, {"not": NULL}),
    ({"not": NULL}, {"not": NULL}),
    ({"allOf": [STRING, {"minLength": 3}]}, {"type": "string", "minLength": 1}),
    ({"type": "string", "minLength": 3}, {"allOf": [STRING, {"minLength": 1}]}),
    ({"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]}, INTEGER),
    # enum and const
    ({"enum": ["a"]}, {"enum": ["a", "b"]}),
    ({"enum": ["a", "b"]}, STRING),
    ({"enum": ["a", None]}, OPTIONAL_STRING),
    ({"const": 1}, INTEGER),
    ({"const": 1.0}, INTEGER),
    ({"const": 1}, {"const": 1.0}),
    ({"enum": [1, 2]}, {"type": "integer", "maximum": 2}),
    ({"enum": [True, False]}, BOOLEAN),
    (BOOLEAN, {"enum": [True, False]}),
    (NULL, {"const": None}),
    ({"const": {"a": [1]}}, record("a", a=list_of(INTEGER))),
    ({"enum": [1, "a"], "type": "string"}, STRING),
    ({"enum": []}, STRING),
    ({"type": "string", "enum": ["a", "abc"]}, {"maxLength": 3}),
    # numbers
    ({"type": "integer", "minimum": 1, "maximum": 5}, {"type": "number", "minimum": 0, "maximum": 5}),
    ({"type": "integer", "exclusiveMinimum": 0}, {"type": "number", "minimum": 0}),
    ({"type": "number", "multipleOf": 6}, {"type": "number", "multipleOf": 3}),
    ({"type": "number", "multipleOf": 2}, INTEGER),
    (INTEGER, {"multipleOf": 1}),
    ({"type": "number", "multipleOf": 0.1}, {"type": "number", "multipleOf": 0.1}),
    ({"type": "integer", "minimum": 3, "maximum": 2}, STRING),
    # strings
    ({"type": "string", "minLength": 2, "maxLength": 4}, {"type": "string", "minLength": 1, "maxLength": 5}),
    ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a"}),
    ({"type": "string", "pattern": "^a", "maxLength": 3}, {"type": "string", "pattern": "^a"}),
    # arrays
    (list_of(INTEGER), list_of(NUMBER)),
    (list_of(INTEGER), ARRAY),
    (ARRAY, list_of(True)),
    (list_of(STRING, minItems=2), list_of(OPTIONAL_STRING, minItems=1)),
    (list_of(STRING, uniqueItems=True), list_of(STRING)),
    (list_of(STRING, maxItems=1), list_of(STRING, uniqueItems=True)),
    (list_of(list_of(INTEGER)), list_of(list_of(NUMBER))),
    ({"type": "array", "prefixItems": [INTEGER, STRING], "items": False}, list_of({"type": ["number", "string"]})),
    ({"type": "array", "prefixItems": [INTEGER], "items": False}, {"type": "array", "maxItems": 1}),
    ({"type": "array", "maxItems": 0}, list_of(STRING)),
    (list_of(INTEGER, minItems=1), {"type": "array", "contains": NUMBER}),
    ({"type": "array", "contains": INTEGER}, {"type": "array", "contains": NUMBER}),
    (
        {"type": "array", "contains": INTEGER, "maxContains": 1},
        {"type": "array", "contains": INTEGER, "maxContains": 3},
    ),
    # objects
    (record("a b", a=INTEGER, b=STRING), record("a", a=NUMBER)),
    (record("a", a=INTEGER), OBJECT),
    (OBJECT, record()),
    (record("a", a=INTEGER), {"type": "object", "minProperties": 1}),
    (record(closed=True), {"type": "object", "maxProperties": 0}),
    (record("a", closed=True, a=INTEGER), record("a", closed=True, a=NUMBER, b=STRING)),
    (record(closed=True, a=INTEGER), {"type": "object", "additionalProperties": NUMBER}),
    ({"type": "object", "additionalProperties": INTEGER}, {"type": "object", "additionalProperties": NUMBER}),
    ({"type": "object", "additionalProperties": INTEGER}, record(a=NUMBER)),
    (record("user", user=record("name", name=STRING)), record("user", user=record(name=STRING))),
    (record(closed=True, a=INTEGER), {"type": "object", "propertyNames": {"maxLength": 1}}),
    ({"patternProperties": {"^x": STRING}}, {"patternProperties": {"^x": STRING}}),
    (BLOB, BLOB),
    (BLOB, OBJECT),
    (list_of(BLOB), list_of(BLOB)),
    # references
    (TREE, TREE),
    (TREE, TREE_OF_NUMBERS),
    ({"$ref": "#/$defs/n", "$defs": {"n": INTEGER}}, NUMBER),
    (INTEGER, {"$ref": "#/$defs/n", "$defs": {"n": NUMBER}}),
    ({"if": STRING, "then": {"minLength": 1}}, {"if": STRING, "then": {"minLength": 1}}),
]

MAY_FIT: list[tuple[Any, Any]] = [
    (True, STRING),
    ({}, STRING),
    (NUMBER, INTEGER),
    (OPTIONAL_STRING, STRING),
    ({"anyOf": [STRING, NULL]}, STRING),
    ({"type": ["string", "object"]}, STRING),
    (STRING, {"enum": ["a", "b"]}),
    ({"enum": ["a", "c"]}, {"enum": ["a", "b"]}),
    (STRING, {"type": "string", "minLength": 1}),
    (STRING, {"type": "string", "pattern": "^a"}),
    ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}),
    (INTEGER, {"type": "integer", "minimum": 0}),
    ({"type": "integer", "maximum": 5}, {"type": "integer", "minimum": 5}),
    (list_of(NUMBER), list_of(INTEGER)),
    (list_of(INTEGER), list_of(STRING)),  # both take []
    (ARRAY, list_of(STRING)),
    (ARRAY, {"type": "array", "minItems": 1}),
    (OBJECT, record("a", a=STRING)),
    (record(a=STRING), record("a", a=STRING)),
    (record(a=STRING), record(a=INTEGER)),  # both take {}
    (record("a", a=STRING), record("a", closed=True, a=STRING)),
    (
        {"type": "array", "contains": INTEGER, "maxContains": 3},
        {"type": "array", "contains": INTEGER, "maxContains": 1},
    ),
    (
        {"type": "object", "patternProperties": {"^a": INTEGER}, "additionalProperties": STRING},
        {"type": "object", "additionalProperties": STRING},
    ),
    (OBJECT, BLOB),
    ({"type": ["string", "object"]}, BLOB),
    (STRING, {"not": {"const": "a"}}),
    (TREE_OF_NUMBERS, TREE),
    (TREE_OF_NUMBERS, TREE_OF_STRINGS),
]

CANNOT_FIT: list[tuple[Any, Any]] = [
    (STRING, False),
    (True, False),
    (INTEGER, STRING),
    (NUMBER, STRING),
    (STRING, INTEGER),
    (NULL, STRING),
    (BOOLEAN, INTEGER),
    (STRING, OBJECT),
    (OBJECT, STRING),
    (ARRAY, OBJECT),
    (BLOB, STRING),
    (STRING, BLOB),
    (OPTIONAL_STRING, INTEGER),
    (STRING, {"anyOf": [INTEGER, NULL]}),
    (STRING, {"oneOf": [INTEGER, NULL]}),
    (STRING, {"not": STRING}),
    ({"enum": ["a"]}, {"enum": ["b"]}),
    ({"const": True}, {"const": 1}),
    ({"enum": ["a", "b"]}, INTEGER),
    ({"const": 1.5}, INTEGER),
    ({"enum": [1, 2]}, {"type": "integer", "minimum": 3}),
    ({"type": "integer", "maximum": 5}, {"type": "integer", "minimum": 6}),
    ({"type": "integer", "maximum": 5}, {"type": "number", "exclusiveMinimum": 5}),
    ({"exclusiveMinimum": 1, "exclusiveMaximum": 2, "type": "number"}, INTEGER),
    ({"type": "string", "maxLength": 2}, {"type": "string", "minLength": 3}),
    (list_of(INTEGER, minItems=1), list_of(STRING)),
    (list_of(STRING, maxItems=1), list_of(STRING, minItems=2)),
    (list_of(STRING), {"type": "array", "contains": INTEGER}),
    ({"type": "array", "prefixItems": [STRING], "minItems": 1}, list_of(INTEGER)),
    (record("a", a=STRING), record(a=INTEGER)),
    (record("a", a=STRING), record(closed=True, b=STRING)),
    (record("a", a=STRING), {"type": "object", "additionalProperties": INTEGER}),
    (record("a", a=STRING), {"type": "object", "maxProperties": 0}),
    (record("ab", ab=STRING), {"type": "object", "propertyNames": {"maxLength": 1}}),
    (record("u", u=record("name", name=STRING)), record("u", u=record("name", name=INTEGER))),
    (TREE, {"type": "object", "properties": {"value": STRING}}),
    (TREE, TREE_OF_STRINGS),
    ({"$ref": "#/$defs/n", "$defs": {"n": INTEGER}}, STRING),
]

TABLE = [
    *((source, target, "fits") for source, target in FITS),
    *((source, target, "may_fit") for source, target in MAY_FIT),
    *((source, target, "cannot_fit") for source, target in CANNOT_FIT),
]


@pytest.mark.parametrize(("source", "target", "answer"), TABLE, ids=map(str, range(len(TABLE))))
def test_a_pair_is_decided_as_a_person_would(source: Any, target: Any, answer: str) -> None:
    assert compare(source, target).answer == answer


@pytest.mark.parametrize(
    ("source", "target"), [(source, target) for source, target, _ in TABLE], ids=map(str, range(len(TABLE)))
)
def test_every_schema_of_the_table_is_one_and_fits_itself(source: Any, target: Any) -> None:
    for schema in (source, target):
        jsonschema_rs.Draft202012Validator(schema)
        assert compare(schema, schema).answer == "fits"
