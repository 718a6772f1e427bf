"""What a node keeps in `ctx.state`: a copy is handed out, and taken back with the event that ends the attempt."""

from __future__ import annotations

from typing import Any

from flowcore.errors import FatalNodeError
from flowcore.values import NotAValue, Value, check_value, thaw

from flowruntime.authoring import Context

__all__ = ["changed_state"]


def changed_state(ctx: Context | None, stored: dict[str, Value] | None) -> dict[str, Value] | None:
    """A copy of the state as the attempt left it, None when nothing changed. Raises FatalNodeError for no value."""
    state = None if ctx is None else ctx.opened_state
    if state is None or _is_same(state, stored or {}):
        return None
    try:
        check_value(state)
    except NotAValue as error:
        where = f" at {error.pointer}" if error.pointer else ""
        raise FatalNodeError(
            f"The node left something in ctx.state that cannot be kept: {error}{where}.",
            code="node.state_value",
            remedy="Keep JSON in ctx.state (null, booleans, numbers, strings, lists, dicts with string keys) or Blobs.",
        ) from None
    copied: dict[str, Value] = thaw(state)
    return copied


def _is_same(one: Any, other: Any) -> bool:
    """Equality of JSON, in which true is not 1 and 1.0 is not 1."""
    if isinstance(one, dict):
        if not isinstance(other, dict) or one.keys() != other.keys():
            return False
        return all(_is_same(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        if not isinstance(other, list) or len(one) != len(other):
            return False
        return all(map(_is_same, one, other))
    return type(one) is type(other) and bool(one == other)
