"""Upgrades workflow documents to the newest node types, as text that is otherwise the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from flowcore.documents import read_workflow, sort_problems
from flowcore.documents.reading import read_object
from flowcore.errors import Problem
from flowcore.schemas import X_WORKFLOW, fields_marked
from flowcore.values import FrozenDict, FrozenList, freeze, pointer_of, read_json, thaw
from flowcore.workflows import Workflow, WorkflowNode

from flowruntime.migrations import TypeVersions, move_nodes, upgrade_moves
from flowruntime.plan import SchemaCache, TypeSource, check_workflow
from flowruntime.upgrading.patching import patch_json
from flowruntime.upgrading.projecting import project

__all__ = ["Change", "UpgradeTypes", "Upgraded", "upgrade_document"]

#: Types that replace each other in a row; more than that is a circle.
_MOST_PASSES: Final = 16


class UpgradeTypes(TypeSource, TypeVersions, Protocol):
    """What upgrading needs of a registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A node with another type or version than before; `pointer` is its place in the document."""

    pointer: str
    node_id: str
    old_type: str
    #: None: the document says none, which means the newest.
    old_version: int | None
    new_type: str
    new_version: int

    def to_json(self) -> dict[str, Any]:
        """The change as `--json` gives it."""
        return {
            "pointer": self.pointer,
            "node": self.node_id,
            "from": {"node_type": self.old_type, "type_version": self.old_version},
            "to": {"node_type": self.new_type, "type_version": self.new_version},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What became of a document.

    `text` is the new one: the old one itself when nothing is to be changed, and when `problems` say what cannot be
    read or kept.
    """

    text: str
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    #: Whether the document could be read at all.
    readable: bool = True


def upgrade_document(source: str | bytes, types: UpgradeTypes, schemas: SchemaCache, *, pin: bool = False) -> Upgraded:
    """Bring every node to the newest version of its type, and replaced types to those that replace them.

    Nodes of unknown types, the order of keys and connections, and everything else in the text stay as they are. A node
    without a version has the newest one by definition; `pin` writes it down. What the new types do not allow, a config
    or a connection, is a problem, and then nothing is changed.
    """
    read = read_workflow(source)
    text = source if isinstance(source, str) else source.decode("utf-8", errors="replace")
    if read.workflow is None or not read.valid:
        errors = tuple(problem for problem in read.problems if problem.severity == "error")
        return Upgraded(text=text, problems=errors, readable=False)
    raw = read_json(source).value
    upgrade = _Upgrade(types, pin=pin)
    workflow = upgrade.workflow(read.workflow, "")
    if not upgrade.changes:
        return Upgraded(text=text)
    changes = tuple(upgrade.changes.values())
    made = project(raw, read.workflow, workflow)
    problems = (*upgrade.problems, *_not_allowed(made, changes, types, schemas))
    if problems:
        return Upgraded(text=text, changes=changes, problems=tuple(sort_problems(problems)))
    return Upgraded(text=patch_json(text, raw, made), changes=changes)


class _Upgrade:
    """One document and those inside of it."""

    def __init__(self, types: UpgradeTypes, *, pin: bool) -> None:
        self._types = types
        self._pin = pin
        #: By the place of the node.
        self.changes: dict[str, Change] = {}
        self.problems: list[Problem] = []

    def workflow(self, workflow: Workflow, pointer: str) -> Workflow:
        """The workflow upgraded; `pointer` is where it stands in the document."""
        before = workflow.nodes
        for _ in range(_MOST_PASSES):
            moves = list(upgrade_moves(workflow, self._types))
            if not moves:
                break
            moved = move_nodes(workflow, moves, self._types)
            self.problems += (replace(problem, pointer=pointer + problem.pointer) for problem in moved.problems)
            workflow = moved.workflow
        nodes = [self._node(node, f"{pointer}/nodes/{index}") for index, node in enumerate(workflow.nodes)]
        for index, (old, new) in enumerate(zip(before, nodes, strict=True)):
            place = f"{pointer}/nodes/{index}"
            if (old.node_type, old.type_version) != (new.node_type, new.type_version):
                self.changes[place] = _change(place, old, new)
        return replace(workflow, nodes=tuple(nodes))

    def _node(self, node: WorkflowNode, pointer: str) -> WorkflowNode:
        node_type = self._types.get(node.node_type, node.type_version)
        if node_type is None:
            return node
        config = node.config
        for steps in fields_marked(node_type.config_schema, X_WORKFLOW, config):
            config = self._with_body(config, steps, f"{pointer}/config{pointer_of(*steps)}")
        version = node_type.version if self._pin and node.type_version is None else node.type_version
        if config is node.config and version == node.type_version:
            return node
        return replace(node, config=config, type_version=version)

    def _with_body(self, config: FrozenDict, steps: tuple[str | int, ...], pointer: str) -> FrozenDict:
        body = _at(config, steps)
        if not isinstance(body, dict) or "nodes" not in body:
            return config  # a name, a file, or nothing that could be upgraded
        problems: list[Problem] = []
        old = read_object(body, problems, default_name="body")
        if old is None or any(problem.severity == "error" for problem in problems):
            return config  # what is wrong with it is told when the whole document is checked
        new = self.workflow(old, pointer)
        made: FrozenDict = _replaced(config, steps, freeze(project(thaw(body), old, new)))
        return made


def _change(pointer: str, old: WorkflowNode, new: WorkflowNode) -> Change:
    return Change(
        pointer=pointer,
        node_id=new.id,
        old_type=old.node_type,
        old_version=old.type_version,
        new_type=new.node_type,
        new_version=new.type_version or 1,
    )


def _not_allowed(
    made: dict[str, Any], changes: tuple[Change, ...], types: UpgradeTypes, schemas: SchemaCache
) -> Iterator[Problem]:
    """The errors of the new document that it would not have if nobody knew the types of the changed nodes."""
    masked = made
    for change in changes:
        steps = _steps(change.pointer)
        node = _at(masked, steps)
        masked = _replaced(masked, steps, {**node, "node_type": f"{change.new_type} upgraded"})
    others = {
        (problem.code, problem.pointer, problem.message) for problem in check_workflow(masked, types, schemas).problems
    }
    for problem in check_workflow(made, types, schemas).problems:
        if problem.severity == "error" and (problem.code, problem.pointer, problem.message) not in others:
            yield problem


def _steps(pointer: str) -> tuple[str | int, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _at(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        value = value[int(step) if isinstance(value, list) else step]
    return value


def _replaced(value: Any, steps: tuple[str | int, ...], new: Any) -> Any:
    """A copy of the value with another one at that path."""
    if not steps:
        return new
    step, *further = steps
    changed = _replaced(_at(value, (step,)), tuple(further), new)
    if isinstance(value, list):
        items = [*value]
        items[int(step)] = changed
        return FrozenList(items) if isinstance(value, FrozenList) else items
    made = {**value, step: changed}
    return FrozenDict(made) if isinstance(value, FrozenDict) else made
