"""Writes plain values as the texts that headers, queries and forms are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcore.values import write_json
from flowruntime.authoring import Value

__all__ = ["pairs", "text_of"]


def text_of(value: Value) -> str:
    """A text as it is, anything else as JSON.

    >>> text_of("a"), text_of(True), text_of(1.5)
    ('a', 'true', '1.5')
    """
    return value if isinstance(value, str) else write_json(value)


def pairs(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names with texts, a name for each item of an array; null is left out.

    >>> pairs({"a": 1, "b": ["x", None, "y"], "c": None, "d": ""})
    [('a', '1'), ('b', 'x'), ('b', 'y'), ('d', '')]
    """
    items = ((name, value if isinstance(value, list) else [value]) for name, value in given.items())
    return [(name, text_of(value)) for name, values in items for value in values if value is not None]
