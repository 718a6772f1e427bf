"""`flow pack new NAME`: writes a pack that works, or one more node into a pack that is there."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from flowcore.values import write_json
from flowruntime.registry import Registry

from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.scaffold import Names, PackFolder, add_node, find_pack, read_names, write_pack
from flowcli.terminal import say, write_data
from flowcli.usage import UsageError

__all__ = ["OPTIONS", "USAGE", "add", "run"]

USAGE = (
    "flow pack new NAME [--node NODE] [--output DIR] [--json]",
    "flow pack new --node NODE [--json]",
)
OPTIONS = ("node", "output")


def add(parser: Parser) -> None:
    """Add the options of this task, but for `--json`."""
    group = parser.add_argument_group("new")
    group.add_argument("--node", metavar="NODE", help="the name of the node (hello); in a pack, of one more")
    group.add_argument("--output", metavar="DIR", help="where the folder of the pack is made (.)")


def run(arguments: argparse.Namespace) -> int:
    """Write a pack, or a node. Raises UsageError for names that cannot be had, and then writes nothing."""
    names: list[str] = arguments.names
    if len(names) > 1 or (not names and arguments.node is None):
        raise UsageError(
            "`flow pack new` takes one name.",
            remedy="Write flow pack new NAME for a new pack, or flow pack new --node NODE in the folder of one.",
        )
    parent = Path(arguments.output or ".")
    if not names:
        pack = find_pack(parent)
        if pack is None:
            raise UsageError(
                f"There is no pack in {str(parent.absolute())!r} that the node could be added to.",
                code="pack.no_project",
                remedy=f"Go to the folder of one, or make one: flow pack new NAME --node {arguments.node}",
            )
        return _added(pack, arguments.node, as_json=arguments.json)
    made = read_names(names[0], arguments.node)
    target = parent / made.distribution
    if arguments.node is not None and (target / "pyproject.toml").is_file():
        pack = find_pack(target)
        if pack is not None:
            return _added(pack, arguments.node, as_json=arguments.json)
    _refuse_taken(made)
    folder = write_pack(made, parent)
    if arguments.json:
        files = sorted(os.path.relpath(file) for file in folder.rglob("*") if file.is_file())
        write_data(write_json({"folder": os.path.relpath(folder), "type": made.type, "files": files}, indent=2) + "\n")
        return SUCCESS
    place = shlex.quote(os.path.relpath(folder))
    say(
        f"Wrote {place}/ with the node type {made.type}, its tests and its page. Install it and run its example:\n"
        f"  pip install -e {place}\n"
        f"  flow run {place}/examples/{made.node}.json"
    )
    return SUCCESS


def _added(pack: PackFolder, node: str, *, as_json: bool) -> int:
    names = pack.names_of(node)
    files = [os.path.relpath(file) for file in add_node(pack, names)]
    if as_json:
        folder = os.path.relpath(pack.folder)
        write_data(write_json({"folder": folder, "type": names.type, "files": sorted(files)}, indent=2) + "\n")
    else:
        say(f"Added the node type {names.type} to {pack.distribution}, and wrote its catalog anew:")
        say("\n".join(f"  {file}" for file in files))
    return SUCCESS


def _refuse_taken(names: Names) -> None:
    """Raise UsageError when an installed pack has the namespace: of two packs with one neither would load."""
    for pack in Registry.discover().packs:
        if pack.namespace == names.namespace:
            raise UsageError(
                f"The namespace {names.namespace!r} belongs to the installed pack {pack.distribution!r}.",
                code="pack.taken",
                remedy=f"Choose another name, or uninstall it: flow pack remove {pack.distribution}",
            )
