"""A schema as one short line for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flowcore.compatibility.parts import NotASchema, Part, resolve
from flowcore.values import BLOB_KEY, show

__all__ = ["BLOB", "describe"]

#: The line of a schema of Blobs.
BLOB: Final = "Blob"

_DEEPEST: Final = 3
_MOST_LISTED: Final = 4
_LONGEST: Final = 100


def describe(schema: Any, root: Any = None) -> str:
    """What values a schema means; details that make it long are left out. References lead into `root`, or itself.

    >>> describe({"type": "array", "items": {"type": ["integer", "null"]}})
    'array of integer or null'
    >>> describe({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}})
    'object with name, age'
    >>> describe({"enum": ["GET", "PUT"]}), describe(True), describe(False)
    ("'GET' or 'PUT'", 'anything', 'nothing')
    """
    text = _line(Part(schema, schema if root is None else root, "", "source"), _DEEPEST)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _line(part: Part, depth: int) -> str:
    schema = part.schema
    if isinstance(schema, bool):
        return "anything" if schema else "nothing"
    if not isinstance(schema, dict):
        return "no schema"
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list | tuple):
        return _joined(map(show, values)) if values else "nothing"
    if depth and "$ref" in schema:
        try:
            found = resolve(part, schema["$ref"])
        except NotASchema:
            found = None
        return _line(found, depth - 1) if found else f"what {show(schema['$ref'])} refers to"
    named = schema.get("type")
    if named is not None:
        types = named if isinstance(named, list | tuple) else [named]
        return _joined(_type_line(str(name), part, depth) for name in types)
    for keyword, word in (("anyOf", "or"), ("oneOf", "or"), ("allOf", "and")):
        schemas = schema.get(keyword)
        if depth and isinstance(schemas, list | tuple):
            lines = (_line(Part(one, part.root, "", part.side), depth - 1) for one in schemas)
            return _joined(lines, word)
    if "properties" in schema or "required" in schema:
        return _type_line("object", part, depth)
    if "items" in schema or "prefixItems" in schema:
        return _type_line("array", part, depth)
    return "anything with conditions" if schema.keys() & _CONDITIONS else "anything"


_CONDITIONS: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "if",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "not",
        "pattern",
        "patternProperties",
        "propertyNames",
    }
)


def _type_line(name: str, part: Part, depth: int) -> str:
    schema = part.schema
    if name == "array" and depth and "items" in schema and schema["items"] is not True:
        return f"array of {_line(Part(schema['items'], part.root, '', part.side), depth - 1)}"
    if name == "object":
        return _object_line(schema)
    if name in ("integer", "number"):
        return name + _bounds_line(schema)
    return name + _text_line(schema) if name == "string" else name


def _object_line(schema: Mapping[str, Any]) -> str:
    properties, required = schema.get("properties"), schema.get("required")
    names = [str(name) for name in properties] if isinstance(properties, dict) else []
    if isinstance(required, list | tuple):
        names += [name for name in required if isinstance(name, str) and name not in names]
    if names == [BLOB_KEY]:
        return BLOB
    more = ", …" if len(names) > _MOST_LISTED else ""
    return f"object with {', '.join(names[:_MOST_LISTED])}{more}" if names else "object"


def _bounds_line(schema: Mapping[str, Any]) -> str:
    words = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
    return "".join(f" {word} {show(schema[keyword])}" for keyword, word in words if keyword in schema)


def _text_line(schema: Mapping[str, Any]) -> str:
    words = (("minLength", "from"), ("maxLength", "to"))
    lengths = "".join(f" {word} {show(schema[keyword])}" for keyword, word in words if keyword in schema)
    pattern = f" matching {show(schema['pattern'])}" if "pattern" in schema else ""
    return (f"{lengths} characters" if lengths else "") + pattern


def _joined(lines: Iterable[str], word: str = "or") -> str:
    listed = list(dict.fromkeys(lines))
    if len(listed) > _MOST_LISTED:
        listed = [*listed[:_MOST_LISTED], "…"]
    if len(listed) <= 1:
        return listed[0] if listed else "no schema"
    return f"{', '.join(listed[:-1])} {word} {listed[-1]}"
