"""What counts as a value: JSON as the contract limits it, or a Blob."""

from __future__ import annotations

from math import isfinite
from typing import Any, TypeAlias

from flowcore.values.blobs import BLOB_KEY, Blob

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "MIN_INTEGER", "Json", "NotAValue", "Value", "check_value"]

#: JSON: None, bool, int (64 bit), float (finite), str, list and dict of the same, nested 64 deep at most.
Json: TypeAlias = Any
#: What travels between nodes: JSON, with Blobs anywhere in it.
Value: TypeAlias = Any

MAX_DEPTH = 64
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1

_ALWAYS_GOOD = frozenset({bool, type(None), Blob})


class NotAValue(ValueError):  # noqa: N818 - it names a state of the value, as the errors of json do
    """A Python object that is no value; `pointer` (RFC 6901) says where inside it.

    `code` and `remedy` are those of the Problem that the same fault is in a text read by `read_json`.
    """

    def __init__(self, message: str, *, code: str, remedy: str) -> None:
        #: Innermost first: each level of the walk adds its own on the way out.
        self.parts: list[str | int] = []
        self.code = code
        self.remedy = remedy
        super().__init__(message)

    @property
    def pointer(self) -> str:
        """Where the bad part is, `""` for the value itself."""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in reversed(self.parts))


def check_value(value: Value) -> None:
    """Raise NotAValue when a Python object is neither JSON within the contract's limits nor a Blob.

    The walk reads and never copies; small values cost well under a microsecond.

    >>> check_value({"a": [1, None, "text"]})
    >>> check_value({"a": {1, 2}})
    Traceback (most recent call last):
    ...
    flowcore.values.checks.NotAValue: a set is not JSON
    """
    if type(value) not in _ALWAYS_GOOD:
        _check(value, MAX_DEPTH)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if not value.isascii():
            _check_text(value)
    elif isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise NotAValue(
                "an integer beyond 64 bit is not JSON here",
                code="json.integer_range",
                remedy="Write it as a string.",
            )
    elif isinstance(value, float):
        if not isfinite(value):
            raise NotAValue(f"{value!r} is not JSON", code="json.not_a_number", remedy="Write null or a finite number.")
    elif isinstance(value, dict):
        _check_object(value, _deeper(depth))
    elif isinstance(value, list):
        depth = _deeper(depth)
        for index, item in enumerate(value):
            if type(item) not in _ALWAYS_GOOD:
                try:
                    _check(item, depth)
                except NotAValue as error:
                    error.parts.append(index)
                    raise
    elif type(value) not in _ALWAYS_GOOD:
        name = type(value).__name__
        raise NotAValue(
            f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name} is not JSON",
            code="json.type",
            remedy="Make it null, true, false, a number, a string, a list, a dict or a Blob.",
        )


def _deeper(depth: int) -> int:
    if depth == 0:
        raise NotAValue(
            f"the value is nested deeper than {MAX_DEPTH}",
            code="json.too_deep",
            remedy="Flatten the value, or move parts into their own document.",
        )
    return depth - 1


def _check_object(value: dict[Any, Any], depth: int) -> None:
    if BLOB_KEY in value:
        raise NotAValue(
            f"the key {BLOB_KEY!r} is reserved for Blobs",
            code="json.blob_key",
            remedy='Use another key, or refer to a Blob: {"$blob": {"sha256", "media_type", "size"}}.',
        )
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotAValue(f"the key {key!r} is no string", code="json.type", remedy="Use strings as keys.")
        if not key.isascii():
            _check_text(key)
        # What nearly everything is: no call is the quickest check.
        kind = type(item)
        if kind is str:
            if item.isascii():
                continue
        elif kind is int:
            if MIN_INTEGER <= item <= MAX_INTEGER:
                continue
        elif kind is float and isfinite(item):
            continue
        if kind not in _ALWAYS_GOOD:
            try:
                _check(item, depth)
            except NotAValue as error:
                error.parts.append(key)
                raise


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotAValue(
            "a string holds half of a surrogate pair, which is no Unicode text",
            code="json.surrogate",
            remedy="Write both halves, or the character itself.",
        ) from None
