"""Checks that every input port can get a value, and that it is clear which one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flowcore.errors import Problem
from flowcore.schemas import Schema, default_of, known_keys
from flowcore.validation.ports import NodePorts
from flowcore.validation.wires import TypedWorkflow
from flowcore.workflows import AFTER, WorkflowNode

__all__ = ["check_filling"]


def check_filling(typed: TypedWorkflow, problems: list[Problem]) -> None:
    """Ports that nothing can fill (errors), and ports where one of several values wins (warnings).

    What can fill a port: a connection, a fixed input, the schema's default; for a node without arrows also the
    execution input of that name. Such an input counts as possible unless the workflow's `inputs` rule it out:
    they are `false`, or do not declare the name and forbid others (`additionalProperties: false`).
    """
    connections = typed.workflow.connections
    # A connection to nobody knows where may be the one that is missing.
    all_known = all(connection.to_node for connection in connections)
    for index, ports in enumerate(typed.ports):
        if ports is None:
            continue
        connected = [connections[place].to_port for place in typed.wiring.into.get(index, ())]
        if len(connected) > 1 and len(connected) > len(set(connected)):
            _check_several(typed, index, ports, connected, problems)
        if all_known and "" not in connected:
            _check_required(typed, index, ports, connected, problems)


def _check_required(
    typed: TypedWorkflow, index: int, ports: NodePorts, connected: Sequence[str], problems: list[Problem]
) -> None:
    for port in ports.inputs:
        if port.required and port.name not in connected and not default_of(port.schema)[0]:
            node = typed.workflow.nodes[index]
            is_start = index not in typed.wiring.with_arrows
            given = is_start and _may_be_given(typed.workflow.inputs, port.name)
            if not given and port.name not in node.inputs:
                problems.append(_unfilled(index, node, port.name, is_start=is_start))


def _may_be_given(inputs: Schema | None, name: str) -> bool:
    if inputs is None or isinstance(inputs, bool):
        return inputs is not False
    forbids_others = inputs.get("additionalProperties") is False and "patternProperties" not in inputs
    return not forbids_others or name in known_keys(inputs)


def _check_several(
    typed: TypedWorkflow, index: int, ports: NodePorts, connected: Sequence[str], problems: list[Problem]
) -> None:
    node = typed.workflow.nodes[index]
    places = dict(zip(connected, typed.wiring.into[index], strict=True))  # the last connection of each port
    for name, count in Counter(connected).items():
        port = ports.input(name)
        one_wins = port is None or not (port.multiple or port.join == "first")
        if count > 1 and name and name != AFTER and one_wins:
            problems.append(
                Problem(
                    severity="warning",
                    code="port.several_connections",
                    pointer=f"/connections/{places[name]}/to_port",
                    message=(
                        f"{count} connections lead into the port {name!r} of node {node.id!r}, which takes one "
                        "value: of several live ones the last in the document wins."
                    ),
                    remedy="Join them with a control.merge or control.first, unless only one can be live.",
                )
            )


def _unfilled(index: int, node: WorkflowNode, port: str, *, is_start: bool) -> Problem:
    declare = ", or declare it in the workflow's `inputs`" if is_start else ""
    return Problem(
        code="port.required",
        pointer=f"/nodes/{index}",
        message=f"Node {node.id!r} ({node.node_type}) requires the input port {port!r}, and nothing can fill it.",
        remedy=f"Connect an output to it, or write a value into the node's `inputs`{declare}.",
    )
