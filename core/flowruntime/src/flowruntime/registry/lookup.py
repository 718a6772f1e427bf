"""The registry: which node types there are, what each is, and where its code is.

Part of the warm path: nothing dear is imported before it is needed, neither here nor by what is imported
here.
"""

# pathlib would be dear here:
# ruff: noqa: PTH118

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from flowcore import __version__

from flowruntime.permits import Rules, hold_permits, hold_points
from flowruntime.registry.places import SAFE_MODE_VARIABLE, absolute_path, cache_directory, settings_file
from flowruntime.registry.snapshot import Snapshot, read_snapshot, snapshot_name

if TYPE_CHECKING:
    from pathlib import Path
    from types import EllipsisType

    from flowcore.nodes import NodeType
    from flowcore.packs import Pack, PackProblem

    from flowruntime.authoring import Definition
    from flowruntime.hooks import Hooks
    from flowruntime.registry.dynamic import Dynamic, DynamicTypes
    from flowruntime.registry.local import LocalTypes
    from flowruntime.registry.settings import PackSettings

__all__ = ["Registry", "TypeRow"]

#: Another number for every change to what a snapshot holds.
_SNAPSHOT_FORM = 3


class TypeRow(NamedTuple):
    """What a list of node types shows of one."""

    id: str
    version: int
    title: str
    description: str
    category: str
    #: That of the type, `deprecated` for one that is going to be removed.
    stability: str
    #: The distribution that brings the type; `local` for one given as an object.
    pack: str
    #: Whether a plugin made it at run time, and no catalog has it.
    dynamic: bool = False


