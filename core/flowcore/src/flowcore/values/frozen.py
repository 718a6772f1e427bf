"""JSON objects and arrays that refuse to change, so that a parsed document is immutable to its leaves.

They are subclasses of dict and list: they compare with plain JSON, and every JSON writer takes them.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenDict", "FrozenList", "freeze", "thaw"]


def _refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
    msg = f"A parsed document is immutable; copy the {type(self).__name__} with thaw() to change it."
    raise TypeError(msg)


class FrozenDict(dict[str, Any]):
    """A JSON object that cannot be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return freeze, (dict(self),)


class FrozenList(list[Any]):
    """A JSON array that cannot be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return freeze, (list(self),)


_SCALARS = frozenset({str, int, float, bool, type(None)})
_FINAL = _SCALARS | {FrozenDict, FrozenList}


def freeze(value: Any) -> Any:
    """A copy of a JSON value that cannot be changed; what is frozen already is returned as it is.

    >>> freeze({"a": [1]}) == {"a": [1]}
    True
    """
    if type(value) in _FINAL:
        return value
    if isinstance(value, dict):
        return FrozenDict({key: item if type(item) in _FINAL else freeze(item) for key, item in value.items()})
    if isinstance(value, list):
        return FrozenList([item if type(item) in _FINAL else freeze(item) for item in value])
    return value


def thaw(value: Any) -> Any:
    """A plain, changeable copy of a JSON value.

    >>> type(thaw(freeze({"a": [1]}))["a"])
    <class 'list'>
    """
    if isinstance(value, dict):
        return {key: item if type(item) in _SCALARS else thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [item if type(item) in _SCALARS else thaw(item) for item in value]
    return value
