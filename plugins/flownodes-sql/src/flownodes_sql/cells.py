"""Turns what database drivers give for a column into values of workflows, exactly."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, Final, TypeAlias

from flowcore.values import MAX_INTEGER, MIN_INTEGER
from flowruntime.authoring import Blob

__all__ = ["Cell", "cell", "cell_without_blobs", "weight"]

#: Gives the value for what a driver gave.
Cell: TypeAlias = Callable[[Any], Any]

_AS_THEY_ARE: Final = frozenset({bool, str, type(None)})
_BYTES: Final = bytes | bytearray | memoryview
#: About what an object of Python's costs.
_OVERHEAD: Final = 32


def cell(value: Any) -> Any:
    """A value of a workflow: bytes become a Blob, and what JSON cannot hold exactly becomes text.

    >>> cell(Decimal("0.0000001")), cell(float("inf")), cell([1, 2**70])
    ('0.0000001', 'Infinity', [1, '1180591620717411303424'])
    """
    return _cell(value, _blob)


def cell_without_blobs(value: Any) -> Any:
    """The same, with bytes as base64 text.

    >>> cell_without_blobs(b"abc")
    'YWJj'
    """
    return _cell(value, _base64)


def weight(value: Any) -> int:
    """About how many bytes of memory a value of a workflow takes."""
    match value:
        case str():
            return len(value) + _OVERHEAD
        case Blob():
            return value.size + _OVERHEAD
        case dict():
            return sum(len(key) + weight(item) for key, item in value.items()) + _OVERHEAD
        case list():
            return sum(map(weight, value)) + _OVERHEAD
        case _:
            return _OVERHEAD


def _cell(value: Any, of_bytes: Callable[[bytes], Any]) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is int:
        return value if MIN_INTEGER <= value <= MAX_INTEGER else str(value)
    if kind is float:
        return value if isfinite(value) else _not_finite(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, _BYTES):
        return of_bytes(bytes(value))
    if isinstance(value, list):
        return [_cell(item, of_bytes) for item in value]
    if isinstance(value, dict):
        return {str(key): _cell(item, of_bytes) for key, item in value.items()}
    return str(value)  # a range, a composite, …: as the database writes it, or nearly so


def _not_finite(value: float) -> str:
    """As PostgreSQL writes it."""
    if value != value:  # noqa: PLR0124 - what is not itself is no number
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _blob(value: bytes) -> Blob:
    return Blob.from_bytes(value)


def _base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")
