"""Checks how the parts of a document fit together: ids, ends of connections, ports, routes of errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from flowcore.errors import Problem
from flowcore.values import did_you_mean, pointer_of
from flowcore.workflows import (
    AFTER,
    DONE,
    ERROR,
    RESERVED_PORTS,
    Connection,
    Trigger,
    WorkflowNode,
    cycle_problem,
)

__all__ = ["check_structure"]

_OUTPUTS_ONLY: Final = frozenset({DONE, ERROR})


def check_structure(
    nodes: Sequence[WorkflowNode],
    connections: Sequence[Connection],
    triggers: Sequence[Trigger],
    problems: list[Problem],
) -> None:
    """All that can be said without knowing node types; what could not be read (`""`) is passed over."""
    by_id = _check_ids("node", (node.id for node in nodes), problems)
    _check_ids("trigger", (trigger.id for trigger in triggers), problems)
    for index, node in enumerate(nodes):
        if not RESERVED_PORTS.isdisjoint(node.inputs):
            _check_fixed_inputs(node, index, problems)
    routing: set[str] = {node.id for node in nodes if node.on_error == "route"}
    _check_connections(connections, by_id, routing, problems)
    for index, trigger in enumerate(triggers):
        node_id = trigger.trigger_type.get("node")
        names_a_node = trigger.trigger_type.get("type") == "Node" and isinstance(node_id, str)
        if names_a_node and node_id and node_id not in by_id:
            pointer = f"/triggers/{index}/trigger_type/node"
            problems.append(_unknown_node("trigger.unknown_node", pointer, node_id, by_id, problems))


def _check_ids(kind: str, ids: Iterable[str], problems: list[Problem]) -> dict[str, int]:
    first: dict[str, int] = {}
    for index, name in enumerate(ids):
        if name and first.setdefault(name, index) != index:
            problems.append(
                Problem(
                    code=f"{kind}.duplicate_id",
                    pointer=f"/{kind}s/{index}/id",
                    message=f"The {kind} id {name!r} is taken by /{kind}s/{first[name]}.",
                    remedy="Give it an id of its own.",
                )
            )
    return first


def _check_fixed_inputs(node: WorkflowNode, index: int, problems: list[Problem]) -> None:
    problems.extend(
        Problem(
            code="port.reserved",
            pointer=f"/nodes/{index}/inputs" + pointer_of(port),
            message=f"The port {port!r} is every node's own and takes no fixed value.",
            remedy="Remove it; the names 'done', 'error' and 'after' are reserved.",
        )
        for port in node.inputs
        if port in RESERVED_PORTS
    )


def _check_connections(
    connections: Sequence[Connection], by_id: dict[str, int], routing: set[str], problems: list[Problem]
) -> None:
    seen: dict[tuple[str, str, str, str], int] = {}
    for index, connection in enumerate(connections):
        from_node, from_port = connection.from_node, connection.from_port
        to_node, to_port = connection.to_node, connection.to_port
        for end, node_id in (("from_node", from_node), ("to_node", to_node)):
            if node_id not in by_id and node_id:
                pointer = f"/connections/{index}/{end}"
                problems.append(_unknown_node("connection.unknown_node", pointer, node_id, by_id, problems))
        first = seen.setdefault((from_node, from_port, to_node, to_port), index)
        if first != index and from_node and from_port and to_node and to_port:
            problems.append(
                Problem(
                    code="connection.duplicate",
                    pointer=f"/connections/{index}",
                    message=f"The connection is the same as /connections/{first}.",
                    remedy="Remove one of the two.",
                )
            )
        elif from_node == to_node and from_node:
            problems.append(cycle_problem([from_node], f"/connections/{index}"))
        if from_port == AFTER or to_port in _OUTPUTS_ONLY:
            problems.append(_reserved(index, connection))
        if from_port == ERROR and from_node in by_id and from_node not in routing:
            problems.append(
                Problem(
                    code="port.error_without_route",
                    pointer=f"/connections/{index}/from_port",
                    message=f"The port 'error' never gives a value: {from_node!r} does not route failures.",
                    remedy=f'Write "on_error": "route" into node {from_node!r}, or remove the connection.',
                )
            )


def _reserved(index: int, connection: Connection) -> Problem:
    if connection.from_port == AFTER:
        return Problem(
            code="port.reserved",
            pointer=f"/connections/{index}/from_port",
            message="'after' is an input of every node: nothing comes out of it.",
            remedy="Use 'done', which is true when the node completed.",
        )
    return Problem(
        code="port.reserved",
        pointer=f"/connections/{index}/to_port",
        message=f"{connection.to_port!r} is an output of every node: nothing can be connected into it.",
        remedy="Use 'after' to run a node after another without handing a value on.",
    )


def _unknown_node(code: str, pointer: str, node_id: str, by_id: dict[str, int], problems: list[Problem]) -> Problem:
    hint = did_you_mean(node_id, by_id, problems)
    return Problem(
        code=code,
        pointer=pointer,
        message=f"There is no node {node_id!r}.",
        remedy=hint or "Name a node of this workflow, or add one with this id.",
    )
