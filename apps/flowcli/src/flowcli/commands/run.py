"""`flow run FILE|NAME`: runs a workflow to its end, with live progress for people or events for programs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
from flowcore.documents import write_workflow
from flowcore.errors import Problem, StoreError, WorkflowInvalid
from flowcore.values import write_json
from flowcore.workflows import Workflow
from flowruntime.plan import Plan
from flowruntime.runtime import Document, Runtime, embed_files
from flowruntime.stores import MEMORY, default_url

from flowcli.databases import default_words
from flowcli.errors import problem_line
from flowcli.given import read_inputs, with_vars
from flowcli.library import names_in, open_library
from flowcli.local_nodes import read_nodes
from flowcli.outcome import tell_outcome
from flowcli.parser import Parser
from flowcli.running import Chosen, own_name, run_workflow
from flowcli.sources import STDIN, folder_of, is_source, read_source
from flowcli.terminal import say, styled
from flowcli.usage import UsageError
from flowcli.watching import Form, watcher_for

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Add what `flow run` takes."""
    parser.add_argument(
        "file", metavar="FILE|NAME", help="the workflow; - reads it from stdin; its name in the library"
    )
    parser.add_argument("--input", metavar="JSON|@FILE", help="the execution inputs: '{\"name\": value}', or @FILE")
    parser.add_argument(
        "--var", metavar="NAME=VALUE", action="append", default=[], help="change a var; VALUE is JSON, else a text"
    )
    parser.add_argument("--trigger", metavar="ID", help="the trigger node that fires (the first)")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="write the whole result as JSON")
    forms.add_argument("--events", action="store_true", help="write each event as a line of JSON as it comes")
    default = default_words()
    parser.add_argument(
        "--db", metavar="URL", help=f"where the execution is kept, and the library ({default}); {MEMORY} keeps nothing"
    )
    parser.add_argument("--public-net-only", action="store_true", help="refuse nodes every address that is not public")


def run(arguments: argparse.Namespace) -> int:
    """Run it, and tell what it came to."""
    if arguments.file == STDIN and arguments.input == f"@{STDIN}":
        raise UsageError("Workflow and inputs cannot both come from stdin.", remedy="Put one into a file.")
    inputs = read_inputs(arguments.input)
    is_name, names = _look_up(arguments)
    given: bytes | dict[str, Any] = b""
    if not is_name:
        given = with_vars(read_source(arguments.file, what="workflow", others=names), arguments.var)
    form: Form = "json" if arguments.json else "events" if arguments.events else "outputs"
    data = sys.stdout

    def choose() -> Chosen:
        if is_name:
            start, workflow = _from_library(runtime, arguments)
        else:
            start = workflow = _from_file(runtime, given, arguments.file)
        return Chosen(workflow=start, watcher=watcher_for(form, workflow, data))

    # What the code of nodes prints must not get between the data.
    with contextlib.redirect_stdout(sys.stderr), _offering_memory(is_needed=is_name):
        runtime = Runtime(
            arguments.db or default_url(),
            name=own_name(),
            net="public" if arguments.public_net_only else "open",
            nodes=read_nodes(arguments.nodes),
        )
        ended = anyio.run(run_workflow, runtime, choose, inputs, arguments.trigger)
    return tell_outcome(ended, form, arguments)


@contextlib.contextmanager
def _offering_memory(*, is_needed: bool) -> Iterator[None]:
    """Say of a database that cannot be used how to do without, unless it is needed for the workflow itself."""
    try:
        yield
    except StoreError as error:
        if is_needed or not error.code.startswith("store."):
            raise
        remedy = f"{error.remedy} Or run without a database: --db {MEMORY}".lstrip()
        raise StoreError(error.message, code=error.code, remedy=remedy) from error


def _look_up(arguments: argparse.Namespace) -> tuple[bool, list[str]]:
    """Whether a workflow of the library is meant; and the names that there are in it."""
    if is_source(arguments.file):
        return False, []
    try:
        with open_library(arguments.db, read_only=True) as library:
            names = names_in(library)
            return arguments.file in names or library.find(arguments.file) is not None, names
    except StoreError as error:
        if error.code != "store.missing":
            raise
        return False, []


def _from_library(runtime: Runtime, arguments: argparse.Namespace) -> tuple[Workflow | str, Workflow]:
    """What to start, the name unless its vars are changed, and the document."""
    name = arguments.file
    document, _ = runtime.workflows.require(name)
    changed: Document = document
    if arguments.var:
        changed = with_vars(write_json(write_workflow(document)).encode(), arguments.var)
    checked = runtime.check(changed)
    workflow = _require(checked.plan, checked.problems, f"The workflow {name!r} is not valid.")
    return (workflow if arguments.var else name), workflow


def _from_file(runtime: Runtime, document: bytes | dict[str, Any], file: str) -> Workflow:
    """The workflow of a file, with the files in it."""
    embedded = embed_files(document, folder_of(file), runtime.registry)
    checked = runtime.check(embedded.document)
    name = "What came from stdin" if file == STDIN else repr(file)
    problems = embedded.with_problems(checked.problems)
    return _require(checked.plan, problems, f"{name} is no valid workflow.")


def _require(plan: Plan | None, problems: Sequence[Problem], message: str) -> Workflow:
    """The workflow, its warnings told. Raises WorkflowInvalid with all problems when it cannot run."""
    for problem in problems:
        if problem.severity == "warning":
            say(f"{styled('warning:', 'yellow')} {problem_line(problem)}")
    if plan is None:
        raise WorkflowInvalid(problems, message)
    return plan.workflow
