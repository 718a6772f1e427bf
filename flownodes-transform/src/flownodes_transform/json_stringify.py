"""The node type `transform.json_stringify`: writes a value as JSON text."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypedDict

import anyio.to_thread
from flowcore.values import Value, write_json
from flowruntime.authoring import node

__all__ = ["json_stringify"]

#: Writing takes up to 200 ms a MiB, with `indent`: a larger text would hold the loop up.
_INLINE_BYTES: Final = 256 * 1024
#: What an item of an array or object takes up at the least, with what stands around it.
_ITEM_BYTES: Final = 4


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
async def json_stringify(
    value: Annotated[Any, "Any value."], *, indent: int | None = None, sort_keys: bool = False
) -> Written:
    """Write the value."""

    def write() -> str:
        # 2.0 is an integer of JSON Schema
        return write_json(value, indent=None if indent is None else int(indent), sort_keys=sort_keys)

    text = await anyio.to_thread.run_sync(write, abandon_on_cancel=True) if _is_large(value) else write()
    return {"json": text}


def _is_large(value: Value) -> bool:
    left = _INLINE_BYTES
    todo: list[Value] = [value]
    while todo and left >= 0:
        item = todo.pop()
        if isinstance(item, str):
            left -= len(item)
        elif isinstance(item, list | dict):
            left -= _ITEM_BYTES * len(item)
            if left >= 0:
                todo.extend(item.values() if isinstance(item, dict) else item)
    return left < 0
