"""Tagged values (`{"type": "String", "value": "GET"}`) as other tools write them: read, never written.

They are read at the top level of a node's `config` and of execution inputs, and nowhere else; the elements
of a tagged Array or Object are tagged too. A tagged value means its plain value.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flowcore.errors import Problem
from flowcore.values.blobs import Blob
from flowcore.values.checks import MAX_INTEGER, MIN_INTEGER
from flowcore.values.strict_json import pointer_of

__all__ = ["TAGS", "is_tagged", "untag", "untag_object"]

TAGS = ("String", "Number", "Bool", "Null", "Array", "Object", "Json", "Bytes")


def is_tagged(value: Any) -> bool:
    """Whether a value has the form of a tagged one: `type` is a tag, and at most `value` stands beside it."""
    if not isinstance(value, dict) or value.get("type") not in TAGS:
        return False
    return value.keys() == {"type", "value"} or (value["type"] == "Null" and value.keys() == {"type"})


def untag_object(values: dict[str, Any], pointer: str, problems: list[Problem]) -> dict[str, Any]:
    """The object with each tagged top-level value replaced by what it means; itself when there is none."""
    if not any(map(is_tagged, values.values())):
        return values
    return {
        key: untag(value, pointer + pointer_of(key), problems) if is_tagged(value) else value
        for key, value in values.items()
    }


def untag(value: Any, pointer: str, problems: list[Problem]) -> Any:
    """What a tagged value means; a value that contradicts its tag becomes a problem.

    >>> untag({"type": "Array", "value": [{"type": "Number", "value": 1}]}, "", [])
    [1]
    """
    if not is_tagged(value):
        problems.append(
            _problem(pointer, "is no tagged value", 'Write {"type": …, "value": …}, or the whole value untagged.')
        )
        return value
    tag, content = value["type"], value.get("value")
    here = f"{pointer}/value"
    match tag:
        case "String":
            good = isinstance(content, str)
        case "Number":
            good = isinstance(content, int | float) and not isinstance(content, bool)
            good = good and (isinstance(content, float) or MIN_INTEGER <= content <= MAX_INTEGER)
        case "Bool":
            good = isinstance(content, bool)
        case "Null":
            good = content is None
        case "Array":
            if isinstance(content, list):
                return [untag(item, f"{here}/{index}", problems) for index, item in enumerate(content)]
            good = False
        case "Object":
            if isinstance(content, dict):
                return {key: untag(item, here + pointer_of(key), problems) for key, item in content.items()}
            good = False
        case "Bytes":
            return _untag_bytes(content, here, problems)
        case _:  # Json: anything
            good = True
    if not good:
        problems.append(_problem(here, f"is no {tag}", f"Give a {tag}, or change the tag."))
    return content


def _untag_bytes(content: Any, pointer: str, problems: list[Problem]) -> Any:
    # Two spellings are in use: base64 text, and an array of byte numbers.
    try:
        if isinstance(content, str):
            return Blob.from_bytes(base64.b64decode(content, validate=True))
        if isinstance(content, list) and all(type(item) is int for item in content):
            return Blob.from_bytes(bytes(content))
    except (binascii.Error, ValueError):
        pass
    problems.append(_problem(pointer, "is no Bytes", "Give base64 text or an array of numbers from 0 to 255."))
    return content


def _problem(pointer: str, what: str, remedy: str) -> Problem:
    return Problem(code="value.tagged", pointer=pointer, message=f"The tagged value {what}.", remedy=remedy)
