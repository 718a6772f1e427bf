"""Writes a workflow as the plain JSON of its document, without loss."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, Final

from flowcore.policies import ContinueOnError, PartialRetryPolicy, RetryWorkflow, StopWorkflow
from flowcore.values import Blob, is_tagged
from flowcore.workflows import Cache, Connection, Settings, Trigger, Workflow, WorkflowNode

__all__ = ["write_workflow"]


def write_workflow(workflow: Workflow) -> dict[str, Any]:
    """The document as plain JSON, which `read_workflow` reads back to an equal workflow.

    Fields stand in the order of the dataclasses; what equals its default is left out, except `nodes`.

    >>> write_workflow(Workflow(id="w", name="W", nodes=(WorkflowNode(id="a", node_type="debug.noop"),)))
    {'id': 'w', 'name': 'W', 'nodes': [{'id': 'a', 'node_type': 'debug.noop'}]}
    """
    return _part(workflow)


def _part(part: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, default in _FIELDS[type(part)]:
        value = getattr(part, name)
        if value != default:
            entry[name] = _plain(value)
    if isinstance(part, WorkflowNode) and any(map(is_tagged, part.config.values())):
        entry["config"] = _marked_as_plain(entry["config"])
    entry.update(_plain(getattr(part, "extensions", {})))
    return entry


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Workflow() | WorkflowNode() | Connection() | Trigger() | Settings() | Cache():
            return _part(value)
        case Blob() | PartialRetryPolicy() | StopWorkflow() | ContinueOnError() | RetryWorkflow():
            return value.to_json()
        case _:
            return value


def _marked_as_plain(config: dict[str, Any]) -> dict[str, Any]:
    # A plain value that looks like a tagged one would be taken for one: the tag Json says that it is plain.
    return {key: {"type": "Json", "value": value} if is_tagged(value) else value for key, value in config.items()}


class _Always:
    """The default of a field that is written whatever it is: nothing equals it."""


def _defaults(kind: type[Any], always: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    found: list[tuple[str, Any]] = []
    for field in fields(kind):
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        if field.name != "extensions":
            found.append((field.name, _Always() if default is MISSING or field.name in always else default))
    return tuple(found)


#: For each part of a document its fields in the order of writing, each with the default that is not written.
_FIELDS: Final[dict[type[Any], tuple[tuple[str, Any], ...]]] = {
    Workflow: _defaults(Workflow, ("nodes",)),
    WorkflowNode: _defaults(WorkflowNode, ()),
    Connection: _defaults(Connection, ()),
    Trigger: _defaults(Trigger, ()),
    Settings: _defaults(Settings, ()),
    Cache: _defaults(Cache, ("ttl_ms",)),
}
