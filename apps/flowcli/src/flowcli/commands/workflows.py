"""`flow workflows …`: the library, in which workflows are kept by name with all their versions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.documents import differences, parse_workflow, write_workflow
from flowcore.events import timestamp_text
from flowcore.values import write_json
from flowcore.workflows import Workflow

from flowcli.databases import default_words
from flowcli.difference_lines import difference_lines
from flowcli.exit_codes import FAILED, SUCCESS
from flowcli.library import find_workflow, open_library
from flowcli.parser import Parser
from flowcli.sources import STDIN, folder_of, read_source
from flowcli.tables import table
from flowcli.terminal import data_width, printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

_MOST = 1_000_000
#: How many words each task takes, at least and at most, and the options that it alone has.
_TASKS: dict[str, tuple[int, int | None, frozenset[str]]] = {
    "add": (1, None, frozenset({"draft", "nodes"})),
    "list": (0, 0, frozenset({"limit", "after"})),
    "show": (1, 1, frozenset({"version", "versions"})),
    "remove": (1, 1, frozenset()),
    "diff": (1, 2, frozenset({"former", "later"})),
    "activate": (1, 1, frozenset()),
    "deactivate": (1, 1, frozenset()),
}
_OPTIONS = {"former": "--from", "later": "--to"}
_WORDS = {"add": "FILE…", "list": "", "diff": "ID, or A and B"}


def add_arguments(parser: Parser) -> None:
    """Add what `flow workflows` takes."""
    parser.usage = (
        "flow workflows add FILE… [--draft] [--nodes FILE] [--db URL] [--json]\n"
        "       flow workflows list [--limit N] [--after ID] [--db URL] [--json]\n"
        "       flow workflows show ID [--version N | --versions] [--db URL] [--json]\n"
        "       flow workflows remove ID [--db URL] [--json]\n"
        "       flow workflows diff A B [--db URL] [--json]\n"
        "       flow workflows diff ID [--from N] [--to M] [--db URL] [--json]\n"
        "       flow workflows activate|deactivate ID [--db URL] [--json]"
    )
    parser.add_argument("task", choices=tuple(_TASKS), metavar="TASK", help="what to do")
    parser.add_argument(
        "words", nargs="*", default=[], metavar="ID|FILE", help="the id or the name of a workflow; files to add"
    )
    parser.add_argument("--draft", action="store_true", default=None, help="add what has errors as a draft")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    parser.add_argument("--limit", metavar="N", type=int, help="list at most so many (100)")
    parser.add_argument("--after", metavar="ID", help="list those that come after this one")
    parser.add_argument("--version", metavar="N", type=int, help="show this version (the latest)")
    parser.add_argument("--versions", action="store_true", default=None, help="list all versions")
    parser.add_argument("--from", dest="former", metavar="N", type=int, help="compare this version (the one before)")
    parser.add_argument("--to", dest="later", metavar="M", type=int, help="with this one (the latest)")
    parser.add_argument("--db", metavar="URL", help=f"the database ({default_words()})")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    _check_usage(arguments)
    tasks: dict[str, Callable[[argparse.Namespace, LibraryStore], int]] = {
        "add": _add,
        "list": _list,
        "show": _show,
        "remove": _remove,
        "diff": _diff,
        "activate": _activate,
        "deactivate": _activate,
    }
    read_only = arguments.task in ("list", "show", "diff")
    if arguments.task == "diff" and len(arguments.words) == 2 and all(map(_is_file, arguments.words)):  # noqa: PLR2004
        return _tell_differences(arguments, *(_labelled_file(name) for name in arguments.words))
    with open_library(arguments.db, read_only=read_only) as library:
        return tasks[arguments.task](arguments, library)


def _check_usage(arguments: argparse.Namespace) -> None:
    task, count = arguments.task, len(arguments.words)
    least, most, own = _TASKS[task]
    if count < least or (most is not None and count > most):
        words = _WORDS.get(task, "ID")
        raise UsageError(
            f"`flow workflows {task}` takes {words or 'no words'}.",
            remedy=f"Write flow workflows {task} {words}".rstrip() + ".",
        )
    for option in {name for _, _, names in _TASKS.values() for name in names} - own:
        if getattr(arguments, option) is not None:
            written = _OPTIONS.get(option, f"--{option}")
            raise UsageError(
                f"`flow workflows {task}` does not take {written!r}.",
                remedy="`flow workflows --help` shows how it is written.",
            )
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError("--limit takes a number from 1 on.", remedy="Leave it out for 100.")
    if arguments.version is not None and arguments.versions:
        raise UsageError("--version shows one, --versions lists all.", remedy="Leave one of them out.")
    if count > 1 and not (arguments.former is arguments.later is None):
        raise UsageError("--from and --to compare versions of one workflow.", remedy="Name one only.")


def _add(arguments: argparse.Namespace, library: LibraryStore) -> int:
    from flowruntime.registry import Registry

    from flowcli.adding import add_workflows
    from flowcli.local_nodes import read_nodes

    registry = Registry.discover().with_local(read_nodes(arguments.nodes))
    return add_workflows(library, arguments.words, registry, draft=bool(arguments.draft), as_json=arguments.json)


def _list(arguments: argparse.Namespace, library: LibraryStore) -> int:
    limit = min(arguments.limit or 100, _MOST)
    # One more than asked for tells whether there are more.
    found = library.list(after=arguments.after, limit=limit + 1)
    listed = found[:limit]
    following = listed[-1].id if len(found) > len(listed) else None
    if arguments.json:
        answer = {"workflows": [_described(stored) for stored in listed], "next": following}
        write_data(write_json(answer, indent=2) + "\n")
        return SUCCESS
    if listed:
        rows = [
            (stored.id, _version(stored), _moment(stored.updated_us), _active(stored), stored.name) for stored in listed
        ]
        _write_table(("id", "version", "updated", "active", "name"), rows)
    else:
        say("There are no workflows here. `flow workflows add FILE` adds one.")
    if following is not None:
        say(f"There are more: flow workflows list --after {following!r}")
    return SUCCESS


def _show(arguments: argparse.Namespace, library: LibraryStore) -> int:
    stored = find_workflow(library, arguments.words[0], arguments.version)
    if arguments.versions:
        versions = library.versions(stored.id)
        if arguments.json:
            write_data(write_json({"versions": [_described(version) for version in versions]}, indent=2) + "\n")
        else:
            rows = [
                (_version(version), _moment(version.updated_us), version.name, version.description or "")
                for version in versions
            ]
            _write_table(("version", "updated", "name", "description"), rows)
        return SUCCESS
    document = write_workflow(_document(stored))
    shown = {**_described(stored), "workflow": document} if arguments.json else document
    write_data(write_json(shown, indent=2) + "\n")
    return SUCCESS


def _remove(arguments: argparse.Namespace, library: LibraryStore) -> int:
    stored = find_workflow(library, arguments.words[0])
    removed = library.remove(stored.id)
    return _done(arguments, stored, {"removed": removed}, f"{stored.id}: removed, with all its versions")


def _activate(arguments: argparse.Namespace, library: LibraryStore) -> int:
    active = arguments.task == "activate"
    stored = find_workflow(library, arguments.words[0])
    if active and library.find(stored.id) is None:
        raise UsageError(
            f"The workflow {stored.id!r} is a draft, and does not run.",
            code="workflow.draft",
            remedy="Correct its problems and add it again, then activate it.",
        )
    library.activate(stored.id, active=active)
    state = "on" if active else "off"
    return _done(arguments, stored, {"active": active}, f"{stored.id}: triggers are {state}")


def _done(arguments: argparse.Namespace, stored: StoredWorkflow, told: dict[str, Any], sentence: str) -> int:
    if arguments.json:
        write_data(write_json({"id": stored.id, **told}, indent=2) + "\n")
    else:
        write_data(printable(sentence) + "\n")
    return SUCCESS


def _diff(arguments: argparse.Namespace, library: LibraryStore) -> int:
    def labelled(name: str, version: int | None = None) -> tuple[str, Workflow]:
        stored = find_workflow(library, name, version)
        return f"{stored.id} version {stored.version}", _document(stored)

    if len(arguments.words) > 1:
        sides = [_labelled_file(name) if _is_file(name) else labelled(name) for name in arguments.words]
        return _tell_differences(arguments, *sides)
    (name,) = arguments.words
    later = find_workflow(library, name, arguments.later).version
    if later == 1 and arguments.former is None and not arguments.json:
        say(printable(f"There is no version of {name!r} before version 1."))
        return SUCCESS
    former = max(later - 1, 1) if arguments.former is None else arguments.former
    return _tell_differences(arguments, labelled(name, former), labelled(name, later))


def _tell_differences(arguments: argparse.Namespace, before: tuple[str, Workflow], after: tuple[str, Workflow]) -> int:
    found = differences(before[1], after[1])
    if arguments.json:
        answer = {"before": before[0], "after": after[0], "differences": [one.to_json() for one in found]}
        write_data(write_json(answer, indent=2) + "\n")
    elif found:
        say(printable(f"{before[0]} → {after[0]}"))
        write_data("".join(f"{line}\n" for line in difference_lines(found)))
    else:
        say(printable(f"{before[0]} and {after[0]} are the same."))
    return FAILED if found else SUCCESS


def _is_file(name: str) -> bool:
    return name == STDIN or Path(name).is_file()


def _labelled_file(name: str) -> tuple[str, Workflow]:
    """The workflow in a file, with the files in it, as it would be added."""
    from flowruntime.registry import Registry
    from flowruntime.runtime import embed_files

    embedded = embed_files(read_source(name, what="workflow"), folder_of(name), Registry.discover())
    label = "stdin" if name == STDIN else name
    return label, parse_workflow(embedded.document, allow_draft=True)


def _document(stored: StoredWorkflow) -> Workflow:
    assert stored.workflow is not None  # noqa: S101 - only lists leave it out
    return stored.workflow


def _described(stored: StoredWorkflow) -> dict[str, Any]:
    return {
        "id": stored.id,
        "version": stored.version,
        "name": stored.name,
        "description": stored.description,
        "draft": stored.is_draft,
        "active": stored.is_active,
        "created_at": timestamp_text(stored.created_us),
        "updated_at": timestamp_text(stored.updated_us),
    }


def _write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    clean = [[printable(cell).replace("\n", " ").replace("\t", " ") for cell in row] for row in rows]
    write_data(table(head, clean, data_width()))


def _version(stored: StoredWorkflow) -> str:
    return f"{stored.version} draft" if stored.is_draft else str(stored.version)


def _moment(at_us: int) -> str:
    return timestamp_text(at_us)[:19] + "Z"


def _active(stored: StoredWorkflow) -> str:
    return "yes" if stored.is_active else ""
