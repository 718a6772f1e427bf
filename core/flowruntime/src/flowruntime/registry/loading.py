"""Imports the code of node types: of a pack's type at its first use, and of a user's file of nodes."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import zlib
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path

from flowcore.errors import InstallationError, PackError
from flowcore.nodes import NodeType

from flowruntime.authoring import Definition, definition_of
from flowruntime.registry.collecting import definitions_in
from flowruntime.registry.importing import ImportFailed, run_import

__all__ = ["load_definition", "load_nodes_file"]

#: What large libraries need on slow disks; whoever asked for the node waits meanwhile.
_LIMIT_SECONDS = 30.0


def load_definition(node_type: NodeType, pack: str, *, limit_seconds: float | None = None) -> Definition:
    """The definition behind a catalog entry. `pack` is the distribution that errors name.

    The import may take `limit_seconds`, half a minute by default.

    Raises PackError when its module cannot be imported, or has no node of that id and version under that
    name.
    """
    module, _, name = node_type.implementation.partition(":")

    def import_it() -> object:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))

    limit_seconds = _LIMIT_SECONDS if limit_seconds is None else limit_seconds
    what = f"The node type {node_type.id!r} of the pack {pack!r}"
    try:
        found = run_import(import_it, module=module.partition(".")[0], limit_seconds=limit_seconds)
    except ImportFailed as failed:
        if failed.missing is not None and not f"{module}.".startswith(f"{failed.missing}."):
            remedy = f"Install what it needs: pip install --force-reinstall {pack}"
        else:
            remedy = f"Update or reinstall {pack}, or report this to its author."
        raise PackError(
            f"{what} cannot be imported: {failed.reason}.",
            pack=pack,
            code=f"import.{failed.kind}",
            remedy=remedy,
        ) from failed
    definition = definition_of(found)
    if definition is None or (definition.id, definition.version) != (node_type.id, node_type.version):
        other = "no node" if definition is None else f"{definition.id!r}, version {definition.version}"
        raise PackError(
            f"{what} is not what its catalog says: {node_type.implementation}, where its version"
            f" {node_type.version} should be, is {other}.",
            pack=pack,
            code="import.not_the_node",
            remedy=f"Update or reinstall {pack}; its author: run `flow pack build`.",
        )
    return definition


def load_nodes_file(path: Path) -> list[object]:
    """The nodes that a Python file defines, to be given to `Registry.with_local`. The file needs no package.

    It is imported under a name of its own, whatever it is called, anew at each call. Raises InstallationError
    when it is missing, cannot be imported, or defines no node.
    """
    place = path.absolute()
    if not place.is_file():
        raise InstallationError(
            f"There is no file {str(path)!r}.",
            code="nodes_file.missing",
            remedy="Check the path after --nodes.",
        )
    # The stem alone could hide a module of that name: `time.py`.
    name = f"nodes_file_{place.stem}_{zlib.crc32(bytes(place)):08x}"
    loader = SourceFileLoader(name, str(place))
    spec = ModuleSpec(name, loader, origin=str(place))
    spec.has_location = True  # the origin is a file: `__file__` gets it
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and annotations look their module up there
    try:
        run_import(lambda: loader.exec_module(module), module=name)
    except ImportFailed as failed:
        del sys.modules[name]
        remedy = (
            "Install that module, or name its folder in PYTHONPATH." if failed.missing else "Correct the file there."
        )
        raise InstallationError(
            f"The file {str(path)!r} cannot be imported: {failed.reason}.",
            code=f"nodes_file.{failed.kind}",
            remedy=remedy,
        ) from failed
    nodes: list[object] = [definition.target for _, definition in definitions_in(module)]
    if not nodes:
        del sys.modules[name]
        raise InstallationError(
            f"The file {str(path)!r} defines no node.",
            code="nodes_file.empty",
            remedy="Decorate a function in it with @node; its name must not begin with an underscore.",
        )
    return nodes
