"""Makes node types of functions, classes and modules that are given as objects: the namespace `local`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TypeAlias

from flowcore.errors import InstallationError
from flowcore.nodes import NodeType
from flowcore.packs import LOCAL_NAMESPACE

from flowruntime.authoring import Definition, definition_of
from flowruntime.registry.collecting import definitions_in

__all__ = ["LocalTypes", "add_local"]

#: Node types given as objects, by id and version.
LocalTypes: TypeAlias = dict[tuple[str, int], tuple[NodeType, Definition]]


def add_local(known: LocalTypes, nodes: Iterable[object]) -> LocalTypes:
    """The known ones and those of decorated functions, classes, and modules that define some.

    The same object may come twice. Raises InstallationError for what is no node, has an id in another
    namespace, makes no node type, or has the id and version of another one.
    """
    types = dict(known)
    for definition in (definition for given in nodes for definition in _definitions(given)):
        node_type = _node_type(definition)
        other_type, other = types.setdefault((node_type.id, node_type.version), (node_type, definition))
        if other is not definition:
            raise InstallationError(
                f"{other_type.implementation} and {node_type.implementation} both declare the node type"
                f" {node_type.id!r}, version {node_type.version}.",
                code="local.duplicate",
                remedy="Rename one, or give it another version.",
            )
    return types


def _definitions(given: object) -> Iterator[Definition]:
    if isinstance(given, ModuleType):
        found = [definition for _, definition in definitions_in(given)]
        what = f"The module {given.__name__!r} defines no node."
    else:
        definition = definition_of(given)
        found = [] if definition is None else [definition]
        what = f"{given!r:.200} is no node."
    if not found:
        raise InstallationError(what, code="local.no_node", remedy="Decorate a function with @node.")
    yield from found


def _node_type(definition: Definition) -> NodeType:
    target = definition.target
    place = f"{target.__module__}:{target.__qualname__}"
    namespace, dot, name = definition.id.partition(".")
    if not dot:
        namespace, name = LOCAL_NAMESPACE, namespace
    if namespace != LOCAL_NAMESPACE or not name:
        raise InstallationError(
            f"{place} declares the node type {definition.id!r}: the namespace {namespace!r} is for packs.",
            code="local.namespace",
            remedy=f"Write @node({name or target.__name__!r}), without a namespace.",
        )
    try:
        return definition.node_type(type_id=f"{LOCAL_NAMESPACE}.{name}", implementation=place)
    except Exception as error:  # the declaration's own classes and annotations are run for its schemas
        raise InstallationError(
            f"{place} makes no node type: {error}",
            code="local.declaration",
            remedy="Correct its signature, or what @node says about it.",
        ) from error
