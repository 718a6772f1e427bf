"""The node type `transform.json_stringify`: writes a value as JSON text."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from flowcore.values import write_json
from flowruntime.authoring import node

__all__ = ["json_stringify"]


class Written(TypedDict):
    """The outputs."""

    json: Annotated[str, "The JSON text."]


@node(
    "transform.json_stringify",
    title="Write JSON",
    description="Writes a value as JSON text, compact unless `indent` is given; a Blob as its reference.",
    category="Transform",
    config={
        "type": "object",
        "properties": {
            "indent": {
                "type": ["integer", "null"],
                "minimum": 0,
                "maximum": 16,
                "default": None,
                "title": "Indent",
                "description": "Spaces a level, on lines of their own; null writes everything on one line.",
            },
            "sort_keys": {
                "type": "boolean",
                "default": False,
                "title": "Sort keys",
                "description": "Whether objects are written with their keys in order.",
            },
        },
        "additionalProperties": False,
    },
    effects="pure",
    examples=[
        {
            "title": "Sorted and compact",
            "config": {"sort_keys": True},
            "inputs": {"value": {"b": [1, None], "a": "x"}},
            "outputs": {"json": '{"a":"x","b":[1,null]}'},
        }
    ],
)
def json_stringify(
    value: Annotated[Any, "Any value."], *, indent: int | None = None, sort_keys: bool = False
) -> Written:
    """Write the value."""
    return {"json": write_json(value, indent=indent, sort_keys=sort_keys)}
