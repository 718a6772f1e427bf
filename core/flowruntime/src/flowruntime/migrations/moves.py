"""Finds the nodes of a workflow that belong to another type or version than the one they were saved with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flowcore.nodes import NodeType
from flowcore.workflows import Workflow, WorkflowNode

from flowruntime.authoring import Definition

__all__ = ["REPLACED", "Move", "TypeVersions", "outdated_moves", "upgrade_moves"]

#: The `from_version` of a config that was written for a type which another one replaces.
REPLACED: Final = 0


class TypeVersions(Protocol):
    """What moving nodes needs of a registry."""

    def get(self, type_id: str, version: int | None = None) -> NodeType | None:
        """The node type of that id, its newest version for None."""
        ...

    def replacing(self, type_id: str) -> Sequence[NodeType]:
        """The newest versions of the types that say they replace this one."""
        ...

    def load(self, node_type: NodeType) -> Definition:
        """The code of a node type. Raises PackError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One node, by its place, and the type that it is to have. `from_version` is 0 when another type is replaced."""

    index: int
    node: WorkflowNode
    target: NodeType
    from_version: int

    def renamed_inputs(self) -> Mapping[str, str]:
        """The new names of input ports by their old ones."""
        return _composed(entry.inputs for entry in self._renamed())

    def renamed_outputs(self) -> Mapping[str, str]:
        """The new names of output ports by their old ones."""
        return _composed(entry.outputs for entry in self._renamed())

    def _renamed(self) -> list[_Names]:
        newest = self.target.version
        saved = self.node.type_version
        found = [
            _Names(entry.below or newest, entry.inputs, entry.outputs)
            for entry in self.target.renamed
            if (entry.type or self.target.id) == self.node.node_type
            and (entry.below is None or (saved is not None and saved < entry.below))
        ]
        return sorted(found, key=lambda names: names.below)


@dataclass(frozen=True, slots=True)
class _Names:
    below: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def outdated_moves(workflow: Workflow, types: TypeVersions) -> Iterator[Move]:
    """The nodes that cannot run as they were saved, and can with what is installed.

    Their version is older than the installed ones, or their type is replaced by another one of the same pack. A type
    of another pack takes over only when somebody writes it into the document, as `flow upgrade` does.
    """
    known: dict[tuple[str, int | None], tuple[NodeType, int] | None] = {}
    for index, node in enumerate(workflow.nodes):
        # Each type once: workflows have many nodes of few types.
        key = (node.node_type, node.type_version)
        if key not in known:
            known[key] = _outdated(node, types)
        found = known[key]
        if found is not None:
            yield Move(index=index, node=node, target=found[0], from_version=found[1])


def upgrade_moves(workflow: Workflow, types: TypeVersions) -> Iterator[Move]:
    """All nodes that are not of the newest version of their type, or whose type is replaced by another one.

    An installed type is replaced only when it is deprecated and names the other one itself. One that is missing is
    replaced when a type of its own pack says so, or else exactly one type.
    """
    for index, node in enumerate(workflow.nodes):
        newest = types.get(node.node_type)
        if newest is None:
            target = _replacement(node.node_type, types)
            if target is not None:
                yield Move(index=index, node=node, target=target, from_version=REPLACED)
        elif node.type_version is not None and node.type_version < newest.version:
            # Before it may be replaced: what replaces a type knows its newest configs and ports.
            yield Move(index=index, node=node, target=newest, from_version=node.type_version)
        elif (target := _successor(newest, types)) is not None:
            yield Move(index=index, node=node, target=target, from_version=REPLACED)


def _outdated(node: WorkflowNode, types: TypeVersions) -> tuple[NodeType, int] | None:
    version = node.type_version
    if types.get(node.node_type, version) is not None:
        return None
    newest = types.get(node.node_type)
    if newest is not None:
        return (newest, version) if version is not None and version < newest.version else None
    own = [target for target in types.replacing(node.node_type) if _same_pack(target, node.node_type)]
    return (own[0], REPLACED) if len(own) == 1 else None


def _replacement(type_id: str, types: TypeVersions) -> NodeType | None:
    candidates = types.replacing(type_id)
    own = [target for target in candidates if _same_pack(target, type_id)]
    chosen = own or candidates
    return chosen[0] if len(chosen) == 1 else None


def _successor(node_type: NodeType, types: TypeVersions) -> NodeType | None:
    """What replaces an installed type; nothing when the replacements lead back to it."""
    found = further = _named_successor(node_type, types)
    seen = {node_type.id}
    while further is not None:
        if further.id in seen:
            return None
        seen.add(further.id)
        further = _named_successor(further, types)
    return found


def _named_successor(node_type: NodeType, types: TypeVersions) -> NodeType | None:
    if node_type.deprecation is None or node_type.deprecation.use is None:
        return None
    target = types.get(node_type.deprecation.use)
    return target if target is not None and node_type.id in target.replaces else None


def _same_pack(target: NodeType, type_id: str) -> bool:
    return target.namespace == type_id.partition(".")[0]


def _composed(steps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """One renaming after the other, as one."""
    names: dict[str, str] = {}
    for step in steps:
        names = {**step, **{old: step.get(new, new) for old, new in names.items()}}
    return names
