"""Ways to make a value fit a port that does not take it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from flowcore.compatibility.branches import Kind

__all__ = ["ROUND", "TAKE_BLOB", "remedy_for", "remedy_for_blob"]

ROUND: Final = "It is checked when it arrives. To be sure, round it: transform.jmespath with floor(@) or ceil(@)."
TAKE_BLOB: Final = "Connect a port that gives a Blob, such as `body` of http.request with `response_format` blob."

_PICK: Final = (
    "Pick the part that is meant: put a transform.jmespath between with its path as the expression, or write "
    "`${{ nodes.ID.PORT.path }}` in the node's inputs in place of the connection."
)
_ANY: Final = "Put a transform.jmespath between that converts it, or write an expression into the node's inputs."
_UNSURE: Final = "It is checked when it arrives. To be sure, narrow or convert it with transform.jmespath."


def remedy_for(source: Collection[Kind], target: Collection[Kind], *, possible: bool) -> str:
    """What to put between values of the one kinds and the other; `possible`: some of them may fit.

    >>> remedy_for(["string"], ["object"], possible=False)
    'Put a transform.json_parse between, which reads JSON text.'
    """
    unfit = [kind for kind in source if kind not in target]
    if unfit == ["null"] and len(source) > 1:
        return "It is checked when it arrives. Give a default for null: transform.jmespath with not_null(@, …)."
    if possible:
        return _UNSURE
    if "object" in source and "object" in target:
        return "Put a transform.jmespath between that builds the object, with an expression such as {name: path}."
    if "array" in source and "array" in target:
        return "Put a transform.jmespath between that converts the items, with an expression such as [*].to_string(@)."
    return _conversion([kind for kind in source if kind != "null"], target)


def remedy_for_blob(target: Collection[Kind]) -> str:
    """What to do with a Blob where none is taken."""
    json = " put a transform.json_parse between when it holds JSON text," if {"object", "array"} & {*target} else ""
    return (
        f"A Blob holds bytes:{json} have it come as text where it is made (http.request: `response_format`), "
        "or connect a port that takes Blobs."
    )


def _conversion(source: list[Kind], target: Collection[Kind]) -> str:
    match source:
        case ["string"] if "object" in target or "array" in target:
            return "Put a transform.json_parse between, which reads JSON text."
        case ["string"] if "number" in target:
            return "Put a transform.jmespath between, with the expression to_number(@)."
        case ["number" | "boolean"] if "string" in target:
            return "Put a transform.jmespath between, with the expression to_string(@)."
        case ["object" | "array", *_] if "string" in target:
            return f"Put a transform.json_stringify between, which writes JSON text. Or: {_PICK}"
        case ["array"]:
            return f"{_PICK} A control.loop takes the items one by one."
        case ["object"]:
            return _PICK
        case [_] if "array" in target:
            return "Put a transform.jmespath between, with the expression [@], which makes a list of it."
        case _:
            return _ANY
