"""JSON Schema 2020-12 as plain data: what configs and ports are described with, and what can be read off it.

Validating values against a schema needs a library and happens in flowruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

__all__ = [
    "ANY_SCHEMA",
    "X_CONSTANT",
    "X_EXPRESSION",
    "X_NO_SECRETS",
    "X_STATIC",
    "X_WORKFLOW",
    "Schema",
    "default_of",
    "fields_marked",
    "known_keys",
    "with_defaults",
]

#: A JSON Schema: an object, or true/false.
Schema: TypeAlias = Mapping[str, Any] | bool

ANY_SCHEMA: Final[Schema] = True

#: The field holds a bare expression, which the node evaluates: `true` when its root is the node's scope (`inputs`,
#: `input`, `vars`, `run`), `"data"` when its root is a value.
X_EXPRESSION: Final = "x-expression"
#: The field holds a workflow document with a scope of its own.
X_WORKFLOW: Final = "x-workflow"
#: The field is resolved once, for `initialize`.
X_STATIC: Final = "x-static"
#: The field takes no expressions, because it is code (SQL, a script) that values must not get into; the mark says what
#: to do instead.
X_CONSTANT: Final = "x-constant"
#: The field takes no secrets, because what stands there is told: it comes out of the node as data, or is in its events.
X_NO_SECRETS: Final = "x-no-secrets"


def known_keys(schema: Schema) -> tuple[str, ...]:
    """The property names that an object schema declares."""
    return tuple(_properties(schema))


def default_of(schema: Schema) -> tuple[bool, Any]:
    """Whether a schema has a default, and which."""
    if isinstance(schema, Mapping) and "default" in schema:
        return True, schema["default"]
    return False, None


def with_defaults(schema: Schema, value: Any) -> Any:
    """The value with absent properties filled from the schema's defaults; what is given is not copied.

    >>> with_defaults({"properties": {"n": {"default": 1}}}, {"a": 2})
    {'a': 2, 'n': 1}
    """
    properties = _properties(schema)
    if not properties or not isinstance(value, dict):
        return value
    filled: dict[str, Any] = {}
    for name, part in properties.items():
        if name in value:
            inner = with_defaults(part, value[name])
            if inner is not value[name]:
                filled[name] = inner
        else:
            present, default = default_of(part)
            if present:
                filled[name] = default
    return {**value, **filled} if filled else value


def fields_marked(schema: Schema, mark: str, value: Any) -> dict[tuple[str | int, ...], Any]:
    """The paths of the parts of `value` whose schema carries a mark such as `x-expression`, and what the mark says.

    Follows `properties`, `items`, `additionalProperties` and the branches of `anyOf`, `oneOf` and `allOf`;
    local `$ref`s into `$defs` are resolved.

    >>> schema = {"properties": {"cases": {"items": {"properties": {"when": {"x-expression": True}}}}}}
    >>> fields_marked(schema, "x-expression", {"cases": [{"when": "a"}, {}]})
    {('cases', 0, 'when'): True}
    """
    definitions = schema.get("$defs", {}) if isinstance(schema, Mapping) else {}
    search = _MarkSearch(mark, definitions)
    search.visit(schema, value, ())
    return search.found


class _MarkSearch:
    """A walk through a value and its schema that looks at each part of the schema once a place.

    So neither a schema that refers to itself nor one whose branches meet again makes it long.
    """

    def __init__(self, mark: str, definitions: Mapping[str, Any]) -> None:
        self.mark = mark
        self.definitions = definitions
        self.found: dict[tuple[str | int, ...], Any] = {}
        self._seen: set[tuple[int, tuple[str | int, ...]]] = set()

    def visit(self, schema: Any, value: Any, path: tuple[str | int, ...]) -> None:
        """Find the marks of `schema` and inside it, for the value at this path."""
        key = (id(schema), path)
        if not isinstance(schema, Mapping) or key in self._seen:
            return
        self._seen.add(key)
        if schema.get(self.mark):
            self.found.setdefault(path, schema[self.mark])
            return
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            self.visit(self.definitions.get(reference.removeprefix("#/$defs/")), value, path)
        for keyword in ("anyOf", "oneOf", "allOf"):
            for branch in schema.get(keyword, ()):
                self.visit(branch, value, path)
        if isinstance(value, dict):
            properties = _properties(schema)
            others = schema.get("additionalProperties")
            for name, item in value.items():
                self.visit(properties.get(name, others), item, (*path, name))
        elif isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                self.visit(schema["items"], item, (*path, index))


def _properties(schema: Any) -> Mapping[str, Any]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}
