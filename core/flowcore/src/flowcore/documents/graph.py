"""Reads the nodes and connections of a document, each by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowcore.errors import Problem
from flowcore.policies import NodeOnError, PartialRetryPolicy
from flowcore.values import FrozenDict, ObjectReader, freeze, untag_object
from flowcore.workflows import Cache, Connection, NodeId, WorkflowNode

__all__ = ["MAX_CONNECTIONS", "MAX_NODES", "read_connection", "read_node"]

MAX_NODES: Final = 10_000
MAX_CONNECTIONS: Final = 50_000

_EMPTY: Final = FrozenDict()
_ENDS: Final = frozenset({"from_node", "from_port", "to_node", "to_port"})
_AXES: Final = frozenset({"x", "y"})
_NUMBERS: Final = frozenset({int, float})
_ON_ERROR: Final[tuple[NodeOnError, ...]] = ("stop", "continue", "route")


def read_node(value: Any, index: int, problems: list[Problem]) -> WorkflowNode:
    """The node at that place of `nodes`; what could not be read has its default, an id or a type is `""`."""
    reader = ObjectReader(value, f"/nodes/{index}", problems, what="A node", known=_NODE_FIELDS.keys())
    # Only what stands there is read: most nodes have four of these fields.
    given = reader.read(_NODE_FIELDS)
    for name in ("id", "node_type"):
        if name not in given:
            given[name] = _NODE_FIELDS[name](reader)
    extensions = reader.finish()
    return WorkflowNode(**given, extensions=extensions)


def read_connection(value: Any, index: int, problems: list[Problem]) -> Connection:
    """The connection at that place of `connections`; an end that could not be read is `""`."""
    if isinstance(value, dict) and value.keys() == _ENDS:
        # The quick way for what is right as it stands; the reader below would say the same.
        a, b, c, d = value["from_node"], value["from_port"], value["to_node"], value["to_port"]
        if type(a) is type(b) is type(c) is type(d) is str and a.strip() and b.strip() and c.strip() and d.strip():
            return Connection(from_node=NodeId(a), from_port=b, to_node=NodeId(c), to_port=d, extensions=_EMPTY)
    reader = ObjectReader(value, f"/connections/{index}", problems, what="A connection", known=_ENDS)
    return Connection(
        from_node=NodeId(reader.text("from_node", empty=False) or ""),
        from_port=reader.text("from_port", empty=False) or "",
        to_node=NodeId(reader.text("to_node", empty=False) or ""),
        to_port=reader.text("to_port", empty=False) or "",
        extensions=reader.finish(),
    )


def _read_config(reader: ObjectReader) -> FrozenDict:
    config = reader.any("config")
    if not isinstance(config, dict):
        return _object(reader, "config")
    frozen: FrozenDict = freeze(untag_object(config, f"{reader.pointer}/config", reader.problems))
    return frozen


def _object(reader: ObjectReader, name: str) -> FrozenDict:
    value: FrozenDict = reader.object(name, _EMPTY)
    return value


def _read_position(reader: ObjectReader) -> FrozenDict | None:
    position: FrozenDict | None = reader.object("position", None)
    if position is not None and not (
        position.keys() == _AXES and type(position["x"]) in _NUMBERS and type(position["y"]) in _NUMBERS
    ):
        inner = ObjectReader(position, f"{reader.pointer}/position", reader.problems, what="A position")
        inner.number("x", minimum=None)
        inner.number("y", minimum=None)
        inner.finish()
    return position


def _read_retry_policy(reader: ObjectReader) -> PartialRetryPolicy | None:
    return PartialRetryPolicy.read(reader.any("retry_policy"), f"{reader.pointer}/retry_policy", reader.problems)


def _read_cache(reader: ObjectReader) -> Cache | None:
    value = reader.any("cache")
    if value is None:
        return None
    inner = ObjectReader(value, f"{reader.pointer}/cache", reader.problems, what="A cache")
    cache = Cache(ttl_ms=inner.number("ttl_ms", None))
    inner.finish(extensions=False)
    return cache


_NODE_FIELDS: Final[dict[str, Callable[[ObjectReader], Any]]] = {
    "id": lambda node: node.text("id", empty=False) or "",
    "node_type": lambda node: node.text("node_type", empty=False) or "",
    "type_version": lambda node: node.integer("type_version", None, minimum=1),
    "name": lambda node: node.text("name", None),
    "description": lambda node: node.text("description", None),
    "config": _read_config,
    "inputs": lambda node: _object(node, "inputs"),
    "position": _read_position,
    "retry_policy": _read_retry_policy,
    "timeout_ms": lambda node: node.number("timeout_ms", None, minimum=1),
    "on_error": lambda node: node.choice("on_error", _ON_ERROR, None),
    "disabled": lambda node: node.flag("disabled", default=False),
    "effects": lambda node: node.choice("effects", ("pure", "read", "write"), None),
    "delivery": lambda node: node.choice("delivery", ("at_least_once", "at_most_once"), "at_least_once"),
    "placement": lambda node: node.text("placement", None, empty=False),
    "cache": _read_cache,
}
