"""Checks that connections, references, fixed inputs and triggers name nodes and ports that can be meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowcore.errors import Problem
from flowcore.nodes import NodeType
from flowcore.validation.ports import NodePorts, Reference, Wiring, has_own_ports, node_ports
from flowcore.validation.signatures import WorkflowLookup, no_workflows
from flowcore.values import did_you_mean, pointer_of
from flowcore.workflows import AFTER, DONE, ERROR, RESERVED_PORTS, Connection, Workflow

__all__ = ["TypedWorkflow", "check_wires"]

_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedWorkflow:
    """A workflow with the type and the ports of each node by its place, None where the type is unknown."""

    workflow: Workflow
    #: The references of each node's expressions by its id, and under `""` those of the workflow's `outputs`.
    references: Mapping[str, Sequence[Reference]]
    wiring: Wiring
    types: Sequence[NodeType | None]
    ports: Sequence[NodePorts | None]
    #: Gives the workflows that nodes run by name.
    find: WorkflowLookup = no_workflows

    @classmethod
    def of(
        cls,
        workflow: Workflow,
        types: Sequence[NodeType | None],
        references: Mapping[str, Sequence[Reference]],
        find: WorkflowLookup = no_workflows,
    ) -> TypedWorkflow:
        """Find the ports of all nodes."""
        wiring = Wiring.of(workflow, references)
        ports: list[NodePorts | None] = []
        shared: dict[int, NodePorts] = {}  # by type: most nodes have no say in their ports
        for index, node_type in enumerate(types):
            if node_type is None:
                ports.append(None)
                continue
            found = shared.get(id(node_type))
            if found is None:
                found = node_ports(workflow, index, node_type, wiring, find)
                if not has_own_ports(node_type):
                    shared[id(node_type)] = found
            ports.append(found)
        return cls(workflow=workflow, references=references, wiring=wiring, types=types, ports=ports, find=find)


def check_wires(typed: TypedWorkflow, problems: list[Problem]) -> None:
    """Everything about names; whether a port gets a value is for `check_filling`."""
    check = _Check(typed, problems)
    for index, connection in enumerate(typed.workflow.connections):
        check.connection(index, connection)
    for node_id, found in typed.references.items():
        for reference in found:
            check.reference(node_id, reference)
    for index, node in enumerate(typed.workflow.nodes):
        if node.inputs and typed.types[index] is not None:
            check.fixed_inputs(index)
    _check_routes(typed, problems)
    _check_triggers(typed, problems)


class _Check:
    def __init__(self, typed: TypedWorkflow, problems: list[Problem]) -> None:
        self.nodes = typed.workflow.nodes
        self.places = typed.wiring.places
        self.types, self.ports = typed.types, typed.ports
        self.problems = problems

    def connection(self, index: int, connection: Connection) -> None:
        # Reserved names on the wrong side were told when the document was read.
        source, name = self.places.get(connection.from_node), connection.from_port
        if source is not None and name and name not in RESERVED_PORTS:
            self._output(source, name, f"/connections/{index}/from_port")
        target, name = self.places.get(connection.to_node), connection.to_port
        if target is None:
            return
        node_type = self.types[target]
        if node_type is not None and node_type.trigger:
            self.problems.append(_before_trigger(connection.to_node, f"/connections/{index}/to_node"))
        elif name and name not in RESERVED_PORTS:
            self._input(target, name, f"/connections/{index}/to_port")

    def reference(self, node_id: str, reference: Reference) -> None:
        source = self.places.get(reference.node_id)
        if source is None:
            self.problems.append(
                Problem(
                    code="reference.unknown_node",
                    pointer=reference.pointer,
                    message=f"The expression refers to a node {reference.node_id!r}, which does not exist.",
                    remedy=did_you_mean(reference.node_id, self.places, self.problems)
                    or "Name a node of this workflow.",
                )
            )
            return
        own = self.types[self.places[node_id]] if node_id in self.places else None
        if own is not None and own.trigger:
            self.problems.append(_before_trigger(node_id, reference.pointer))
        if reference.port == ERROR and self.nodes[source].on_error != "route":
            self.problems.append(_never_routed(reference))
        elif reference.port not in (DONE, ERROR):
            self._output(source, reference.port, reference.pointer)

    def fixed_inputs(self, index: int) -> None:
        for name in self.nodes[index].inputs:
            if name not in RESERVED_PORTS:
                self._input(index, name, f"/nodes/{index}/inputs" + pointer_of(name))

    def _output(self, index: int, name: str, pointer: str) -> None:
        ports = self.ports[index]
        if ports is not None and not ports.gives(name):
            names = [*(port.name for port in ports.outputs), DONE, ERROR]
            self._unknown_port(index, f"output port {name!r}", name, names, pointer)

    def _input(self, index: int, name: str, pointer: str) -> None:
        ports = self.ports[index]
        if ports is not None and not ports.takes(name):
            names = [*(port.name for port in ports.inputs), AFTER]
            self._unknown_port(index, f"input port {name!r}", name, names, pointer)

    def _unknown_port(self, index: int, what: str, name: str, names: list[str], pointer: str) -> None:
        node = self.nodes[index]
        listed = ", ".join(map(repr, names[:_MOST_LISTED])) + (", …" if len(names) > _MOST_LISTED else "")
        hint = did_you_mean(name, names, self.problems)
        self.problems.append(
            Problem(
                code="port.unknown",
                pointer=pointer,
                message=f"Node {node.id!r} ({node.node_type}) has no {what}.",
                remedy=f"{hint} There are {listed}.".strip(),
            )
        )


def _check_routes(typed: TypedWorkflow, problems: list[Problem]) -> None:
    workflow, references = typed.workflow, typed.references
    routing = {index: node.id for index, node in enumerate(workflow.nodes) if node.on_error == "route"}
    if not routing:
        return
    used: set[str] = {wire.from_node for wire in workflow.connections if wire.from_port == ERROR}
    used.update(ref.node_id for found in references.values() for ref in found if ref.port == ERROR)
    problems.extend(
        Problem(
            code="node.route_unused",
            pointer=f"/nodes/{index}/on_error",
            message=f"Node {node_id!r} routes its failures to its port 'error', and nothing takes them there.",
            remedy='Connect the port \'error\' to a node, or write "stop" or "continue".',
        )
        for index, node_id in routing.items()
        if node_id not in used
    )


def _check_triggers(typed: TypedWorkflow, problems: list[Problem]) -> None:
    for index, trigger in enumerate(typed.workflow.triggers):
        node_id = trigger.trigger_type.get("node")
        if trigger.trigger_type.get("type") != "Node" or not isinstance(node_id, str):
            continue
        place = typed.wiring.places.get(node_id)
        node_type = None if place is None else typed.types[place]
        if node_type is not None and not node_type.trigger:
            problems.append(
                Problem(
                    code="trigger.not_a_trigger",
                    pointer=f"/triggers/{index}/trigger_type/node",
                    message=f"Node {node_id!r} is of the type {node_type.id!r}, which starts no workflow.",
                    remedy="Name a node of a trigger type, or use the trigger type Manual.",
                )
            )


def _before_trigger(node_id: str, pointer: str) -> Problem:
    return Problem(
        code="trigger.arrow",
        pointer=pointer,
        message=f"Node {node_id!r} starts the workflow: nothing can come before it.",
        remedy="Lead this to a node that follows the trigger.",
    )


def _never_routed(reference: Reference) -> Problem:
    return Problem(
        code="port.error_without_route",
        pointer=reference.pointer,
        message=f"The port 'error' never gives a value: {reference.node_id!r} does not route failures.",
        remedy=f'Write "on_error": "route" into node {reference.node_id!r}, or use another port.',
    )
