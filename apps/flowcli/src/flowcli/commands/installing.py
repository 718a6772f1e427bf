"""`flow pack install|remove|update`: changes which packs are installed, after a look at what would change."""

from __future__ import annotations

import argparse
import site
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowcore.errors import InstallationError
from flowcore.packs import PackProblem
from flowcore.values import write_json
from flowruntime.permits import normalized
from flowruntime.registry import Registry, probe_pack

from flowcli.exit_codes import SUCCESS, UNUSABLE
from flowcli.installer.installed import Distribution, installed_distributions, is_foreign
from flowcli.installer.planning import Plan, held_back, plan_installation
from flowcli.installer.reasons import explain
from flowcli.installer.removing import packs_to_remove
from flowcli.installer.staging import check_before_keeping
from flowcli.installer.tools import Change, Request, ToolFailed, find_tool
from flowcli.installer.wanted import Wanted, read_editable, read_wanted
from flowcli.parser import Parser
from flowcli.terminal import is_lively, printable, say, styled, write_data
from flowcli.usage import UsageError

__all__ = ["TASKS", "USAGE", "add", "run"]

#: The tasks of `flow pack` that are done here, and what each is for.
TASKS: Final = {
    "install": "install packs",
    "update": "bring installed packs to their newest versions",
    "remove": "remove installed packs",
}
USAGE: Final = (
    "flow pack install NAME…|FILE|[-e] DIR|URL [--upgrade] [--offline] [--find-links DIR] [--dry-run] [--yes] [--json]",
    "flow pack update [NAME…] [--offline] [--find-links DIR] [--dry-run] [--yes] [--json]",
    "flow pack remove NAME… [--dry-run] [--yes] [--json]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came of a task."""

    tool: str
    before: Registry
    after: Registry
    changes: Sequence[Change] = ()
    problems: Sequence[PackProblem] = ()
    #: The changes were made, and not only shown.
    done: bool = True


def add(parser: Parser) -> None:
    """Add the options of these tasks, but for `--json`."""
    group = parser.add_argument_group("install, update, remove")
    group.add_argument(
        "-e",
        "--editable",
        metavar="DIR",
        action="append",
        default=[],
        help="install: a pack's folder, whose sources count as they are; may come several times",
    )
    group.add_argument("--upgrade", action="store_true", help="take newer versions of what is installed already")
    group.add_argument("--offline", action="store_true", help="ask no index")
    group.add_argument(
        "--find-links", metavar="DIR", action="append", default=[], help="a folder of wheels; may come several times"
    )
    group.add_argument("--dry-run", action="store_true", help="only say what would change")
    group.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Do the task that `arguments.task` names to what `arguments.names` lists."""
    names: Sequence[str] = arguments.names
    if arguments.editable and arguments.task != "install":
        raise UsageError(
            f"`flow pack {arguments.task}` does not take '--editable'.", remedy="It belongs to `flow pack install`."
        )
    if not names and not arguments.editable and arguments.task != "update":
        raise UsageError(
            f"`flow pack {arguments.task}` takes the names of packs.",
            remedy=f"Write flow pack {arguments.task} flownodes-acme; `flow packs` lists what is installed.",
        )
    if arguments.task == "remove":
        return _remove(arguments, names)
    installed = installed_distributions()
    if not names and arguments.task == "update":
        names = sorted(pack.name for pack in installed.values() if is_foreign(pack) and not _is_ours(pack, installed))
        if not names:
            say("There are no packs to update: those of Flownodes itself are updated with it.")
            registry = Registry.discover()
            return _told(arguments, _Outcome(tool=find_tool().name, before=registry, after=registry))
    elif arguments.task == "update":
        names = [_installed_name(name, installed) for name in names]
    wanted = [*map(read_wanted, names), *map(read_editable, arguments.editable)]
    return _install(arguments, wanted, installed)


# --- install and update --------------------------------------------------------------------------


def _install(arguments: argparse.Namespace, wanted: Sequence[Wanted], installed: dict[str, Distribution]) -> int:
    for one in wanted:
        if one.key in installed and installed[one.key].is_core:
            raise InstallationError(
                f"{one.name} is a part of `flow` itself, which no command of it may move.",
                code="install.core",
                remedy="Update Flownodes with the tool that installed it: pip install --upgrade flownodes",
            )
    tool = find_tool()
    upgrade = arguments.upgrade or arguments.task == "update"
    request = Request(
        requirements=tuple(one.requirement for one in wanted if not one.is_editable),
        editables=tuple(one.requirement for one in wanted if one.is_editable),
        upgrade=tuple(one.name for one in wanted) if upgrade else (),
        find_links=tuple(_folder(word) for word in arguments.find_links),
        offline=arguments.offline,
    )
    before = Registry.discover()
    if is_lively():
        say(f"Asking {tool.name} what would change …")
    try:
        plan = plan_installation(tool, wanted, request, installed)
    except InstallationError as error:
        _point_to_folders(error, wanted)
        raise
    if not plan.changes:
        for line in held_back(tool, wanted, plan) if upgrade else ():
            say(line)
        say("Nothing to do: all of it is installed already.")
        return _told(arguments, _Outcome(tool=tool.name, before=before, after=before))
    names = " and ".join(one.name for one in wanted)
    try:
        check_before_keeping(tool, plan, wanted, before)
        if not _agreed(arguments, plan.changes):
            return _told(
                arguments, _Outcome(tool=tool.name, before=before, after=before, changes=plan.changes, done=False)
            )
        tool.install(plan.agreed)
    except ToolFailed as failed:
        raise explain(failed, f"{names} cannot be installed", tool.name) from failed
    if plan.request.editables:
        # Where their sources are stands in files that Python reads at its start.
        site.addsitedir(sysconfig.get_path("purelib"))
    after = Registry.discover()
    problems = _new_problems(before, after, plan)
    return _told(
        arguments, _Outcome(tool=tool.name, before=before, after=after, changes=plan.changes, problems=problems)
    )


def _point_to_folders(error: InstallationError, wanted: Sequence[Wanted]) -> None:
    """Raise the error with another remedy where a folder here has the name of what no index has."""
    folders = [one.name for one in wanted if not one.is_direct and Path(one.name, "pyproject.toml").is_file()]
    if error.code == "install.not_found" and folders:
        remedy = f"There is a folder of that name here: flow pack install ./{folders[0]}"
        raise InstallationError(error.message, code=error.code, remedy=remedy) from error


def _folder(word: str) -> Path:
    path = Path(word)
    if not path.is_dir():
        raise UsageError(f"There is no folder {word!r}.", code="file.missing", remedy="Check what --find-links names.")
    return path.absolute()


def _installed_name(name: str, installed: dict[str, Distribution]) -> str:
    found = installed.get(normalized(name))
    if found is None:
        raise UsageError(
            f"The pack {name!r} is not installed.",
            code="update.unknown",
            remedy=f"Install it: flow pack install {name}",
        )
    if found.origin.startswith("editable"):
        raise InstallationError(
            f"{found.name} is installed editable ({found.origin.removeprefix('editable ')}).",
            code="update.editable",
            remedy="It is what its sources are: update those.",
        )
    return found.name


def _is_ours(pack: Distribution, installed: dict[str, Distribution]) -> bool:
    bundle = installed.get("flownodes")
    return bundle is not None and normalized(pack.name) in bundle.requires


def _new_problems(before: Registry, after: Registry, plan: Plan) -> list[PackProblem]:
    """What is wrong since the installation: with the packs that changed, their code included."""
    changed = {normalized(change.name) for change in plan.changes}
    problems = [problem for problem in after.problems if problem not in before.problems]
    told = {problem.pack for problem in problems}
    for pack in after.packs:
        if normalized(pack.distribution) in changed and pack.distribution not in told:
            problem = probe_pack(pack)
            problems += [problem] if problem is not None else []
    return problems


# --- remove --------------------------------------------------------------------------------------


def _remove(arguments: argparse.Namespace, names: Sequence[str]) -> int:
    before = Registry.discover()
    going = packs_to_remove(names, installed_distributions(), before)
    tool = find_tool()
    changes = tuple(Change(pack.name, pack.version, None) for pack in going)
    gone = {normalized(pack.name) for pack in going}
    if types := [row.id for row in before.rows() if normalized(row.pack) in gone]:
        say(f"Workflows with {_listed(types)} will not run any more.")
    if not _agreed(arguments, changes):
        return _told(arguments, _Outcome(tool=tool.name, before=before, after=before, changes=changes, done=False))
    try:
        tool.remove([pack.name for pack in going])
    except ToolFailed as failed:
        raise explain(failed, f"{' and '.join(names)} cannot be removed", tool.name) from failed
    after = Registry.discover()
    problems = [problem for problem in after.problems if problem not in before.problems]
    return _told(arguments, _Outcome(tool=tool.name, before=before, after=after, changes=changes, problems=problems))


# --- asking and telling --------------------------------------------------------------------------


def _agreed(arguments: argparse.Namespace, changes: Sequence[Change]) -> bool:
    """Show what would change; whether it shall be done. Raises UsageError when nobody can be asked."""
    say("\n".join(f"  {printable(_line(change))}" for change in changes))
    if arguments.dry_run or arguments.yes:
        return not arguments.dry_run
    if not sys.stdin.isatty():
        raise UsageError(
            "Nothing was changed: there is no terminal to ask at.",
            code="install.unconfirmed",
            remedy="Add --yes to do it, or --dry-run to only see it.",
        )
    sys.stderr.write("Do it? [Y/n] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if answer.strip().lower() in ("", "y", "yes") and answer:
        return True
    say("Nothing was changed.")
    return False


def _line(change: Change) -> str:
    if change.before is None:
        return f"+ {change.name} {change.after}"
    if change.after is None:
        return f"- {change.name} {change.before}"
    return f"~ {change.name} {change.before} → {change.after}"


def _told(arguments: argparse.Namespace, outcome: _Outcome) -> int:
    """Tell it; UNUSABLE when it brought problems."""
    known, there = set(outcome.before.type_ids()), set(outcome.after.type_ids())
    new, gone = sorted(there - known), sorted(known - there)
    if arguments.json:
        answer: dict[str, Any] = {
            "changes": [change._asdict() for change in outcome.changes],
            "done": outcome.done,
            "tool": outcome.tool,
            "new_types": new,
            "removed_types": gone,
            "problems": [problem.to_json() for problem in outcome.problems],
        }
        write_data(write_json(answer, indent=2) + "\n")
    elif outcome.done and outcome.changes:
        lines = [f"New node types: {', '.join(new)}"] * bool(new) + [f"Gone: {', '.join(gone)}"] * bool(gone)
        write_data("".join(f"{printable(line)}\n" for line in lines or ["Done; the node types are the same."]))
    elif arguments.dry_run and outcome.changes:
        say("Nothing was changed: this was a dry run.")
    for problem in outcome.problems:
        say(f"{styled('broken:', 'yellow')} {printable(str(problem))}")
    broken = {normalized(problem.pack) for problem in outcome.problems}
    for change in outcome.changes:
        if normalized(change.name) in broken and change.before and change.after and "://" not in change.before:
            say(f"To go back: flow pack install {change.name}=={change.before}")
    for pack in _kept_out(outcome.after, outcome.changes):
        say(f"{styled('kept out:', 'yellow')} {pack} does not load: see [packs] in flow.toml.")
    return UNUSABLE if outcome.problems else SUCCESS


def _kept_out(registry: Registry, changes: Sequence[Change]) -> list[str]:
    changed = {normalized(change.name) for change in changes}
    return sorted({pack for pack in registry.denied.values() if normalized(pack) in changed})


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:4])} and {len(names) - 4} more"  # noqa: PLR2004
