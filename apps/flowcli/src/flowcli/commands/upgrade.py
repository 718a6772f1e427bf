"""`flow upgrade FILE …`: brings workflows to the newest versions of their node types."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from flowcore.errors import Problem
from flowcore.values import write_json
from flowruntime.plan import SchemaCache
from flowruntime.registry import Registry
from flowruntime.upgrading import Change, Upgraded, upgrade_document

from flowcli.errors import problem_line
from flowcli.exit_codes import FAILED, SUCCESS, WRONG
from flowcli.local_nodes import read_nodes
from flowcli.parser import Parser
from flowcli.sources import STDIN, read_source
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Add what `flow upgrade` takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a workflow")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--check", action="store_true", help="write nothing; fail when something would change")
    ways.add_argument("--write", action="store_true", help="write the upgraded workflows into their files")
    parser.add_argument("--pin", action="store_true", help="write the version of each node that has none, too")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Upgrade them; a file is written whole, or stays as it is. FAILED when something is left to do."""
    if STDIN in arguments.files:
        raise UsageError("`flow upgrade` changes files, and stdin is none.", remedy="Name a file.")
    # What the code of packs prints must not get between the data.
    with contextlib.redirect_stdout(sys.stderr):
        registry = Registry.discover().with_local(read_nodes(arguments.nodes))
        schemas = SchemaCache()
        done = {}
        for file in dict.fromkeys(arguments.files):
            source, done[file] = _upgrade(file, registry, schemas, pin=arguments.pin)
            if arguments.write and done[file].changes and not done[file].problems:
                _write(file, source, done[file].text)
    if arguments.json:
        listed = [_entry(file, upgraded, written=arguments.write) for file, upgraded in done.items()]
        write_data(write_json({"files": listed}, indent=2) + "\n")
    else:
        for file, upgraded in done.items():
            write_data("".join(f"{line}\n" for line in _lines(file, upgraded)))
        _tell(done, check=arguments.check)
    return _exit_code(done, check=arguments.check)


def _upgrade(file: str, registry: Registry, schemas: SchemaCache, *, pin: bool) -> tuple[bytes, Upgraded]:
    """What the file holds, and what becomes of it."""
    try:
        source = read_source(file, what="workflow")
    except UsageError as error:
        problem = Problem(code=error.code, pointer="", message=error.message, remedy=error.remedy)
        return b"", Upgraded(text="", problems=(problem,), readable=False)
    return source, upgrade_document(source, registry, schemas, pin=pin)


def _write(file: str, source: bytes, text: str) -> None:
    """Put the text into the file's place at once: whoever reads it meanwhile gets the old one or the new one.

    Raises UsageError when it cannot be written, or no longer holds the `source` that was upgraded.
    """
    place = Path(file).resolve()  # of a link, the file that it leads to
    unfinished: str | None = None
    try:
        # Nobody else may read it until it has the permissions of the file.
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{place.name[:100]}.upgrade-", dir=place.parent)
        with os.fdopen(descriptor, "wb") as new:
            new.write(text.encode())
            new.flush()
            os.fsync(descriptor)  # or a power failure may leave an empty file
        Path(unfinished).chmod(place.stat().st_mode & 0o7777)
        if place.read_bytes() != source:  # migrating takes its time
            raise UsageError(
                f"The file {file!r} was changed by somebody else while it was upgraded.",
                code="file.changed",
                remedy="Upgrade it again; files named before it have been upgraded.",
            )
        Path(unfinished).replace(place)
        unfinished = None
    except OSError as error:
        raise UsageError(
            f"The file {file!r} cannot be written: {error.strerror}.",
            code="file.unwritable",
            remedy="Make its folder writable; files named before it have been upgraded.",
        ) from error
    finally:
        if unfinished is not None:
            Path(unfinished).unlink(missing_ok=True)


def _lines(file: str, upgraded: Upgraded) -> list[str]:
    lines = [printable(f"{file}:{change.pointer}: {_words(change)}") for change in upgraded.changes]
    lines += [problem_line(problem, file=file) for problem in upgraded.problems]
    return lines or [f"{printable(file)}: up to date"]


def _words(change: Change) -> str:
    old = change.old_type if change.old_version is None else f"{change.old_type} v{change.old_version}"
    return f"{change.node_id}: {old} → {change.new_type} v{change.new_version}"


def _entry(file: str, upgraded: Upgraded, *, written: bool) -> dict[str, Any]:
    return {
        "file": file,
        "up_to_date": not upgraded.changes and not upgraded.problems,
        "written": written and bool(upgraded.changes) and not upgraded.problems,
        "changes": [change.to_json() for change in upgraded.changes],
        "problems": [problem.to_json() for problem in upgraded.problems],
    }


def _tell(done: dict[str, Upgraded], *, check: bool) -> None:
    failed = sum(1 for upgraded in done.values() if upgraded.problems)
    changed = sum(1 for upgraded in done.values() if upgraded.changes and not upgraded.problems)
    if changed:
        say(f"{'To be upgraded' if check else 'Upgraded'}: {changed} of {_count(done)}.")
    if failed:
        say(f"Not to be upgraded as they are: {failed} of {_count(done)}; nothing was written into them.")


def _count(done: dict[str, Upgraded]) -> str:
    return f"{len(done)} {'file' if len(done) == 1 else 'files'}"


def _exit_code(done: dict[str, Upgraded], *, check: bool) -> int:
    if not all(upgraded.readable for upgraded in done.values()):
        return WRONG
    left = any(upgraded.problems or (check and upgraded.changes) for upgraded in done.values())
    return FAILED if left else SUCCESS
