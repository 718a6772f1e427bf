"""Turns values of workflows into what a database driver binds to parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from flowcore.values import write_json
from flowruntime.authoring import Blob, FatalNodeError
from psycopg.types.json import Jsonb

from flownodes_sql.statements import AsJson

__all__ = ["Bind", "bind_for_postgresql", "bind_for_sqlite", "bound"]

#: Gives what the driver binds for a value.
Bind: TypeAlias = Callable[[Any], Any]

#: No text without a type is an array without elements to PostgreSQL and nothing at all to JSON, but for this one: '{}'
#: would become an object in a column of JSON.
_EMPTY_ARRAY: Final = "{\v}"


def bound(values: Mapping[str, Any], bind: Bind) -> dict[str, Any]:
    """All values as the driver binds them. Reads Blobs: to be called on a thread. Raises FatalNodeError."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        try:
            made[name] = bind(value)
        except ValueError as error:
            raise FatalNodeError(
                f"The value of the parameter :{name} cannot be bound: {error}.",
                code="sql.parameters",
                remedy="Give null, a boolean, a number, a text, a Blob, or JSON without Blobs in it.",
            ) from None
    return made


def bind_for_sqlite(value: Any) -> Any:
    """Blobs as their bytes, arrays and objects as JSON text, all else as it is.

    >>> bind_for_sqlite([1, 2])
    '[1,2]'
    """
    if isinstance(value, AsJson):
        value = value.value
    if isinstance(value, Blob):
        return value.read()
    return write_json(_without_blobs(value)) if isinstance(value, dict | list) else value


def bind_for_postgresql(value: Any) -> Any:
    """Blobs as bytea, objects and arrays of objects as jsonb, other arrays as arrays, all else as it is.

    Texts go without a type: PostgreSQL reads them as what stands there (a date, a number, a uuid, …). What the
    statement casts to JSON becomes jsonb, but for null, Blobs and texts: those are JSON already.
    """
    if isinstance(value, AsJson):
        value = value.value
        if isinstance(value, bool | int | float | list):
            return Jsonb(_without_blobs(value), dumps=write_json)
    if isinstance(value, Blob):
        return value.read()
    if isinstance(value, dict) or (isinstance(value, list) and _holds_object(value)):
        return Jsonb(_without_blobs(value), dumps=write_json)
    if isinstance(value, list):
        return _plain(value, floats={type(number) for number in _numbers(value)} == {int, float}) or _EMPTY_ARRAY
    return value


def _plain(items: list[Any], *, floats: bool) -> list[Any]:
    """An array that the driver takes, which wants numbers of one type: with `floats` integers are made some."""
    return [
        _plain(item, floats=floats)
        if isinstance(item, list)
        else float(item)
        if floats and type(item) is int and float(item) == item
        else bind_for_postgresql(item)
        for item in items
    ]


def _numbers(items: list[Any]) -> Iterator[float]:
    for item in items:
        if isinstance(item, list):
            yield from _numbers(item)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield item


def _holds_object(items: list[Any]) -> bool:
    return any(isinstance(item, dict) or (isinstance(item, list) and _holds_object(item)) for item in items)


def _without_blobs(value: Any) -> Any:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        if isinstance(item, Blob):
            msg = "there is a Blob inside it"
            raise ValueError(msg)  # noqa: TRY004 - it is about the value around it
        _without_blobs(item)
    return value
