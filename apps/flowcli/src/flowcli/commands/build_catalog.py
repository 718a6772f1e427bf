"""`flow pack build [PATH]`: writes the catalog of a pack from its code, or checks that it is fresh."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from flowcore.values import write_json
from flowruntime.registry import check_catalog, write_catalog

from flowcli.exit_codes import FAILED, SUCCESS
from flowcli.parser import Parser
from flowcli.terminal import say, write_data

__all__ = ["OPTIONS", "USAGE", "add", "run"]

USAGE = ("flow pack build [DIR] [--check] [--json]",)
OPTIONS = ("check",)


def add(parser: Parser) -> None:
    """Add the options of this task, but for `--json`."""
    group = parser.add_argument_group("build")
    group.add_argument("--check", action="store_true", help="write nothing; fail when the catalog would change")


def run(arguments: argparse.Namespace, project: Path) -> int:
    """Build, or check; FAILED when a checked catalog is not what the code says."""
    return _check(project, as_json=arguments.json) if arguments.check else _build(project, as_json=arguments.json)


def _build(project: Path, *, as_json: bool) -> int:
    files = [os.path.relpath(file) for file in write_catalog(project)]
    write_data(write_json({"files": files}, indent=2) + "\n" if as_json else "".join(f"{file}\n" for file in files))
    return SUCCESS


def _check(project: Path, *, as_json: bool) -> int:
    diff = check_catalog(project)
    if as_json:
        write_data(write_json({"fresh": not diff, "diff": diff}, indent=2) + "\n")
    else:
        write_data("".join(f"{line}\n" for line in diff))
    if diff:
        say("The catalog is not what the code says. Run `flow pack build` and commit it.")
        return FAILED
    return SUCCESS
