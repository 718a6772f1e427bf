"""Reads single keywords of a schema, and refuses values that they cannot have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flowcore.compatibility.branches import Kind
from flowcore.compatibility.equality import is_number, key_of
from flowcore.compatibility.parts import Budget, Conjunction, NotASchema, Part, child

__all__ = [
    "KINDS",
    "alternatives",
    "kind_of_value",
    "listed",
    "mapping",
    "number",
    "size",
    "texts",
    "types_of",
    "values_of",
]

KINDS: Final[tuple[Kind, ...]] = ("null", "boolean", "number", "string", "array", "object")
_TYPES: Final[Mapping[str, Kind]] = {**{kind: kind for kind in KINDS}, "integer": "number"}


def types_of(part: Part) -> tuple[str, ...] | None:
    """The types that `type` lists; None where there is none."""
    named = part.schema.get("type")
    if type(named) is str and named in _TYPES:
        return (named,)
    if named is None and "type" not in part.schema:
        return None
    if not isinstance(named, list) or not named or not all(isinstance(name, str) and name in _TYPES for name in named):
        raise NotASchema(part, "its type is none that JSON Schema has")
    return tuple(dict.fromkeys(named))


def values_of(part: Part, budget: Budget) -> Mapping[Any, Any] | None:
    """The values that `enum` and `const` list, by their keys; None where there is neither."""
    key = id(part.schema)
    if key not in budget.listed_values:
        budget.listed_values[key] = _values_of(part, budget)
    return budget.listed_values[key]


def _values_of(part: Part, budget: Budget) -> Mapping[Any, Any] | None:
    schema = part.schema
    values: dict[Any, Any] | None = None
    try:
        if "enum" in schema:
            budget.spend(len(listed(part, "enum")))
            values = {key_of(value): value for value in listed(part, "enum")}
        if "const" in schema:
            key = key_of(schema["const"])
            values = {key: schema["const"]} if values is None or key in values else {}
    except ValueError as error:
        raise NotASchema(part, f"it lists {error}") from None
    return values


def number(part: Part, keyword: str) -> int | float | None:
    """A number such as `minimum`."""
    value = part.schema.get(keyword)
    if value is None and keyword not in part.schema:
        return None
    if not is_number(value):
        raise NotASchema(part, f"its {keyword} is no number")
    return value  # type: ignore[no-any-return]


def size(part: Part, keyword: str) -> int | None:
    """A whole number from 0, such as `minItems`."""
    value = number(part, keyword)
    if value is None:
        return None
    if value < 0 or value != int(value):
        raise NotASchema(part, f"its {keyword} is no size")
    return int(value)


def mapping(part: Part, keyword: str) -> Mapping[str, Any]:
    """An object of schemas or lists by name; empty where there is none."""
    value = part.schema.get(keyword)
    if value is None and keyword not in part.schema:
        return {}
    if not isinstance(value, dict):
        raise NotASchema(part, f"its {keyword} is no object")
    return value


def listed(part: Part, keyword: str) -> list[Any]:
    """A list; empty where there is none."""
    value = part.schema.get(keyword)
    if value is None and keyword not in part.schema:
        return []
    if not isinstance(value, list | tuple):
        raise NotASchema(part, f"its {keyword} is no list")
    return list(value)


def texts(part: Part, keyword: str) -> list[str]:
    """A list of strings; empty where there is none."""
    value = listed(part, keyword)
    if not all(isinstance(item, str) for item in value):
        raise NotASchema(part, f"its {keyword} is no list of strings")
    return value


def alternatives(part: Part, keyword: str) -> Conjunction:
    """The schemas of `allOf`, `anyOf` or `oneOf`; none where the keyword is absent."""
    count = len(listed(part, keyword))
    if not count and keyword in part.schema:
        raise NotASchema(part, f"its {keyword} is empty")
    return tuple(child(part, keyword, index) for index in range(count))


def kind_of_value(value: Any) -> Kind:
    """The kind of a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
