"""Checks a workflow against the node types that are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from flowcore.errors import Problem, ProblemList
from flowcore.nodes import NodeType
from flowcore.validation.filling import check_filling
from flowcore.validation.listed import check_listed_ports
from flowcore.validation.wires import TypedWorkflow, check_wires
from flowcore.values import did_you_mean
from flowcore.workflows import Workflow, WorkflowNode

__all__ = ["TypeLookup", "check_types", "find_types"]

#: The type of an id in a version, the newest for None; None when there is no such type or version.
TypeLookup: TypeAlias = Callable[[str, int | None], NodeType | None]


def find_types(workflow: Workflow, lookup: TypeLookup) -> list[NodeType | None]:
    """The type of each node, None where there is none."""
    # Each type once: workflows have many nodes of few types.
    found: dict[tuple[str, int | None], NodeType | None] = {}
    types: list[NodeType | None] = []
    for node in workflow.nodes:
        key = (node.node_type, node.type_version)
        if key not in found:
            found[key] = lookup(*key)
        types.append(found[key])
    return types


def check_types(
    typed: TypedWorkflow,
    lookup: TypeLookup,
    known_types: Callable[[], Iterable[str]],
    explain_missing: Callable[[str], str],
) -> list[Problem]:
    """What is wrong with a workflow in the light of node types: types, versions, ports, references, triggers.

    `known_types` gives the ids of all types, asked only to guess what was meant; `explain_missing` says how to
    get an unknown type. Nodes and connections that could not be read (`""`) are passed over, as are the ports of
    nodes of unknown type. Cycles are found by `find_cycle`.
    """
    problems = ProblemList()
    remedies: dict[str, str] = {}  # one a type: many nodes may miss the same one
    for index, (node, node_type) in enumerate(zip(typed.workflow.nodes, typed.types, strict=True)):
        if node_type is not None:
            if node_type.deprecation is not None or node_type.stability == "deprecated":
                problems.append(_deprecated(index, node, node_type))
        elif (newest := lookup(node.node_type, None)) is not None:
            problems.append(_unknown_version(index, node, newest))
        elif node.node_type:
            if node.node_type not in remedies:
                hint = did_you_mean(node.node_type, known_types(), problems)
                remedies[node.node_type] = f"{hint} {explain_missing(node.node_type)}".strip()
            problems.append(_unknown_type(index, node, remedies[node.node_type]))
    check_listed_ports(typed, problems)
    check_wires(typed, problems)
    check_filling(typed, problems)
    return problems.told()


def _unknown_type(index: int, node: WorkflowNode, remedy: str) -> Problem:
    return Problem(
        code="node_type.unknown",
        pointer=f"/nodes/{index}/node_type",
        message=f"Node {node.id!r} is of the type {node.node_type!r}, which is not installed.",
        remedy=remedy,
    )


def _unknown_version(index: int, node: WorkflowNode, newest: NodeType) -> Problem:
    return Problem(
        code="node_type.unknown_version",
        pointer=f"/nodes/{index}/type_version",
        message=(
            f"Node {node.id!r} wants version {node.type_version} of the type {node.node_type!r}; "
            f"the newest that is installed is {newest.version}."
        ),
        remedy=f"Update the pack {newest.namespace!r}, or write a version that is installed.",
    )


def _deprecated(index: int, node: WorkflowNode, node_type: NodeType) -> Problem:
    since, removal, use = "", "", None
    if node_type.deprecation is not None:
        since = f" since {node_type.deprecation.since}"
        use = node_type.deprecation.use
        if node_type.deprecation.removal is not None:
            removal = f" and goes with {node_type.deprecation.removal}"
    return Problem(
        severity="warning",
        code="node_type.deprecated",
        pointer=f"/nodes/{index}/node_type",
        message=f"The type {node_type.id!r} of node {node.id!r} is deprecated{since}{removal}.",
        remedy=f"Use {use!r} instead." if use else "Its documentation says what to use instead.",
    )
