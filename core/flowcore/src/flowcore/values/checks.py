"""What counts as a value: JSON as the contract limits it, or a Blob."""

from __future__ import annotations

from math import isfinite
from typing import Any, NoReturn, TypeAlias

from flowcore.values.blobs import BLOB_KEY, Blob

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "MIN_INTEGER", "Json", "NotAValue", "Value", "check_value"]

#: JSON: None, bool, int (64 bit), float (finite), str, list and dict of the same, nested 64 deep at most.
Json: TypeAlias = Any
#: What travels between nodes: JSON, with Blobs anywhere in it.
Value: TypeAlias = Any

MAX_DEPTH = 64
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**63 - 1
#: Of a value with very many parts, as JSON.
MAX_VALUE_BYTES = 64 * 1024 * 1024
#: So many lists and objects are looked at as they come, more than a text of 1 MiB can hold; then each is remembered,
#: which costs three times as much, and more memory than they have themselves. 16 of their parts count as one more.
_PLAIN_CONTAINERS = 600_000
_PARTS_SHIFT = 4

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

    The walk reads and never copies; small values cost well under a microsecond. A part that stands in many places is
    looked at once in a large value: one that shares its parts over and over would have no end as JSON.

    >>> check_value({"a": [1, None, "text"]})
    >>> check_value({"a": {1, 2}})
    Traceback (most recent call last):
    ...
    flowcore.values.checks.NotAValue: a set is not JSON
    """
    if type(value) not in _ALWAYS_GOOD:
        try:
            _check(value, MAX_DEPTH, [_PLAIN_CONTAINERS])
        except _ManyContainers:
            _measure(value, MAX_DEPTH, {})


class _ManyContainers(Exception):  # noqa: N818 - it is no error
    """The value is large, or holds the same parts many times."""


def _measure(value: Any, depth: int, measured: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How deep a value is and how many bytes it has as JSON at least; each part is looked at once. Raises NotAValue."""
    if not isinstance(value, dict | list):
        if type(value) not in _ALWAYS_GOOD:
            _check(value, depth, [1])
        return 0, len(value) + 2 if isinstance(value, str) else 1
    known = measured.get(id(value))
    if known is not None:
        if known[0] > depth:
            _too_deep()
        return known
    depth = depth - 1 if depth else _too_deep()
    height, size = 0, 1  # two brackets, and no comma after the last part
    if isinstance(value, dict):
        if BLOB_KEY in value:
            _refuse_blob_key()
        for key in value:
            _check_key(key)
            size += len(key) + 3
    for place, item in value.items() if isinstance(value, dict) else enumerate(value):
        if type(item) is int and MIN_INTEGER <= item <= MAX_INTEGER:  # no call is the quickest check
            size += 2
            continue
        try:
            item_height, item_size = _measure(item, depth, measured)
        except NotAValue as error:
            error.parts.append(place)
            raise
        height = max(height, item_height)
        size += item_size + 1  # the comma
    if size > MAX_VALUE_BYTES:
        raise NotAValue(
            f"the value has more than {MAX_VALUE_BYTES >> 20} MiB as JSON",
            code="json.too_large",
            remedy="Hand on less of it, or put it into a file or a Blob.",
        )
    measured[id(value)] = height + 1, size
    return height + 1, size


def _check(value: Any, depth: int, left: list[int]) -> None:
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
        _check_object(value, depth - 1 if depth else _too_deep(), left)
    elif isinstance(value, list):
        depth = depth - 1 if depth else _too_deep()
        left[0] -= 1 + (len(value) >> _PARTS_SHIFT)
        if left[0] < 0:
            raise _ManyContainers
        for index, item in enumerate(value):
            if type(item) not in _ALWAYS_GOOD:
                try:
                    _check(item, depth, left)
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


def _too_deep() -> NoReturn:
    raise NotAValue(
        f"the value is nested deeper than {MAX_DEPTH}",
        code="json.too_deep",
        remedy="Flatten the value, or move parts into their own document.",
    )


def _check_object(value: dict[Any, Any], depth: int, left: list[int]) -> None:
    left[0] -= 1 + (len(value) >> _PARTS_SHIFT)
    if left[0] < 0:
        raise _ManyContainers
    if BLOB_KEY in value:
        _refuse_blob_key()
    for key, item in value.items():
        if not isinstance(key, str) or not key.isascii():
            _check_key(key)
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
                _check(item, depth, left)
            except NotAValue as error:
                error.parts.append(key)
                raise


def _check_key(key: Any) -> None:
    if not isinstance(key, str):
        raise NotAValue(f"the key {key!r} is no string", code="json.type", remedy="Use strings as keys.")
    _check_text(key)


def _refuse_blob_key() -> None:
    raise NotAValue(
        f"the key {BLOB_KEY!r} is reserved for Blobs",
        code="json.blob_key",
        remedy='Use another key, or refer to a Blob: {"$blob": {"sha256", "media_type", "size"}}.',
    )


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotAValue(
            "a string holds half of a surrogate pair, which is no Unicode text",
            code="json.surrogate",
            remedy="Write both halves, or the character itself.",
        ) from None
