"""Schemas that are none, that lead nowhere or around, or that are very large: never an error, never long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flowcore.compatibility import compare, describe
from flowcore.compatibility.parts import Budget, OutOfSteps
from hypothesis import given
from hypothesis import strategies as st

from core.flowcore.tests.compatibility.schema_strategies import values

STRING = {"type": "string"}
#: Far more than the bounds allow on a slow machine, far less than unbounded work takes.
SECONDS = 5.0


def nested(keyword: str, levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {keyword: [schema] if keyword == "allOf" else schema}
    return schema


def cyclic() -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    return schema


def deep_list(levels: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels):
        made = [made]
    return made


def branching(levels: int) -> dict[str, Any]:
    """A schema whose alternatives meet again at each level: one way through it for each power of two."""
    definitions: dict[str, Any] = {
        f"a{level}": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"$ref": f"#/$defs/a{level + 1}"}, {"$ref": f"#/$defs/a{level + 2}"}]},
        }
        for level in range(levels)
    }
    ends = {f"a{levels}": STRING, f"a{levels + 1}": {"type": "number"}}
    return {"$ref": "#/$defs/a0", "$defs": {**definitions, **ends}}


def alternatives(first: int) -> dict[str, Any]:
    """Choices that multiply: ten to the eighth combinations."""
    return {
        "allOf": [
            {"anyOf": [{"type": "object", "required": [f"p{group}-{index}"]} for index in range(10)]}
            for group in range(first, first + 8)
        ]
    }


@pytest.mark.parametrize(
    "schema",
    [
        3,
        None,
        "string",
        [],
        {"type": "strin"},
        {"type": []},
        {"type": [["string"]]},
        {"type": None},
        {"enum": "a"},
        {"enum": [{1, 2}]},
        {"const": float("nan")},
        {"minLength": "1"},
        {"minLength": -1},
        {"maxLength": 1.5},
        {"pattern": 1},
        {"minimum": "1"},
        {"maximum": True},
        {"minimum": 10**400},
        {"multipleOf": 0},
        {"anyOf": []},
        {"oneOf": {}},
        {"allOf": [7]},
        {"items": [STRING]},
        {"prefixItems": {}},
        {"properties": []},
        {"properties": {"a": 1}, "required": ["a"]},
        {"required": "a"},
        {"required": [1]},
        {"$ref": 1},
    ],
    ids=str,
)
def test_what_is_no_schema_may_fit(schema: Any) -> None:
    everything = {"type": ["null", "boolean", "number", "string", "array", "object"], "minLength": 1, "minItems": 1}
    thing = {"type": ["string", "number", "array", "object"], "required": ["a"]}
    assert compare(schema, everything).answer == "may_fit"
    assert compare(thing, schema).answer == "may_fit"
    assert describe(schema)


def test_what_is_no_schema_for_a_listed_value_may_fit() -> None:
    for needed in (5, [["b"]], "b", None):
        assert compare({"const": {"a": 1}}, {"dependentRequired": {"a": needed}}).answer == "may_fit"
    assert compare({"const": {"a": 1}}, {"dependentRequired": {"a": ["a"]}}).answer == "fits"
    assert compare({"const": {"a": 1}}, {"dependentRequired": {"a": ["b"]}}).answer == "cannot_fit"


def test_a_fault_names_the_side_and_place_where_it_is() -> None:
    fit = compare({"type": "array", "items": STRING}, {"type": "array", "items": {"type": "strin"}})
    assert (fit.source_pointer, fit.target_pointer) == ("", "/items")
    assert "no JSON Schema, for its type is none that JSON Schema has" in fit.why


KEYWORDS = (
    *("type", "enum", "const", "minimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern"),
    *("items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "uniqueItems", "properties"),
    *("required", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "dependentRequired"),
    *("dependentSchemas", "allOf", "anyOf", "oneOf", "not", "if", "then", "$ref", "$defs", "$id", "format"),
)
garbage = st.recursive(
    values | st.sampled_from(("string", "object", "array", "#", "#/$defs/a", "#/items")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
)


@given(garbage, garbage)
def test_whatever_is_given_for_a_schema_there_is_an_answer(source: Any, target: Any) -> None:
    fit = compare(source, target)
    assert fit.answer in {"fits", "may_fit", "cannot_fit"}
    assert bool(fit.message) is (fit.answer != "fits")


@pytest.mark.parametrize(
    "reference",
    ["https://schemas.test/a", "other.json", "#anchor", "#/$defs/none", "#/$defs/list/5", "#/type/x", "urn:x:y", ""],
)
def test_a_reference_that_leads_out_or_nowhere_may_be_anything(reference: str) -> None:
    schema = {"$ref": reference, "$defs": {"list": [True]}}
    assert compare(schema, STRING).answer == "may_fit"
    assert compare(STRING, schema).answer == "may_fit"
    assert compare({**schema, **STRING}, STRING).answer == "fits"
    assert compare({**schema, **STRING}, {"type": "integer"}).answer == "cannot_fit"


def test_references_inside_an_embedded_document_are_not_followed() -> None:
    inner = {"$id": "https://schemas.test/inner", "$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}
    schema = {"type": "array", "minItems": 1, "items": inner, "$defs": {"a": STRING}}
    assert compare(schema, {"type": "array", "items": STRING}).answer == "may_fit"
    outside = {"$ref": "#/$defs/inner/$defs/a", "$defs": {"inner": inner, "a": STRING}}
    assert compare(outside, STRING).answer == "may_fit"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({"$ref": "#"}, STRING),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, STRING),
        ({"not": {"$ref": "#"}}, {"title": "Itself", "not": {"$ref": "#"}}),
        ({"oneOf": [{"$ref": "#"}, STRING]}, {"title": "Itself", "oneOf": [STRING, {"$ref": "#"}]}),
        (cyclic(), {"type": "array", "items": {"type": "array", "minItems": 1}}),
        ({"const": deep_list(5000)}, {"enum": [1, []]}),
        (nested("items", 3000), {**nested("items", 3000), "title": "The same"}),
        (nested("allOf", 3000), {**nested("allOf", 3000), "title": "The same"}),
        (nested("not", 300), {**nested("not", 301), "title": "The other"}),
        (branching(40), {"title": "The same", **branching(39)}),
        (alternatives(0), alternatives(8)),
        (
            {"oneOf": [{"type": "number", "minimum": bound} for bound in range(300)]},
            {"oneOf": [{"type": "number", "maximum": bound} for bound in range(300)]},
        ),
        ({"enum": list(range(100_000))}, {"enum": list(range(1, 100_001))}),
        ({"enum": [list(range(20_000))] * 50}, {"uniqueItems": True, "items": {"type": "integer"}}),
        ({"prefixItems": [STRING] * 100_000}, {"prefixItems": [{"type": "string", "minLength": 0}] * 100_000}),
    ],
    ids=[str(number) for number in range(15)],
)
def test_what_is_large_or_goes_round_ends_soon(source: Any, target: Any) -> None:
    began = time.process_time()
    assert compare(source, target).answer == "may_fit"
    assert time.process_time() - began < SECONDS


def test_without_the_budget_of_steps_work_would_grow_with_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    class Spent(Exception):  # noqa: N818 - it ends the control
        pass

    def spend(self: Budget, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < -50_000:
            raise Spent

    monkeypatch.setattr(Budget, "spend", spend)
    with pytest.raises(Spent):
        compare(alternatives(0), alternatives(8))


def test_a_budget_ends_with_its_last_step() -> None:
    budget = Budget()
    budget.spend(budget.steps)
    with pytest.raises(OutOfSteps):
        budget.spend()


def test_recursion_that_fails_late_does_not_prove_what_rested_on_it() -> None:
    # `one` fits `two` only as long as their common assumption holds; the last property refutes it.
    def schema(last: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {"b": {"$ref": "#"}}}, "z": last},
            "required": ["z"],
        }

    assert compare(schema({"type": "integer"}), schema({"type": "number"})).answer == "fits"
    assert compare(schema({"type": "number"}), schema({"type": "integer"})).answer == "may_fit"
    assert compare(schema({"type": "number"}), schema(STRING)).answer == "cannot_fit"
