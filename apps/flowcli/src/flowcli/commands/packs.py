"""`flow packs`: which packs are installed, where from, with how many node types, and what is wrong with them."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from flowcore.values import write_json
from flowruntime.permits import normalized
from flowruntime.registry import Registry

from flowcli.exit_codes import SUCCESS
from flowcli.installer.installed import Distribution, installed_distributions
from flowcli.parser import Parser
from flowcli.tables import table
from flowcli.terminal import data_width, printable, say, styled, write_data

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Add what `flow packs` takes."""
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """List them; what is broken or kept out is told below."""
    registry = Registry.discover()
    installed = installed_distributions()
    counts = Counter(row.id.partition(".")[0] for row in registry.rows())
    packs = [
        {**pack.to_json(), "origin": _origin(pack.distribution, installed), "types": counts[pack.namespace]}
        for pack in sorted(registry.packs, key=lambda pack: pack.namespace)
    ]
    extensions = [_extension(one) for one in installed.values() if set(one.groups) - {"flownodes"}]
    if arguments.json:
        listed: dict[str, Any] = {
            "packs": packs,
            "extensions": extensions,
            "denied": [{"namespace": name, "distribution": owner} for name, owner in sorted(registry.denied.items())],
            "problems": [problem.to_json() for problem in registry.problems],
        }
        write_data(write_json(listed, indent=2) + "\n")
        return SUCCESS
    if packs:
        head = ("namespace", "distribution", "version", "types", "from")
        rows = [
            (pack["namespace"], pack["distribution"], pack["version"], str(pack["types"]), pack["origin"])
            for pack in packs
        ]
        write_data(printable(table(head, rows, data_width())))
    else:
        say("No packs are installed. Install the basic ones: pip install flownodes")
    for one in extensions:
        say(f"also: {printable(one['distribution'])} {one['version']} brings {', '.join(one['brings'])}")
    for namespace, distribution in sorted(registry.denied.items()):
        say(f"{styled('kept out:', 'yellow')} {printable(distribution)} ({printable(namespace)}), by flow.toml")
    for problem in registry.problems:
        say(f"{styled('broken:', 'yellow')} {printable(str(problem))}")
    return SUCCESS


def _origin(name: str, installed: dict[str, Distribution]) -> str:
    found = installed.get(normalized(name))
    return found.origin if found is not None else "unknown"


def _extension(distribution: Distribution) -> dict[str, Any]:
    """What a distribution brings beside node types."""
    brings = [group.partition(".")[2] for group in distribution.groups if group != "flownodes"]
    return {"distribution": distribution.name, "version": distribution.version, "brings": brings}
