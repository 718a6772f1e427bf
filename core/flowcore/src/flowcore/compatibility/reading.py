"""Takes a schema apart into branches: the types it allows, with what it says of each, and its alternatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flowcore.compatibility.branches import (
    Arrays,
    Branch,
    Count,
    Extra,
    Kind,
    Limits,
    Numbers,
    Objects,
    Row,
    Shape,
    Strings,
    merge,
)
from flowcore.compatibility.keywords import (
    KINDS,
    alternatives,
    kind_of_value,
    listed,
    mapping,
    number,
    size,
    texts,
    types_of,
    values_of,
)
from flowcore.compatibility.parts import Budget, Conjunction, NotASchema, Part, child, resolve

__all__ = ["Reader"]

#: Keywords that narrow values of one kind, or of any, and that no limits say.
_EXTRAS: Final[Mapping[str, Kind | None]] = {
    "not": None,
    "if": None,
    "$dynamicRef": None,
    "$recursiveRef": None,
    "dependentRequired": "object",
    "dependentSchemas": "object",
    "dependencies": "object",
    "unevaluatedProperties": "object",
    "unevaluatedItems": "array",
}
_BOOLEANS: Final = {("boolean", True): True, ("boolean", False): False}
_NULL: Final = {None: None}
_NO_LIMITS: Final[Mapping[Kind, Limits | None]] = {
    "null": None,
    "boolean": None,
    "number": Numbers(),
    "string": Strings(),
    "array": Arrays(),
    "object": Objects(),
}
_INTEGERS: Final = Numbers(integer=True)
_VALUES: Final[Mapping[Kind, Mapping[Any, Any]]] = {"null": _NULL, "boolean": _BOOLEANS}
_ANYTHING: Final = tuple(Branch(kind, (), _NO_LIMITS[kind], _VALUES.get(kind)) for kind in KINDS)


class Reader:
    """The branches of the schemas of one comparison, each read once."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._read: dict[tuple[int, int, str], tuple[Branch, ...]] = {}
        self._reading: set[tuple[int, int, str]] = set()

    def all_of(self, parts: Conjunction) -> tuple[Branch, ...]:
        """The branches that values which all the parts accept can be in."""
        branches = _ANYTHING
        for part in parts:
            if part.schema is not True:
                branches = self.branches_of(part) if branches is _ANYTHING else self._both(branches, part)
        return branches

    def branches_of(self, part: Part) -> tuple[Branch, ...]:
        """The branches of one schema: each value that it accepts is in one of them."""
        key = (*part.key, part.side)
        found = self._read.get(key)
        if found is None:
            self.budget.spend()
            if key in self._reading:  # a $ref that leads to itself
                return _anything_but(part, Extra("$loop", part))
            self._reading.add(key)
            found = self._read[key] = self._branches(part)
            self._reading.discard(key)
        return found

    def _branches(self, part: Part) -> tuple[Branch, ...]:
        schema = part.schema
        if schema is True:
            return _anything_but(part)
        if schema is False:
            return ()
        if not isinstance(schema, dict):
            raise NotASchema(part, "it is neither an object nor true or false")
        if "$id" in schema and schema is not part.root:
            # A document of its own: what its references mean cannot be known from here.
            return _anything_but(part, Extra("$id", part))
        branches = _own_branches(part, self.budget)
        if "$ref" in schema:
            found = resolve(part, schema["$ref"])
            branches = self._both(branches, found) if found else _narrowed(branches, Extra("$ref", part))
        for keyword in ("allOf", "anyOf", "oneOf"):
            if keyword in schema:
                branches = self._with_alternatives(branches, part, keyword)
        return branches

    def _with_alternatives(self, branches: tuple[Branch, ...], part: Part, keyword: str) -> tuple[Branch, ...]:
        schemas = alternatives(part, keyword)
        if keyword == "allOf":
            for schema in schemas:
                branches = self._both(branches, schema)
            return branches
        union = tuple(branch for schema in schemas for branch in self._both(branches, schema))
        return _narrowed(union, Extra("oneOf", part)) if keyword == "oneOf" and len(schemas) > 1 else union

    def _both(self, branches: tuple[Branch, ...], part: Part) -> tuple[Branch, ...]:
        others = self.branches_of(part)
        self.budget.spend(len(branches))
        made = []
        for one in branches:
            for other in others:
                if one.kind == other.kind:
                    self.budget.spend()
                    merged = merge(one, other)
                    if merged is not None:
                        made.append(merged)
        return tuple(made)


def _anything_but(part: Part, *extras: Extra) -> tuple[Branch, ...]:
    """All values that the part accepts, of which nothing is known but the extras."""
    return tuple(Branch(one.kind, (part,), one.limits, one.values, extras) for one in _ANYTHING)


