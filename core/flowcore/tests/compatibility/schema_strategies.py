"""Random schemas over all keywords that are compared, and random values aimed at them."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c", "x-1")
PATTERNS = ("^a", "b$", "^x-", "^.$")
NUMBERS: tuple[int | float, ...] = (
    *(-2, -1, 0, 1, 2, 3, 4, 6),
    *(-0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0),
    *(2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), 1e300, -1e300),
)
TEXTS = ("", "a", "b", "ab", "x-1", "é", "😀", "abc")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

numbers = st.sampled_from(NUMBERS)
names = st.sampled_from(NAMES)
sizes = st.integers(min_value=0, max_value=3)
scalars: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), numbers, st.sampled_from(TEXTS))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=5,
)
bounds = st.one_of(st.integers(min_value=-3, max_value=5), numbers)
multiples = st.sampled_from((1, 2, 3, 4, 6, 0.1, 0.5, 1.0, 2.0, 2.5))
types = st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True))
references = st.sampled_from(("#/$defs/one", "#/$defs/two", "#"))
notes: st.SearchStrategy[Any] = st.sampled_from(({"title": "T"}, {"default": 1}, {"x-mark": [1]}, {"format": "date"}))


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One aspect of a schema."""
    schemas = st.lists(inner, min_size=1, max_size=3)
    by_name = st.dictionaries(names, inner, min_size=1, max_size=3)
    aspects: list[st.SearchStrategy[Any]] = [
        st.fixed_dictionaries({"type": types}),
        st.fixed_dictionaries({"type": types}),
        st.fixed_dictionaries({"type": st.just("object"), "properties": by_name}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"enum": st.lists(values, max_size=4)}),
        st.fixed_dictionaries({"const": values}),
        st.fixed_dictionaries({}, optional=dict.fromkeys(("minimum", "exclusiveMaximum"), bounds)),
        st.fixed_dictionaries({}, optional=dict.fromkeys(("maximum", "exclusiveMinimum"), bounds)),
        st.fixed_dictionaries({"multipleOf": multiples}),
        st.fixed_dictionaries({}, optional={"minLength": sizes, "maxLength": sizes}),
        st.fixed_dictionaries({"pattern": st.sampled_from(PATTERNS)}),
        st.fixed_dictionaries({}, optional={"prefixItems": schemas, "items": inner}),
        st.fixed_dictionaries({"contains": inner}, optional={"minContains": sizes, "maxContains": sizes}),
        st.fixed_dictionaries({}, optional={"minItems": sizes, "maxItems": sizes, "uniqueItems": st.booleans()}),
        st.fixed_dictionaries({}, optional={"properties": by_name, "additionalProperties": inner}),
        st.fixed_dictionaries({"required": st.lists(names, max_size=2, unique=True)}),
        st.fixed_dictionaries(
            {"patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner, min_size=1, max_size=2)}
        ),
        st.fixed_dictionaries({"propertyNames": inner}),
        st.fixed_dictionaries({}, optional={"minProperties": sizes, "maxProperties": sizes}),
        st.fixed_dictionaries({"dependentRequired": st.dictionaries(names, st.just(["b"]), max_size=2)}),
        st.fixed_dictionaries({"dependentSchemas": st.dictionaries(names, inner, max_size=2)}),
        st.fixed_dictionaries({"allOf": schemas}),
        st.fixed_dictionaries({"anyOf": schemas}),
        st.fixed_dictionaries({"oneOf": schemas}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.fixed_dictionaries({"unevaluatedProperties": inner}),
        st.fixed_dictionaries({"unevaluatedItems": inner}),
        notes,
    ]
    return st.one_of(aspects)


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {keyword: value for part in parts for keyword, value in part.items()}


#: References only stand where a value has grown smaller: validators do not take those that lead to themselves.
_guarded = st.one_of(
    st.fixed_dictionaries({"properties": st.dictionaries(names, references.map(lambda to: {"$ref": to}), max_size=2)}),
    st.fixed_dictionaries({"items": references.map(lambda to: {"$ref": to})}),
    st.fixed_dictionaries({"additionalProperties": references.map(lambda to: {"$ref": to})}),
)
parts = st.recursive(
    st.one_of(
        st.booleans(),
        st.fixed_dictionaries({"type": types}),
        st.fixed_dictionaries({"enum": st.lists(values)}),
        _guarded,
    ),
    lambda inner: st.lists(_keywords(inner), min_size=1, max_size=3).map(_merged),
    max_leaves=6,
)


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """A schema of its own, with all that it refers to."""
    schema = draw(parts)
    if isinstance(schema, bool) or "$ref" not in repr(schema):
        return schema
    return {**schema, "$defs": {"one": draw(parts), "two": draw(parts)}}


@st.composite
def related_schemas(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas of which the one often comes from the other by a small change."""
    source = draw(schemas())
    if isinstance(source, bool) or draw(st.integers(0, 3)) == 0:
        return source, draw(schemas())
    change = draw(st.sampled_from(("same", "more", "less", "union", "deeper")))
    target: Any = dict(source)
    definitions = {"$defs": target["$defs"]} if "$defs" in target else {}
    match change:
        case "more":
            target |= draw(_keywords(parts_without_references))
        case "less" if len(target) > 1:
            target.pop(draw(st.sampled_from(sorted(target.keys() - {"$defs"}) or sorted(target))))
        case "union":
            target = {"anyOf": [target, draw(parts_without_references)], **definitions}
        case "deeper":
            keyword = draw(st.sampled_from(("items", "additionalProperties", "contains")))
            source = {"type": ["array", "object"], keyword: source, **definitions}
            target = {keyword: target, **definitions}
        case _:
            pass
    if "$ref" in repr(target) and "$defs" not in target:
        target["$defs"] = {"one": True, "two": True}
    pair = (source, target)
    return pair if draw(st.booleans()) else pair[::-1]


_small: st.SearchStrategy[Any] = st.one_of(st.booleans(), st.fixed_dictionaries({"type": st.sampled_from(TYPES)}))
_small_bounds = st.sampled_from((0, 1, 1.5, 2, 3))
_many: st.SearchStrategy[Any] = st.lists(_small, min_size=1, max_size=2)
#: Keywords of one type each, with few values, so that two schemas often say nearly the same.
_OF_TYPES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "number": {
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _small_bounds),
        "multipleOf": st.sampled_from((1, 2, 3, 4, 0.5)),
    },
    "string": {"minLength": sizes, "maxLength": sizes, "pattern": st.sampled_from(PATTERNS)},
    "array": {
        **dict.fromkeys(("minItems", "maxItems", "minContains", "maxContains"), sizes),
        **dict.fromkeys(("items", "contains"), _small),
        "prefixItems": _many,
        "uniqueItems": st.booleans(),
    },
    "object": {
        **dict.fromkeys(("minProperties", "maxProperties"), sizes),
        "properties": st.dictionaries(names, _small, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), _small, max_size=1),
        "additionalProperties": _small,
        "propertyNames": st.sampled_from(({"maxLength": 1}, {"enum": ["a", "b"]}, {"pattern": "^a"}, True)),
        "required": st.lists(names, max_size=2, unique=True),
    },
}


@st.composite
def narrow_schemas(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas of one type with up to three of its keywords each."""
    kind = draw(st.sampled_from(sorted(_OF_TYPES)))
    keywords = _OF_TYPES[kind]
    shared = draw(st.lists(st.sampled_from(sorted(keywords)), min_size=1, max_size=2, unique=True))
    pair = []
    for _ in range(2):
        own = {*shared, *draw(st.lists(st.sampled_from(sorted(keywords)), max_size=1))}
        name = "integer" if kind == "number" and draw(st.booleans()) else kind
        pair.append({"type": name, **{keyword: draw(keywords[keyword]) for keyword in sorted(own)}})
    return pair[0], pair[1]


parts_without_references = parts.filter(lambda schema: "$ref" not in repr(schema))


def aimed(schema: Any, root: Any, chance: random.Random, depth: int = 4) -> Any:
    """A value made by following a schema, sometimes losing the way."""
    if not isinstance(schema, dict) or depth == 0 or chance.random() < 0.05:
        return anything(chance)
    if "$ref" in schema:
        found = root
        for step in schema["$ref"].split("/")[1:]:
            found = found[step]
        return aimed(found, root, chance, depth - 1)
    if listed := [schema["const"]] if "const" in schema else schema.get("enum"):
        return chance.choice(listed)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema and chance.random() < 0.7:
            merged = {**schema, **_mapping(chance.choice(schema[keyword]))}
            return aimed({key: part for key, part in merged.items() if key != keyword}, root, chance, depth)
    if "then" in schema and chance.random() < 0.5:
        return aimed({**schema, **_mapping(schema["then"])}, root, chance, depth - 1)
    return _of_kind(schema, root, chance, depth)


def _of_kind(schema: dict[str, Any], root: Any, chance: random.Random, depth: int) -> Any:
    named = schema.get("type") or _kinds_meant(schema)
    match chance.choice(named) if isinstance(named, list) else named:
        case "null":
            return None
        case "boolean":
            return chance.random() < 0.5
        case "integer":
            return _number(schema, chance, whole=True)
        case "number":
            return _number(schema, chance, whole=False)
        case "string":
            return _text(schema, chance)
        case "array":
            return _array(schema, root, chance, depth)
        case _:
            return _object(schema, root, chance, depth)


def anything(chance: random.Random, depth: int = 2) -> Any:
    """Any JSON value."""
    match chance.randrange(8 if depth else 6):
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2 | 3:
            return chance.choice(NUMBERS)
        case 4 | 5:
            return chance.choice(TEXTS)
        case 6:
            return [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
        case _:
            return {name: anything(chance, depth - 1) for name in NAMES if chance.random() < 0.4}


def _mapping(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _kinds_meant(schema: dict[str, Any]) -> list[str]:
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return ["number", "integer", *TYPES]
    if schema.keys() & {"items", "prefixItems", "contains", "minItems", "maxItems", "unevaluatedItems"}:
        return ["array", "array", "array", *TYPES]
    if schema.keys() & {"properties", "required", "additionalProperties", "minProperties", "propertyNames"}:
        return ["object", "object", "object", *TYPES]
    return list(TYPES)


def _number(schema: dict[str, Any], chance: random.Random, *, whole: bool) -> int | float:
    near = [schema[key] for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") if key in schema]
    number = chance.choice(near or NUMBERS)
    step = schema.get("multipleOf", 1 if whole else chance.choice((1, 0.5, 0.1)))
    if "multipleOf" in schema and abs(number) < 1e15:
        number = round(number / step) * step
    if abs(number) < 2**62:
        number += chance.choice((-2, -1, 0, 0, 1, 2)) * step
    return int(number) if whole and abs(number) < 2**62 and chance.random() < 0.7 else number


def _text(schema: dict[str, Any], chance: random.Random) -> str:
    shortest = schema.get("minLength", 0)
    text = chance.choice(TEXTS)
    while len(text) < shortest:
        text += chance.choice("abx-")
    return text[: schema.get("maxLength", len(text))]


def _array(schema: dict[str, Any], root: Any, chance: random.Random, depth: int) -> list[Any]:
    prefix = schema.get("prefixItems", [])
    shortest = schema.get("minItems", 0)
    length = chance.randrange(shortest, max(shortest, min(schema.get("maxItems", 3), 3)) + 1)
    if schema.get("items") is False:
        length = min(length, len(prefix))
    items = [
        aimed(prefix[index] if index < len(prefix) else schema.get("items", True), root, chance, depth - 1)
        for index in range(length)
    ]
    if "contains" in schema:
        for index in range(min(len(items), schema.get("minContains", 1))):
            items[index] = aimed(schema["contains"], root, chance, depth - 1)
    return items


def _object(schema: dict[str, Any], root: Any, chance: random.Random, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    rest = schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
    likely = {*schema.get("required", ())} | {name for name in properties if chance.random() < 0.7}
    if rest is not False:
        likely |= {name for name in NAMES if chance.random() < 0.2}
    missing = schema.get("minProperties", 0) - len(likely)
    likely |= {*[name for name in NAMES if name not in likely][: max(missing, 0)]}
    patterns = list(schema.get("patternProperties", {}).values())
    return {
        name: aimed(properties.get(name, chance.choice([rest, *patterns])), root, chance, depth - 1)
        for name in sorted(likely)
    }
