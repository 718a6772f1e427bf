"""A pack project as the checks see it: its metadata, its node types with their code, its saved nodes."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowcore.errors import PackError
from flowcore.nodes import NodeType, effects_of
from flowcore.packs import Pack
from flowcore.schemas import with_defaults
from flowcore.values import read_json, thaw

from flowruntime.authoring import Definition
from flowruntime.registry import Registry, catalog_of, check_catalog, packs_of
from flowruntime.registry.loading import load_definition
from flowruntime.testing.stage import installed, with_type

__all__ = ["SAVED_NODES", "Example", "PackSubject", "SavedNode", "TypeSubject", "load_project"]

#: Nodes as older versions of the pack have left them in documents, below the project's folder.
SAVED_NODES: Final = "tests/saved_nodes.json"
#: What keeps a catalog from being written, and is told better by the checks of schemas and examples.
_TOLD_BY_CHECKS: Final = frozenset({"build.schema", "build.example"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example of a node type. `fields` are all that it says, keys that there are not among them."""

    number: int
    fields: dict[str, Any]

    @property
    def place(self) -> str:
        """How findings name it."""
        title = self.fields.get("title")
        return f"example {title!r}" if title else f"example {self.number}"

    @property
    def config(self) -> dict[str, Any]:
        """The node's config."""
        return dict(self.fields.get("config") or {})

    @property
    def inputs(self) -> dict[str, Any]:
        """The node's inputs, as they stand in a document."""
        return dict(self.fields.get("inputs") or {})

    @property
    def is_run(self) -> bool:
        """Whether it can be run here: it needs nothing that only its user has."""
        return not self.fields.get("needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedNode:
    """A node out of a document that was saved with an older version, or for a replaced type."""

    place: str
    node_type: str
    type_version: int
    config: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSubject:
    """One node type, as its code declares it. `registry` has it with all types of its pack and of those installed."""

    node_type: NodeType
    definition: Definition
    registry: Registry
    saved: tuple[SavedNode, ...]
    is_newest: bool

    @property
    def label(self) -> str:
        """How findings name it."""
        return self.node_type.id if self.is_newest else f"{self.node_type.id} (version {self.node_type.version})"

    @property
    def examples(self) -> list[Example]:
        """Its examples."""
        given = [thaw(example) for example in self.node_type.examples]
        return [Example(number=number, fields=fields) for number, fields in enumerate(given, 1)]

    def is_pure(self, example: Example) -> bool:
        """Whether the node only computes, with the config of that example."""
        config = with_defaults(self.node_type.config_schema, example.config)
        return effects_of(self.node_type.effects, config) == "pure"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSubject:
    """One pack of a project."""

    folder: Path
    pack: Pack
    package: Path
    #: The table `[project]` of its pyproject.toml.
    metadata: Mapping[str, Any]
    #: The lines of a unified diff from the committed catalogs of the project to what its code says.
    catalog_diff: tuple[str, ...]
    types: tuple[TypeSubject, ...]


def load_project(folder: Path) -> tuple[PackSubject, ...]:
    """The packs of a project, imported from its sources into this process.

    Raises PackError when there is no pack, when its code cannot be imported or makes no node types, or when its
    saved nodes cannot be read.
    """
    folder = folder.absolute()
    # In a process of its own first: code that hangs or ends the process is told, and does not get in here.
    try:
        diff = tuple(check_catalog(folder))
    except PackError as error:
        if error.code not in _TOLD_BY_CHECKS:
            raise
        diff = ()
    return tuple(_load(folder, pack, package, diff) for pack, package in packs_of(folder))


def _load(folder: Path, pack: Pack, package: Path, catalog_diff: tuple[str, ...]) -> PackSubject:
    sources = str(package.parent)
    if sources not in sys.path:
        # It stays there: the code may import more of itself when it runs.
        sys.path.insert(0, sources)
        importlib.invalidate_caches()
    catalog = catalog_of(pack.package, pack.namespace, pack=pack.distribution)
    saved = tuple(_saved_nodes(folder, pack))
    found = [(node_type, load_definition(node_type, pack.distribution)) for node_type in catalog.types]
    registry = installed()
    for node_type, definition in found:
        registry = with_type(registry, node_type, definition)
    newest = {node_type.id: node_type.version for node_type in catalog.types}  # sorted: the newest comes last
    older = [
        SavedNode(
            place=f"an example of version {node_type.version}",
            node_type=node_type.id,
            type_version=node_type.version,
            config=thaw(example).get("config") or {},
        )
        for node_type in catalog.types
        if node_type.version < newest[node_type.id]
        for example in node_type.examples
    ]
    table = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return PackSubject(
        folder=folder,
        pack=pack,
        package=package,
        metadata=table["project"],
        catalog_diff=catalog_diff,
        types=tuple(
            TypeSubject(
                node_type=node_type,
                definition=definition,
                registry=registry,
                saved=tuple(node for node in (*saved, *older) if _is_older(node, node_type)),
                is_newest=node_type.version == newest[node_type.id],
            )
            for node_type, definition in found
        ),
    )


def _is_older(node: SavedNode, node_type: NodeType) -> bool:
    if node.node_type == node_type.id:
        return node.type_version < node_type.version
    return node.node_type in node_type.replaces


def _saved_nodes(folder: Path, pack: Pack) -> Iterator[SavedNode]:
    file = folder / SAVED_NODES
    if not file.exists():
        return
    parsed = read_json(file.read_bytes())
    fault = parsed.problems[0].message if parsed.problems else ""
    if not fault and not isinstance(parsed.value, list):
        fault = "It holds no list."
    for index, item in enumerate([] if fault else parsed.value):
        match item:
            case {"node_type": str(type_id), "type_version": int(version)} if isinstance(item.get("config", {}), dict):
                config = thaw(item.get("config", {}))
                place = f"{SAVED_NODES}#/{index}"
                yield SavedNode(place=place, node_type=type_id, type_version=version, config=config)
            case _:
                fault = f"At /{index} stands no node."
    if fault:
        raise PackError(
            f"{file} cannot be used: {fault}",
            pack=pack.distribution,
            code="check.saved_nodes",
            remedy='Write a list of nodes as documents have them: {"node_type": …, "type_version": 1, "config": {…}}.',
        )
