"""Checks the names of ports that come out of a node's config, by the rules `each` and `signature` of its type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from flowcore.errors import Problem
from flowcore.nodes import NodeType, Ports, value_at
from flowcore.validation.signatures import signature_inputs, signature_outputs
from flowcore.validation.wires import TypedWorkflow
from flowcore.workflows import RESERVED_PORTS, WorkflowNode

__all__ = ["check_listed_ports"]

_READ_OFF_CONFIG: Final = frozenset({"each", "signature"})
#: What an expression in a text begins with.
_EXPRESSION: Final = "${{"


def check_listed_ports(typed: TypedWorkflow, problems: list[Problem]) -> None:
    """Ports that are listed twice, take a name that is taken, or are left to an expression.

    The ports of a workflow that the node runs are looked at for the names that no port can have.
    Ports are read off the document: a name that only a run can tell would be a port that no connection can name.
    What has another shape than a list of objects with a `port` is for the config's schema to tell.
    """
    for index, node_type in enumerate(typed.types):
        if node_type is None or _READ_OFF_CONFIG.isdisjoint((node_type.inputs.rule, node_type.outputs.rule)):
            continue
        node = typed.workflow.nodes[index]
        for side, declared_by in ((node_type.inputs, signature_inputs), (node_type.outputs, signature_outputs)):
            if side.rule not in _READ_OFF_CONFIG:
                continue
            pointer = f"/nodes/{index}/config{side.pointer}"
            if side.rule == "each":
                problems.extend(_faults(node, node_type, side, pointer))
            else:
                declared = declared_by(value_at(node.config, side.pointer), typed.find)
                problems.extend(_reserved(node, node_type, name, pointer) for name in declared.reserved)


def _faults(node: WorkflowNode, node_type: NodeType, side: Ports, pointer: str) -> Iterator[Problem]:
    listed = value_at(node.config, side.pointer)
    if _is_computed(listed):
        yield _computed(node, pointer)
    places: dict[str, str] = {}
    for place, item in enumerate(listed if isinstance(listed, list) else ()):
        where = f"{pointer}/{place}"
        name = item.get("port") if isinstance(item, dict) else None
        if _is_computed(item):
            yield _computed(node, where)
        elif _is_computed(name):
            yield _computed(node, f"{where}/port")
        elif isinstance(name, str):
            if name in RESERVED_PORTS or side.get(name) is not None:
                yield _taken(node, node_type, side, name, f"{where}/port")
            elif (first := places.setdefault(name, where)) != where:
                yield _twice(node, name, first, f"{where}/port")


def _is_computed(value: Any) -> bool:
    return isinstance(value, str) and _EXPRESSION in value


def _computed(node: WorkflowNode, pointer: str) -> Problem:
    return Problem(
        code="port.computed",
        pointer=pointer,
        message=f"Node {node.id!r} ({node.node_type}) lists its ports here, and no expression can name them.",
        remedy="Write the ports themselves, so that connections can lead to them.",
    )


def _taken(node: WorkflowNode, node_type: NodeType, side: Ports, name: str, pointer: str) -> Problem:
    owner = "every node" if name in RESERVED_PORTS else f"every {node_type.id}"
    taken = ", ".join(map(repr, sorted(RESERVED_PORTS.union(port.name for port in side.ports))))
    return Problem(
        code="port.reserved",
        pointer=pointer,
        message=f"Node {node.id!r} ({node.node_type}) lists a port {name!r}, a name that {owner} uses itself.",
        remedy=f"Choose another name; taken are {taken}.",
    )


def _reserved(node: WorkflowNode, node_type: NodeType, name: str, pointer: str) -> Problem:
    return Problem(
        code="port.reserved",
        pointer=pointer,
        message=f"The workflow that node {node.id!r} ({node_type.id}) runs declares {name!r}, a name of every node.",
        remedy="Rename it in the `inputs` or `outputs` of that workflow.",
    )


def _twice(node: WorkflowNode, name: str, first: str, pointer: str) -> Problem:
    return Problem(
        code="port.duplicate",
        pointer=pointer,
        message=f"The port {name!r} of node {node.id!r} ({node.node_type}) is listed before, at {first}.",
        remedy="Rename one of them, or make one of the two.",
    )
