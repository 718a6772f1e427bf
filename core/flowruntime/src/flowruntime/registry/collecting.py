"""Makes the catalog of a package by importing all of it and collecting what `@node` has marked."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType

from flowcore.errors import PackError
from flowcore.nodes import NodeType
from flowcore.packs import Catalog

from flowruntime.authoring import Definition, definition_of
from flowruntime.registry.importing import ImportFailed, run_import

__all__ = ["catalog_of", "definitions_in"]


def catalog_of(package: str, namespace: str, *, pack: str | None = None) -> Catalog:
    """The catalog of an importable package, from its code: every public name of every module that is a node.

    Imports the package and all modules in it, but no `__main__`. `pack` is how errors call the pack, the
    package's name by default. Raises PackError when the code cannot be imported, declares no node, one
    outside of the namespace, one id and version twice, or one whose signature makes no node type.
    """
    pack = pack or package
    try:
        modules = run_import(lambda: list(_modules(package)), module=package)
    except ImportFailed as failed:
        raise PackError(
            f"The package {package!r} cannot be imported: {failed.reason}.",
            pack=pack,
            code=f"inspect.{failed.kind}",
            remedy="Install what it needs." if failed.missing else "Correct the code there.",
        ) from failed
    found: dict[tuple[str, int], NodeType] = {}
    for module in modules:
        for name, definition in definitions_in(module):
            node_type = _node_type(definition, f"{module.__name__}:{name}", namespace, pack)
            other = found.setdefault((node_type.id, node_type.version), node_type)
            if other is not node_type:
                raise PackError(
                    f"{other.implementation} and {node_type.implementation} both declare the node type"
                    f" {node_type.id!r}, version {node_type.version}.",
                    pack=pack,
                    code="inspect.duplicate",
                    remedy="Rename one, or give it another version.",
                )
    if not found:
        raise PackError(
            f"The package {package!r} has no node type.",
            pack=pack,
            code="inspect.empty",
            remedy=f"Decorate a function with @node('{namespace}.name'); its own name must be public.",
        )
    return Catalog(namespace=namespace, types=tuple(found[key] for key in sorted(found)))


def definitions_in(module: ModuleType) -> Iterator[tuple[str, Definition]]:
    """The public names of a module that are nodes and were defined there, not imported from elsewhere."""
    seen: set[int] = set()
    for name, value in list(vars(module).items()):
        # Of other objects no attribute is asked: a lazy proxy may raise anything.
        if name.startswith("_") or not isinstance(value, FunctionType | type) or id(value) in seen:
            continue
        definition = definition_of(value)
        if definition is not None and value.__module__ == module.__name__:
            seen.add(id(value))
            yield name, definition


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for info in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."):
        if info.name.rpartition(".")[2] != "__main__":  # importing it would run the program
            yield importlib.import_module(info.name)


def _node_type(definition: Definition, implementation: str, namespace: str, pack: str) -> NodeType:
    first, _, rest = definition.id.partition(".")
    if first != namespace or not rest:
        raise PackError(
            f"{implementation} declares the node type {definition.id!r}, which is not in the pack's namespace"
            f" {namespace!r}.",
            pack=pack,
            code="inspect.namespace",
            remedy=f"Write @node('{namespace}.{rest or first}').",
        )
    try:
        return definition.node_type(type_id=definition.id, implementation=implementation)
    except Exception as error:  # the declaration's own classes and annotations are run for its schemas
        raise PackError(
            f"{implementation} makes no node type: {error}",
            pack=pack,
            code="inspect.declaration",
            remedy="Correct its signature, or what @node says about it.",
        ) from error
