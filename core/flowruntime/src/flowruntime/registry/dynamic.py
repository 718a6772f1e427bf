"""Node types that plugins make at run time: asked for once, when somebody needs to know, never kept in a snapshot."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import NamedTuple

from flowcore.nodes import NodeType
from flowcore.packs import PackProblem

from flowruntime.authoring import Definition, definition_of
from flowruntime.hooks import Hooks, PluginPoint, hooks_at
from flowruntime.plan.schemas import SchemaCache

__all__ = ["Dynamic", "DynamicTypes", "Made", "make_types"]

_HOOK = "node_specs"


class Dynamic(NamedTuple):
    """A node type that a plugin made."""

    node_type: NodeType
    definition: Definition
    distribution: str


class Made(NamedTuple):
    """What all plugins have made, by id and version; and what is wrong, each with the namespace that it concerns."""

    types: dict[tuple[str, int], Dynamic]
    problems: list[tuple[str, PackProblem]]


class DynamicTypes:
    """The node types of plugins, which are loaded and asked at the first question. Safe from any thread."""

    def __init__(self, points: tuple[PluginPoint, ...], is_in_catalog: Callable[[str], bool]) -> None:
        self._points = points
        self._is_in_catalog = is_in_catalog
        self._lock = threading.Lock()
        self._hooks: Hooks | None = None
        self._made: Made | None = None

    @property
    def hooks(self) -> Hooks:
        """The plugins, loaded at the first call."""
        if self._hooks is None:
            self._hooks = hooks_at(self._points)
        return self._hooks

    def types(self) -> dict[tuple[str, int], Dynamic]:
        """What the plugins have made."""
        with self._lock:
            if self._made is None:
                self._made = make_types(self.hooks, self._is_in_catalog)
            return self._made.types

    def problems(self) -> list[tuple[str, PackProblem]]:
        """What is known to be wrong with the plugins, each with the namespace that it concerns (`""`: none)."""
        found = [] if self._made is None else list(self._made.problems)
        if self._hooks is not None:
            owned = {point.distribution: point.namespaces for point in self._points if point.namespaces}
            for problem in self._hooks.problems:
                found.append((next(iter(owned.get(problem.pack.partition(":")[0], ())), ""), problem))
        return found


def make_types(hooks: Hooks, is_in_catalog: Callable[[str], bool]) -> Made:
    """Ask every plugin. Never raises: whatever is wrong with what one gives is a record.

    Of two types with one id and version the first counts; an id that `is_in_catalog` belongs to the catalog.
    """
    made = Made({}, [])
    for name, given in hooks.each(_HOOK):
        read = hooks.guarded(name, f"A node type of its hook {_HOOK!r}", functools.partial(_read, given))
        if read is None:
            continue
        point, definition = hooks.points[name], read.definition
        fault = read.fault
        if read.node_type is not None and definition is not None:
            if read.namespace not in point.namespaces:
                own = ", ".join(map(repr, point.namespaces)) or "none"
                fault = f"makes the node type {definition.id!r}, which is in no namespace of its own ({own})"
            elif is_in_catalog(definition.id):
                fault = f"makes the node type {definition.id!r}, which a catalog has"
            else:
                dynamic = Dynamic(read.node_type, definition, point.distribution)
                first = made.types.setdefault((definition.id, definition.version), dynamic)
                if first.definition is not definition:
                    fault = f"makes the node type {definition.id!r}, version {definition.version}, twice"
        if fault:
            made.problems.append((read.namespace, _problem(name, fault)))
    return made


class _Read(NamedTuple):
    """A node type, or what is wrong with what should be one."""

    namespace: str
    node_type: NodeType | None = None
    definition: Definition | None = None
    fault: str = ""


def _read(given: object) -> _Read:
    definition = definition_of(given)
    if definition is None:
        return _Read("", fault=f"gives {given!r:.100}, which is no node")
    namespace, dot, name = definition.id.partition(".")
    if not dot or not name:
        return _Read("", fault=f"makes the node type {definition.id!r}, which names no namespace")
    target = definition.target
    try:
        place = f"{target.__module__}:{target.__qualname__}"
        node_type = definition.node_type(type_id=definition.id, implementation=place)
    except Exception as error:  # noqa: BLE001 - the declaration's own classes and annotations are run for its schemas
        return _Read(namespace, fault=f"declares {definition.id!r} so that it makes no node type: {error}")
    schemas, compiled = [node_type.config_schema], SchemaCache()
    schemas += [port.schema for ports in (node_type.inputs, node_type.outputs) for port in ports.ports]
    for schema in schemas:
        try:
            compiled.get(schema)
        except ValueError as error:
            return _Read(namespace, fault=f"declares {definition.id!r} with a schema that is none: {error}")
    return _Read(namespace, node_type, definition)


def _problem(name: str, fault: str) -> PackProblem:
    return PackProblem(
        pack=name,
        stage="import",
        code="hooks.spec",
        message=f"Its hook {_HOOK!r} {fault}.",
        remedy="Its author must return functions and classes under @node('namespace.name'), each of its own id.",
    )
