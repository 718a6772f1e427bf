"""Makes plain JSON of what is given to a builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcore.values import NotAValue, check_value, is_tagged

from flowruntime.builder.handles import PortHandle
from flowruntime.builder.refusing import refuse

__all__ = ["marked_as_plain", "plain"]


def plain(value: Any, place: str, *, takes_ports: bool = False) -> Any:
    """A copy of a value that nobody else can change; with `takes_ports` an output of a node becomes its expression.

    Raises WorkflowInvalid for what is no JSON, with a pointer below `place`.
    """
    try:
        copied = _copied(value, takes_ports=takes_ports)
    except RecursionError:
        refuse("json.depth", f"/{place}", "The value holds itself, or is nested too deeply.", "Hand on a part of it.")
    try:
        check_value(copied)
    except NotAValue as error:
        refuse(error.code, f"/{place}{error.pointer}", f"The value cannot be used: {error}.", error.remedy)
    return copied


def marked_as_plain(value: Any) -> Any:
    """The value for a config: one that looks like a tagged one gets the tag Json, which says that it is plain."""
    return {"type": "Json", "value": value} if is_tagged(value) else value


def _copied(value: Any, *, takes_ports: bool) -> Any:
    if takes_ports and isinstance(value, PortHandle):
        return value.ref
    if isinstance(value, Mapping):
        return {key: _copied(item, takes_ports=takes_ports) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item, takes_ports=takes_ports) for item in value]
    return value
