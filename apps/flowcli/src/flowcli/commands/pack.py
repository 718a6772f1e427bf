"""`flow pack TASK`: makes, checks and installs packs; each task has a module of its own."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flowcli.commands import build_catalog, installing, new_pack
from flowcli.parser import Parser
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

#: The tasks that are done here; those of `installing` are its own.
_TASKS: Final = ("new", "build", "check")
_CHECK_USAGE: Final = "flow pack check [DIR] [--json]"
#: The options that only one task takes.
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "new": new_pack.OPTIONS,
    "build": build_catalog.OPTIONS,
    "check": (),
}


def add_arguments(parser: Parser) -> None:
    """Add what `flow pack` takes."""
    usages = (*new_pack.USAGE, *build_catalog.USAGE, _CHECK_USAGE, *installing.USAGE)
    parser.usage = "\n       ".join(usages)
    parser.add_argument("task", choices=(*_TASKS, *installing.TASKS), metavar="TASK", help="what to do")
    parser.add_argument(
        "names", nargs="*", default=[], metavar="NAME", help="packs, or the folder of a pack's pyproject.toml (.)"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    new_pack.add(parser)
    build_catalog.add(parser)
    installing.add(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do the task."""
    _refuse_options_of_others(arguments)
    if arguments.task in installing.TASKS:
        return installing.run(arguments)
    if arguments.task == "new":
        return new_pack.run(arguments)
    project = _project(arguments)
    if arguments.task == "build":
        return build_catalog.run(arguments, project)
    from flowcli.commands import check_pack  # loads the engine

    return check_pack.run(arguments, project)


def _refuse_options_of_others(arguments: argparse.Namespace) -> None:
    """Raise UsageError for an option that is given and means nothing to the task."""
    for task, options in _OPTIONS.items():
        for option in options:
            if task != arguments.task and getattr(arguments, option) not in (None, False):
                raise UsageError(
                    f"`flow pack {arguments.task}` does not take '--{option}'.",
                    remedy=f"It belongs to `flow pack {task}`.",
                )


def _project(arguments: argparse.Namespace) -> Path:
    """The folder of a pack. Raises UsageError when it is none."""
    if len(arguments.names) > 1:
        raise UsageError(
            f"`flow pack {arguments.task}` takes one folder.", remedy=f"Write flow pack {arguments.task} DIR."
        )
    project = Path(arguments.names[0] if arguments.names else ".")
    if not (project / "pyproject.toml").is_file():
        raise UsageError(
            f"{str(project)!r} is no folder with a pyproject.toml.",
            code="pack.no_project",
            remedy=f"Name the folder of the pack: flow pack {arguments.task} DIR.",
        )
    return project
