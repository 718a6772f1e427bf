"""The node type `debug.inspect`: tells type, size and inner places of a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final, Literal, TypeAlias, TypedDict

from flowcore.values import write_json
from flowruntime.authoring import Blob, Value, node

__all__ = ["Kind", "inspect"]

Kind: TypeAlias = Literal["null", "boolean", "number", "string", "array", "object", "blob"]

_MOST_PATHS: Final = 1000
_BARE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Inspected(TypedDict):
    """The outputs."""

    value: Annotated[Value, "What came in, unchanged."]
    type: Annotated[Kind, "What kind of JSON value it is, or `blob`."]
    size: Annotated[int, "The bytes of its compact JSON text, or of the Blob."]
    paths: Annotated[
        list[str],
        "Where its innermost values are, as JMESPath expressions; `@` is the value itself. 1,000 at most.",
    ]


@node(
    "debug.inspect",
    title="Inspect",
    description="Tells the type and size of a value and where its innermost values are, and hands it on.",
    category="Debug",
    effects="pure",
    examples=[
        {
            "title": "An object",
            "config": {},
            "inputs": {"value": {"user": {"first-name": "Ada"}, "tags": ["a", "b"], "none": []}},
            "outputs": {
                "value": {"user": {"first-name": "Ada"}, "tags": ["a", "b"], "none": []},
                "type": "object",
                "size": 56,
                "paths": ['user."first-name"', "tags[0]", "tags[1]", "none"],
            },
        }
    ],
)
def inspect(value: Annotated[Any, "Any value."]) -> Inspected:
    """Look at the value."""
    return {
        "value": value,
        "type": _kind(value),
        "size": value.size if isinstance(value, Blob) else len(write_json(value).encode()),
        "paths": list(islice(_paths(value, ""), _MOST_PATHS)),
    }


def _kind(value: Value) -> Kind:
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
        case dict():
            return "object"
        case _:
            return "blob"


def _paths(value: Value, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            name = key if _BARE_NAME.fullmatch(key) else write_json(key)
            yield from _paths(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _paths(item, f"{path}[{index}]")
    else:
        yield path or "@"