def _narrowed(branches: tuple[Branch, ...], extra: Extra) -> tuple[Branch, ...]:
    return tuple(Branch(one.kind, one.parts, one.limits, one.values, (*one.extras, extra)) for one in branches)


def _own_branches(part: Part, budget: Budget) -> tuple[Branch, ...]:
    """What the keywords beside `$ref` and the alternatives say."""
    schema = part.schema
    types = types_of(part)
    values = values_of(part, budget) if "enum" in schema or "const" in schema else None
    extras = schema.keys() & _EXTRAS.keys()
    kinds: Sequence[Kind] = KINDS
    if types is not None:
        kinds = tuple(dict.fromkeys("number" if name == "integer" else name for name in types))  # type: ignore[misc]
    parts = (part,)
    branches = []
    for kind in kinds:
        own_values = _VALUES.get(kind)
        if values is not None:
            own_values = {key: value for key, value in values.items() if kind_of_value(value) == kind}
            if not own_values:
                continue
        limits = _limits(part, kind, integer=types is not None and "number" not in types)
        own = tuple(Extra(keyword, part) for keyword in sorted(extras) if _EXTRAS[keyword] in (None, kind))
        branches.append(Branch(kind, parts, limits, own_values, own))
    return tuple(branches)


def _limits(part: Part, kind: Kind, *, integer: bool) -> Limits | None:
    if len(part.schema) == 1 and "type" in part.schema:  # most schemas of ports
        return _INTEGERS if integer and kind == "number" else _NO_LIMITS[kind]
    match kind:
        case "number":
            return _numbers(part, integer=integer)
        case "string":
            return _strings(part)
        case "array":
            return _arrays(part)
        case "object":
            return _objects(part)
        case _:
            return None


def _numbers(part: Part, *, integer: bool) -> Numbers:
    schema = part.schema
    bounds = Numbers(integer=integer)
    if "minimum" in schema:
        bounds &= Numbers(low=number(part, "minimum"))
    if "maximum" in schema:
        bounds &= Numbers(high=number(part, "maximum"))
    if "exclusiveMinimum" in schema:
        bounds &= Numbers(low=number(part, "exclusiveMinimum"), low_open=True)
    if "exclusiveMaximum" in schema:
        bounds &= Numbers(high=number(part, "exclusiveMaximum"), high_open=True)
    if "multipleOf" in schema:
        multiple = number(part, "multipleOf")
        if multiple is None or multiple <= 0:
            raise NotASchema(part, "its multipleOf is not above 0")
        bounds &= Numbers(multiples=(multiple,))
    return bounds


def _strings(part: Part) -> Strings:
    pattern = part.schema.get("pattern")
    if pattern is not None and not isinstance(pattern, str):
        raise NotASchema(part, "its pattern is no string")
    patterns = frozenset(() if pattern is None else (pattern,))
    return Strings(size(part, "minLength") or 0, size(part, "maxLength"), patterns)


def _arrays(part: Part) -> Arrays:
    schema = part.schema
    shortest, longest = size(part, "minItems") or 0, size(part, "maxItems")
    rows: tuple[Row, ...] = ()
    counts: tuple[Count, ...] = ()
    if "items" in schema or "prefixItems" in schema:
        prefix = listed(part, "prefixItems")
        if "items" in schema and isinstance(schema["items"], list):
            raise NotASchema(part, "its items is a list, which is called prefixItems")
        rows = (Row(part, len(prefix), "items" in schema),)
        closed = [index for index, item in enumerate(prefix) if item is False]
        if schema.get("items") is False:
            closed.append(len(prefix))
        if closed:
            longest = closed[0] if longest is None else min(longest, closed[0])
    if "contains" in schema:
        least = size(part, "minContains")
        counts = (Count(child(part, "contains"), 1 if least is None else least, size(part, "maxContains")),)
    return Arrays(shortest, longest, schema.get("uniqueItems") is True, rows, counts)


def _objects(part: Part) -> Objects:
    schema = part.schema
    shapes: tuple[Shape, ...] = ()
    if "properties" in schema or "additionalProperties" in schema or "patternProperties" in schema:
        patterns = tuple(mapping(part, "patternProperties"))
        shapes = (Shape(part, mapping(part, "properties"), patterns, "additionalProperties" in schema),)
    names = (child(part, "propertyNames"),) if "propertyNames" in schema else ()
    required = frozenset(texts(part, "required"))
    return Objects(size(part, "minProperties") or 0, size(part, "maxProperties"), required, shapes, names)