class Registry:
    """The node types of one installation at one moment. Never changes; may be used from several threads.

    Plugins that make node types at run time are asked once, when all types are listed or when one is looked for that
    only they can have.
    """

    def __init__(self, snapshot: Snapshot, local: LocalTypes | None = None) -> None:
        self._snapshot = snapshot
        self._local = local or {}
        #: The row of a type by id and version.
        self._rows: dict[tuple[str, int], int] = {}
        #: The newest version by id.
        self._newest: dict[str, int] = {}
        for index, (type_id, version, *_) in enumerate(snapshot.rows):  # sorted: the newest comes last
            self._rows[type_id, version] = index
            self._newest[type_id] = version
        for type_id, version in sorted(self._local):
            self._newest[type_id] = version
        self._node_types: dict[int, NodeType] = {}
        self._definitions: dict[tuple[str, int], Definition] = {}
        #: Namespace → distribution of the plugins that may make types in it.
        self._plugged = {namespace: row[0] for row in snapshot.plugins for namespace in row[-1]}
        self._dynamic: DynamicTypes | None = None

    @classmethod
    def discover(
        cls,
        *,
        search_path: Sequence[str] | None = None,
        settings: PackSettings | None = None,
        cache_dir: Path | EllipsisType | None = ...,
        inspect_timeout_seconds: float = 10.0,
    ) -> Registry:
        """The node types of all packs on the search path (`sys.path` by default); none of them is imported.

        `settings` None stands for the `flow.toml` that holds here, and then holds for the hooks of this process
        too; a malformed one raises InstallationError. With a search path of its own it has plugins of its own.
        Nothing else raises: what is wrong with a pack is in `problems`. `cache_dir` None keeps nothing for
        the next call. An editable pack whose sources are newer than its catalog is imported in a subprocess,
        for `inspect_timeout_seconds` at most.
        """
        file = settings_file() if settings is None else None
        given = None if settings is None else [dict(settings.prefer), *settings.rules.plain()]
        parts = [
            _SNAPSHOT_FORM,
            __version__,
            sys.version,
            sys.prefix,
            absolute_path(search_path),
            file,
            os.environ.get(SAFE_MODE_VARIABLE) == "1" if settings is None else None,
            given,
        ]
        key = json.dumps(parts, sort_keys=True)
        if cache_dir is None:
            cache = None
        else:
            folder = cache_directory() if cache_dir is ... else os.fspath(cache_dir)
            cache = os.path.join(folder, snapshot_name(key))
        snapshot = read_snapshot(cache, key) if cache is not None else None
        if snapshot is None:
            from flowruntime.registry.survey import take_survey

            snapshot = take_survey(
                search_path=search_path,
                settings=settings,
                settings_file=file,
                cache=cache,
                key=key,
                inspect_timeout_seconds=inspect_timeout_seconds,
            )
        if settings is None:
            hold_permits(_rules_of(snapshot))
            if search_path is None:
                hold_points(snapshot.plugins)
        return cls(snapshot)

    def with_local(self, nodes: Iterable[object]) -> Registry:
        """This registry and the node types of decorated functions, classes, and modules that define some.

        They have the namespace `local`: `@node` on `shout` makes `local.shout`. Raises InstallationError for
        what is no node, an id in another namespace, and two nodes of one id and version.
        """
        from flowruntime.registry.local import add_local

        registry = Registry(self._snapshot, add_local(self._local, nodes))
        registry._node_types, registry._definitions = self._node_types, self._definitions
        registry._dynamic = self._plugins()
        return registry

    @property
    def has_plugins(self) -> bool:
        """Whether there are plugins, of which nothing is imported to know it."""
        return bool(self._snapshot.plugins)

    @property
    def hooks(self) -> Hooks | None:
        """The plugins of this installation, imported at the first question; None when there are none.

        Takes as long as the plugins take, ten seconds each at most.
        """
        plugins = self._plugins()
        return None if plugins is None else plugins.hooks

    @property
    def packs(self) -> tuple[Pack, ...]:
        """The packs whose node types can be used."""
        from flowcore.packs import Pack

        return tuple(
            Pack(
                distribution=distribution,
                version=version,
                namespace=namespace,
                package=package,
                editable=editable,
            )
            for distribution, version, namespace, package, editable in self._snapshot.packs
        )

    @property
    def problems(self) -> tuple[PackProblem, ...]:
        """What is wrong with packs; most have no usable node types because of it.

        What is wrong with plugins is known once they were asked for something.
        """
        return tuple(problem for _, problem in self._problems())

    @property
    def denied(self) -> dict[str, str]:
        """Namespace → distribution of the packs that the settings keep from loading."""
        return dict(self._snapshot.denied)

    def rows(self) -> list[TypeRow]:
        """The newest version of every node type, sorted by id."""
        packs = self._snapshot.packs
        rows = [
            TypeRow._make([*row[:6], packs[row[6]][0], False])
            for row in self._snapshot.rows
            if self._newest[row[0]] == row[1]
        ]
        for node_type, _ in self._local.values():
            if self._newest[node_type.id] == node_type.version:
                rows.append(_row_of(node_type, node_type.namespace))
        made = self._made()
        newest = dict(sorted(made))
        rows += [
            _row_of(one.node_type, one.distribution, dynamic=True) for key, one in made.items() if key in newest.items()
        ]
        rows.sort()
        return rows

    def node_types(self) -> Iterator[tuple[NodeType, str]]:
        """Every version of every node type, each with the distribution that brings it; sorted by id and version."""
        for type_id, version in sorted({**self._rows, **self._local, **self._made()}):
            node_type = self.get(type_id, version)
            if node_type is not None:
                yield node_type, self._pack_of((type_id, version))

    def type_ids(self) -> list[str]:
        """The ids of all node types, sorted."""
        return sorted({*self._newest, *(type_id for type_id, _ in self._made())})

    def get(self, type_id: str, version: int | None = None) -> NodeType | None:
        """The node type of that id and version, None when there is none; its newest version by default."""
        if type_id not in self._newest:
            return self._get_dynamic(type_id, version)
        key = (type_id, self._newest[type_id] if version is None else version)
        if key in self._local:
            return self._local[key][0]
        index = self._rows.get(key)
        if index is None:
            return None
        node_type = self._node_types.get(index)
        if node_type is None:
            from flowcore.nodes import NodeType

            # It was read without a problem before it came into the snapshot.
            node_type = self._node_types[index] = NodeType.read(json.loads(self._snapshot.entries[index]), "", [])
        return node_type

    def replacing(self, type_id: str) -> list[NodeType]:
        """The newest versions of the types that say they replace this one, sorted by id.

        Looks through all catalogs: for types that are not here, or not to be used any more.
        """
        named = json.dumps(type_id).encode()
        found = []
        for (candidate, version), index in self._rows.items():
            # The bytes first: nearly no entry names it, and parsing all of them is dear.
            if version == self._newest[candidate] and named in self._snapshot.entries[index]:
                found.append(self.get(candidate))
        found += [self.get(candidate) for candidate, version in self._local if version == self._newest[candidate]]
        replacing = [node_type for node_type in found if node_type is not None and type_id in node_type.replaces]
        return sorted(replacing, key=lambda node_type: node_type.id)

    def load(self, node_type: NodeType) -> Definition:
        """The code of a node type, imported at the first call; what it prints meanwhile goes to stderr.

        Raises PackError when its module cannot be imported, or has no such node: the catalog of the pack
        lies.
        """
        key = (node_type.id, node_type.version)
        if key in self._local:
            return self._local[key][1]
        if node_type.id not in self._newest and key in (made := self._made()):
            return made[key].definition
        definition = self._definitions.get(key)
        if definition is None:
            from flowruntime.registry.loading import load_definition

            definition = self._definitions[key] = load_definition(node_type, self._pack_of(key))
        return definition

    def explain_missing(self, type_id: str) -> str:
        """What to do about a node type that is not here: install its pack, or mend what is wrong with it."""
        from flowcore.packs import LOCAL_NAMESPACE

        namespace, dot, name = type_id.partition(".")
        if not dot or not name:
            return "A node type is named by its pack and its name, as in 'debug.log'; `flow nodes` lists them."
        if namespace == LOCAL_NAMESPACE:
            return "Give the file that defines it: --nodes FILE, or Runtime(nodes=[…])."
        if len(replacing := self.replacing(type_id)) == 1:
            return f"`flow upgrade FILE --write` puts {replacing[0].id!r} in its place."
        told = [str(problem) for owner, problem in self._problems() if owner == namespace]
        if told:
            return f"Its pack is not usable as it is: {' '.join(told)}"
        if namespace in self._plugged:
            maker = self._plugged[namespace]
            return f"{maker} makes no such type at present; `flow nodes {namespace}` lists those that there are."
        for pack, version, owner, *_ in self._snapshot.packs:
            if owner == namespace:
                return f"The pack {pack} {version} has no such type; `flow nodes {namespace}` lists what it has."
        if namespace in self._snapshot.denied:
            pack = self._snapshot.denied[namespace]
            return (
                f"The pack {pack} is kept from loading: see `allow`, `deny` and `safe_mode` under [packs] in flow.toml."
            )
        return f"Install the pack that brings it: pip install flownodes-{namespace.replace('_', '-')}"

    def _problems(self) -> list[tuple[str, PackProblem]]:
        """The problems, each with the namespace that it concerns."""
        known = [] if self._dynamic is None else self._dynamic.problems()
        if not self._snapshot.problems:
            return known
        from flowcore.packs import PackProblem

        return known + [
            (namespace, PackProblem(pack=pack, stage=stage, code=code, message=message, remedy=remedy))
            for namespace, pack, stage, code, message, remedy in self._snapshot.problems
        ]

    def _plugins(self) -> DynamicTypes | None:
        """The plugins as makers of node types, None when there are none. Imports none of them."""
        if self._dynamic is None and self._snapshot.plugins:
            from flowruntime.hooks import points_of
            from flowruntime.registry.dynamic import DynamicTypes

            in_catalogs = {row[0] for row in self._snapshot.rows}
            self._dynamic = DynamicTypes(points_of(self._snapshot.plugins), in_catalogs.__contains__)
        return self._dynamic

    def _made(self) -> dict[tuple[str, int], Dynamic]:
        """The node types that plugins make."""
        plugins = self._plugins()
        return {} if plugins is None else plugins.types()

    def _get_dynamic(self, type_id: str, version: int | None) -> NodeType | None:
        if type_id.partition(".")[0] not in self._plugged:
            return None
        made = self._made()
        versions = [version for other, version in made if other == type_id]
        one = made.get((type_id, max(versions, default=0) if version is None else version))
        return None if one is None else one.node_type

    def _pack_of(self, key: tuple[str, int]) -> str:
        """The distribution of a type; its namespace when the type is not from here."""
        index = self._rows.get(key)
        if key[0] not in self._newest and key in (made := self._made()):
            return made[key].distribution
        if index is None:
            return key[0].partition(".")[0]
        distribution: str = self._snapshot.packs[self._snapshot.rows[index][6]][0]
        return distribution


def _rules_of(snapshot: Snapshot) -> Rules:
    allow, deny, safe_mode = snapshot.rules
    return Rules(allow=allow, deny=deny, safe_mode=safe_mode)


def _row_of(node_type: NodeType, pack: str, *, dynamic: bool = False) -> TypeRow:
    return TypeRow(
        id=node_type.id,
        version=node_type.version,
        title=node_type.title,
        description=node_type.description,
        category=node_type.category,
        stability=node_type.standing,
        pack=pack,
        dynamic=dynamic,
    )
