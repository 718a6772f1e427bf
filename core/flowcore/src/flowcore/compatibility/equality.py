"""Equality of JSON values as JSON Schema means it."""

from __future__ import annotations

import math
from typing import Any

from flowcore.values import MAX_INTEGER, MIN_INTEGER

__all__ = ["is_number", "key_of"]


def is_number(value: Any) -> bool:
    """Whether a value is a number that JSON has here."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return MIN_INTEGER <= value <= MAX_INTEGER
    return isinstance(value, float) and math.isfinite(value)


def key_of(value: Any) -> Any:
    """A key that equal JSON values share: 1 and 1.0 are equal, 1 and true are not.

    Raises ValueError for what is no JSON.

    >>> key_of([1, {"a": None}]) == key_of([1.0, {"a": None}]), key_of(1) == key_of(True)
    (True, False)
    """
    match value:
        case None | str():
            return value
        case bool():
            return ("boolean", value)
        case list():
            return ("array", *map(key_of, value))
        case dict():
            return ("object", frozenset((name, key_of(item)) for name, item in value.items()))
        case _ if is_number(value):
            return value
        case _:
            raise ValueError(f"a {type(value).__name__} is not JSON here")
