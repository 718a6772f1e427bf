"""Moves nodes to other types and versions: configs migrated, and ports renamed wherever they are named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from flowcore.errors import PackError, Problem
from flowcore.nodes import NodeType
from flowcore.schemas import X_EXPRESSION, X_WORKFLOW, fields_marked
from flowcore.values import FrozenDict, freeze
from flowcore.workflows import Connection, Workflow, WorkflowNode

from flowruntime.expressions import Steps
from flowruntime.migrations.moves import REPLACED, Move, TypeVersions, outdated_moves
from flowruntime.migrations.references import OutputNames, rename_references
from flowruntime.migrations.running import run_migrate

__all__ = ["Moved", "bring_up_to_date", "move_nodes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A workflow whose nodes have been moved, and what went wrong: `migrate` calls, references that cannot be kept."""

    workflow: Workflow
    problems: tuple[Problem, ...]


def bring_up_to_date(workflow: Workflow, types: TypeVersions, problems: list[Problem]) -> Workflow:
    """The workflow as the installed types can run it; itself when nothing is outdated, which is quick to see.

    Each outdated node becomes a warning; a config that cannot be migrated, an error, and stays as it is. Places of
    nodes and connections remain. Documents in configs are not looked into. Code of packs is imported when a document
    needs it.
    """
    moves = list(outdated_moves(workflow, types))
    if not moves:
        return workflow
    problems.extend(_told(move) for move in moves)
    moved = move_nodes(workflow, moves, types)
    problems.extend(moved.problems)
    return moved.workflow


def move_nodes(workflow: Workflow, moves: Iterable[Move], types: TypeVersions) -> Moved:
    """Give the nodes their new types. A node whose config cannot be migrated keeps the config."""
    problems: list[Problem] = []
    nodes = list(workflow.nodes)
    inputs: dict[str, Mapping[str, str]] = {}
    outputs: dict[str, Mapping[str, str]] = {}
    for move in moves:
        inputs[move.node.id] = move.renamed_inputs()
        outputs[move.node.id] = move.renamed_outputs()
        if inputs[move.node.id]:
            problems += _lost_inputs(move, inputs[move.node.id], workflow.connections)
        nodes[move.index] = replace(
            move.node,
            node_type=move.target.id,
            type_version=move.target.version,
            config=_migrated(move, types, problems),
            inputs=_renamed_keys(move.node.inputs, inputs[move.node.id]),
        )
    names = {node_id: renamed for node_id, renamed in outputs.items() if renamed}
    made_outputs = workflow.outputs
    if names:
        nodes = [_with_references(index, node, names, types, problems) for index, node in enumerate(nodes)]
        made_outputs = rename_references(workflow.outputs, names)
    connections = tuple(_renamed_ends(connection, inputs, outputs) for connection in workflow.connections)
    made = replace(workflow, nodes=tuple(nodes), connections=connections, outputs=made_outputs)
    return Moved(workflow=made, problems=tuple(problems))


def _migrated(move: Move, types: TypeVersions, problems: list[Problem]) -> FrozenDict:
    """The new config; without a `migrate` the old one, which the new schema has to allow."""
    if not move.target.migrates:
        return move.node.config
    try:
        definition = types.load(move.target)
        config = run_migrate(definition, move.node.config, move.from_version, move.target)
    except PackError as error:
        problems.append(
            Problem(
                code=error.code,
                pointer=f"/nodes/{move.index}/config",
                message=f"The config of node {move.node.id!r} cannot be migrated: {error.message}",
                remedy=error.remedy,
            )
        )
        return move.node.config
    frozen: FrozenDict = freeze(config)
    return frozen


def _with_references(
    index: int, node: WorkflowNode, names: OutputNames, types: TypeVersions, problems: list[Problem]
) -> WorkflowNode:
    node_type = types.get(node.node_type, node.type_version)
    if node_type is None:
        # Which of its fields hold documents nobody knows: not a byte of it is changed.
        if rename_references(node.config, names) is not node.config:
            problems.append(_not_kept(index, node))
        config = node.config
    else:
        config = rename_references(node.config, names, except_at=_own_scopes(node_type, node.config))
    inputs = rename_references(node.inputs, names)
    if config is node.config and inputs is node.inputs:
        return node
    return replace(node, config=config, inputs=inputs)


def _own_scopes(node_type: NodeType, config: FrozenDict) -> Collection[Steps]:
    marked = fields_marked(node_type.config_schema, X_WORKFLOW, config)
    return {*marked, *fields_marked(node_type.config_schema, X_EXPRESSION, config)}


def _lost_inputs(move: Move, names: Mapping[str, str], connections: Iterable[Connection]) -> Iterator[Problem]:
    """What reached two inputs that are one now, of which only one would arrive."""
    wired = {connection.to_port for connection in connections if connection.to_node == move.node.id}
    several = {port.name for port in move.target.inputs.ports if port.multiple}
    for new in sorted({new for old, new in names.items() if old != new}):
        merged = sorted(name for name in wired.union(move.node.inputs) if names.get(name, name) == new)
        if len(merged) > 1 and not (new in several and wired.issuperset(merged)):
            yield Problem(
                code="upgrade.merged",
                pointer=f"/nodes/{move.index}",
                message=(
                    f"The inputs {', '.join(map(repr, merged))} of node {move.node.id!r} are one in "
                    f"{move.target.id!r}, version {move.target.version}: {new!r}."
                ),
                remedy="Leave one of them, or join them before.",
            )


def _renamed_keys(values: FrozenDict, names: Mapping[str, str]) -> FrozenDict:
    if names.keys().isdisjoint(values):
        return values
    return FrozenDict({names.get(name, name): value for name, value in values.items()})


def _renamed_ends(
    connection: Connection, inputs: Mapping[str, Mapping[str, str]], outputs: Mapping[str, Mapping[str, str]]
) -> Connection:
    from_port = outputs.get(connection.from_node, {}).get(connection.from_port, connection.from_port)
    to_port = inputs.get(connection.to_node, {}).get(connection.to_port, connection.to_port)
    if (from_port, to_port) == (connection.from_port, connection.to_port):
        return connection
    return replace(connection, from_port=from_port, to_port=to_port)


def _told(move: Move) -> Problem:
    node, target = move.node, move.target
    remedy = "`flow upgrade FILE --write` writes it into the document, so that it stays that way."
    if move.from_version == REPLACED:
        return Problem(
            severity="warning",
            code="node_type.replaced",
            pointer=f"/nodes/{move.index}/node_type",
            message=f"The type {node.node_type!r} of node {node.id!r} is replaced by {target.id!r}, which is taken.",
            remedy=remedy,
        )
    migrated = "its config is migrated" if target.migrates else "its config is taken as it is"
    return Problem(
        severity="warning",
        code="node_type.outdated",
        pointer=f"/nodes/{move.index}/type_version",
        message=(
            f"Node {node.id!r} was saved with version {move.from_version} of the type {target.id!r}; "
            f"version {target.version} is installed, and {migrated}."
        ),
        remedy=remedy,
    )


def _not_kept(index: int, node: WorkflowNode) -> Problem:
    return Problem(
        code="upgrade.reference",
        pointer=f"/nodes/{index}/config",
        message=(
            f"The config of node {node.id!r} refers to a port that has a new name, and its type {node.node_type!r} "
            "is not installed, so that the config cannot be changed."
        ),
        remedy="Install the pack of that type, or write the new name of the port by hand.",
    )
