"""The ports that a node of a workflow has, by the four rules of node types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from flowcore.nodes import NodeType, Port, Ports, ports_of, value_at
from flowcore.schemas import Schema, known_keys
from flowcore.validation.signatures import (
    DeclaredPorts,
    WorkflowLookup,
    no_workflows,
    signature_inputs,
    signature_outputs,
)
from flowcore.workflows import RESERVED_PORTS, Workflow

__all__ = ["NodePorts", "Reference", "Wiring", "has_own_ports", "node_ports"]


class Reference(NamedTuple):
    """An expression in one node that names a port of another; `pointer` is the expression's place."""

    node_id: str
    port: str
    pointer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePorts:
    """The ports of one node; `any_input` and `any_output` say that every other name is a port too.

    The implicit ports `after`, `done` and `error` are not among them.
    """

    inputs: tuple[Port, ...] = ()
    any_input: bool = False
    outputs: tuple[Port, ...] = ()
    any_output: bool = False

    def takes(self, name: str) -> bool:
        """Whether there is an input port of that name."""
        return self.any_input or _named(self.inputs, name) is not None

    def gives(self, name: str) -> bool:
        """Whether there is an output port of that name."""
        return self.any_output or _named(self.outputs, name) is not None

    def output(self, name: str) -> Port | None:
        """The declared output port of that name; None for one that is only there by the rule `any`."""
        return _named(self.outputs, name)

    def input(self, name: str) -> Port | None:
        """The declared input port of that name; None for one that is only there by the rule `any`."""
        return _named(self.inputs, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The arrows of a workflow grouped by node. Nodes and connections are named by their place in the document."""

    #: The place of each node; of two with the same id the first.
    places: Mapping[str, int]
    #: For each node that has any, the connections that lead into it, in document order.
    into: Mapping[int, Sequence[int]]
    #: The nodes that have an arrow: a connection, or an expression that refers to another node.
    with_arrows: frozenset[int]

    @classmethod
    def of(cls, workflow: Workflow, references: Mapping[str, Sequence[Reference]]) -> Wiring:
        """Group the connections of the workflow; `references` are those of each node, by its id."""
        places: dict[str, int] = {}
        for index, node in enumerate(workflow.nodes):
            places.setdefault(node.id, index)
        into: dict[int, list[int]] = {}
        for index, connection in enumerate(workflow.connections):
            target = places.get(connection.to_node)
            if target is not None:
                into.setdefault(target, []).append(index)
        referring = {
            places[node_id]
            for node_id, found in references.items()
            if node_id in places and any(reference.node_id != node_id for reference in found)
        }
        return cls(places=places, into=into, with_arrows=frozenset(into.keys() | referring))


_NOTHING: Final[tuple[int, ...]] = ()


def node_ports(
    workflow: Workflow, index: int, node_type: NodeType, wiring: Wiring, find: WorkflowLookup = no_workflows
) -> NodePorts:
    """The ports of the node at that place of `nodes`, which is of this type.

    With the rule `any` and passthrough, every input comes out again: the names of its connections, of its fixed
    inputs and, without arrows, of the workflow's `inputs`, or every name when these declare none. With the rule
    `signature` they are those of a workflow that the config holds, or names and `find` gives; while that is
    not to be had, every name is a port.
    """
    inputs, outputs = node_type.inputs, node_type.outputs
    node = workflow.nodes[index]
    taken, any_input = ports_of(inputs, node.config), inputs.rule == "any"
    if inputs.rule == "signature":
        declared = signature_inputs(value_at(node.config, inputs.pointer), find)
        taken, any_input = _with_declared(inputs, declared), declared.any_other
    given, any_output = ports_of(outputs, node.config), False
    if outputs.rule == "signature":
        declared = signature_outputs(value_at(node.config, outputs.pointer), find)
        given, any_output = _with_declared(outputs, declared), declared.any_other
    elif outputs.rule == "any":
        any_output = not outputs.passthrough
        if outputs.passthrough:
            connections = workflow.connections
            names = {connections[place].to_port: None for place in wiring.into.get(index, _NOTHING)}
            names.update(dict.fromkeys(node.inputs))
            if index not in wiring.with_arrows:
                known = _input_names(workflow.inputs)
                any_output = not known
                names.update(dict.fromkeys(known))
            given = (*given, *_passed_on(names, given))
    return NodePorts(inputs=taken, any_input=any_input, outputs=given, any_output=any_output)


def has_own_ports(node_type: NodeType) -> bool:
    """Whether the ports of a node of this type depend on the node; else they are those of every such node."""
    return any(side.passthrough or side.rule in _BY_NODE for side in (node_type.inputs, node_type.outputs))


_BY_NODE: Final = frozenset({"each", "signature"})


def _with_declared(side: Ports, declared: DeclaredPorts) -> tuple[Port, ...]:
    return (*side.ports, *(port for port in declared.ports if side.get(port.name) is None))


def _passed_on(names: Iterable[str], given: tuple[Port, ...]) -> Iterable[Port]:
    taken = {port.name for port in given} | RESERVED_PORTS
    return (Port(name=name) for name in names if name and name not in taken)


def _input_names(schema: Schema | None) -> tuple[str, ...]:
    return () if schema is None else known_keys(schema)


def _named(ports: tuple[Port, ...], name: str) -> Port | None:
    for port in ports:
        if port.name == name:
            return port
    return None
