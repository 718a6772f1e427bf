"""Writes what became of a workflow's nodes into the JSON that it was read from, which may say things in other words."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from flowcore.values import Blob, is_tagged
from flowcore.workflows import Connection, Workflow, WorkflowNode

from flowruntime.upgrading.patching import same_json

__all__ = ["project"]


def project(raw: dict[str, Any], old: Workflow, new: Workflow) -> dict[str, Any]:
    """The JSON with the types, versions, configs and names of ports of `new`; `old` is what was read from it.

    Nodes and connections must have kept their places. Values that did not change keep their form: tagged ones, absent
    fields, unknown keys.
    """
    made = dict(raw)
    pairs = zip(raw["nodes"], old.nodes, new.nodes, strict=True)
    made["nodes"] = [_node(entry, before, after) for entry, before, after in pairs]
    if old.connections != new.connections:
        ends = zip(raw["connections"], new.connections, strict=True)
        made["connections"] = [_connection(entry, connection) for entry, connection in ends]
    if old.outputs != new.outputs and new.outputs is not None:
        made["outputs"] = _written(new.outputs)
    return made


def _node(raw: dict[str, Any], old: WorkflowNode, new: WorkflowNode) -> dict[str, Any]:
    if old == new and same_json(old.config, new.config):
        return raw
    made: dict[str, Any] = {}
    for key, value in raw.items():
        made[key] = value
        if key == "node_type":
            made[key] = new.node_type
            # Beside the type, where there is none yet.
            if new.type_version is not None and "type_version" not in raw:
                made["type_version"] = new.type_version
    if new.type_version is not None:
        made["type_version"] = new.type_version
    if not same_json(old.config, new.config):
        made["config"] = _config(raw.get("config") or {}, old.config, new.config)
    if not same_json(old.inputs, new.inputs):
        made["inputs"] = _written(new.inputs)
    return made


def _config(raw: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in new.items():
        kept = key in raw and key in old and same_json(old[key], value)
        made[key] = raw[key] if kept else _top_level(value)
    return made


def _connection(raw: dict[str, Any], connection: Connection) -> dict[str, Any]:
    ends = {"from_port": connection.from_port, "to_port": connection.to_port}
    return {key: ends.get(key, value) for key, value in raw.items()}


def _top_level(value: Any) -> Any:
    """A value of a config: one that looks like a tagged one is tagged as plain, one with bytes in it as what it is."""
    if _has_bytes(value):
        return _tagged(value)
    written = _written(value)
    return {"type": "Json", "value": written} if is_tagged(written) else written


def _written(value: Any) -> Any:
    match value:
        case dict():
            return {key: _written(item) for key, item in value.items()}
        case list():
            return [_written(item) for item in value]
        case Blob():
            return value.to_json()
        case _:
            return value


def _has_bytes(value: Any) -> bool:
    match value:
        case Blob():
            return value.source is not None
        case dict():
            return any(map(_has_bytes, value.values()))
        case list():
            return any(map(_has_bytes, value))
        case _:
            return False


def _tagged(value: Any) -> Any:
    """The value in the one form of a document that holds bytes."""
    match value:
        case Blob() if value.source is not None:
            return {"type": "Bytes", "value": base64.b64encode(value.read()).decode("ascii")}
        case dict():
            return {"type": "Object", "value": {key: _tagged(item) for key, item in value.items()}}
        case list():
            return {"type": "Array", "value": [_tagged(item) for item in value]}
        case _:
            return {"type": "Json", "value": _written(value)}
