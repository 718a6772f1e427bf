"""Turns values of workflows into what a database driver binds to parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from flowcore.values import write_json
from flowruntime.authoring import Blob, FatalNodeError
from psycopg.types.json import Jsonb

__all__ = ["Bind", "bind_for_postgresql", "bind_for_sqlite", "bound"]

#: Gives what the driver binds for a value.
Bind: TypeAlias = Callable[[Any], Any]


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
    if isinstance(value, Blob):
        return value.read()
    return write_json(_without_blobs(value)) if isinstance(value, dict | list) else value


def bind_for_postgresql(value: Any) -> Any:
    """Blobs as bytea, objects and arrays of objects as jsonb, other arrays as arrays, all else as it is.

    Texts go without a type: PostgreSQL reads them as what stands there (a date, a number, a uuid, …).
    """
    if isinstance(value, Blob):
        return value.read()
    if isinstance(value, dict) or (isinstance(value, list) and _holds_object(value)):
        return Jsonb(_without_blobs(value), dumps=write_json)
    return _plain(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list) else bind_for_postgresql(value)


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
