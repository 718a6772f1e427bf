"""`flow run FILE`: runs a workflow to its end, with live progress for people or events for programs."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from typing import Any, TextIO

import anyio
from flowcore.errors import WorkflowInvalid
from flowcore.workflows import Workflow
from flowruntime.runtime import Runtime, embed_files
from flowruntime.stores import MEMORY

from flowcli.errors import InputsInvalid, problem_line
from flowcli.given import read_inputs, with_vars
from flowcli.local_nodes import read_nodes
from flowcli.outcome import Form, tell_outcome
from flowcli.parser import Parser
from flowcli.running import run_workflow
from flowcli.sources import STDIN, folder_of, read_source
from flowcli.terminal import is_lively, say, styled, write_data
from flowcli.usage import UsageError
from flowcli.watching import EventLines, PlainLines, Watcher

__all__ = ["add_arguments", "run"]

#: Keeps nothing: what is kept is of use once it can be resumed.
_DEFAULT_DB = MEMORY


def add_arguments(parser: Parser) -> None:
    """Add what `flow run` takes."""
    parser.add_argument("file", metavar="FILE", help="the workflow; - reads it from stdin")
    parser.add_argument("--input", metavar="JSON|@FILE", help="the execution inputs: '{\"name\": value}', or @FILE")
    parser.add_argument(
        "--var", metavar="NAME=VALUE", action="append", default=[], help="change a var; VALUE is JSON, else a text"
    )
    parser.add_argument("--trigger", metavar="ID", help="the trigger node that fires (the first)")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="write the whole result as JSON")
    forms.add_argument("--events", action="store_true", help="write each event as a line of JSON as it comes")
    parser.add_argument("--db", metavar="URL", default=_DEFAULT_DB, help=f"where the execution is kept ({_DEFAULT_DB})")
    parser.add_argument("--public-net-only", action="store_true", help="refuse nodes every address that is not public")


def run(arguments: argparse.Namespace) -> int:
    """Run it, and tell what it came to."""
    if arguments.file == STDIN and arguments.input == f"@{STDIN}":
        raise UsageError("Workflow and inputs cannot both come from stdin.", remedy="Put one into a file.")
    document = with_vars(read_source(arguments.file, what="workflow"), arguments.var)
    inputs = read_inputs(arguments.input)
    form: Form = "json" if arguments.json else "events" if arguments.events else "outputs"
    data = sys.stdout
    # What the code of nodes prints must not get between the data.
    with contextlib.redirect_stdout(sys.stderr):
        runtime = Runtime(
            arguments.db,
            net="public" if arguments.public_net_only else "open",
            nodes=read_nodes(arguments.nodes),
        )
        workflow = _check(runtime, document, arguments.file)
        watcher = _watcher(form, workflow, data)
        try:
            ended = anyio.run(run_workflow, runtime, workflow, inputs, arguments.trigger, watcher)
        except WorkflowInvalid as error:
            raise _start_error(error) from error
    return tell_outcome(ended, form, failures_told=watcher.tells_failures)


def _check(runtime: Runtime, document: bytes | dict[str, Any], file: str) -> Workflow:
    """The workflow, its warnings told. Raises WorkflowInvalid with all problems when it cannot run."""
    embedded = embed_files(document, folder_of(file), runtime.registry)
    checked = runtime.check(embedded.document)
    problems = embedded.with_problems(checked.problems)
    for problem in problems:
        if problem.severity == "warning":
            say(f"{styled('warning:', 'yellow')} {problem_line(problem)}")
    if checked.plan is None:
        name = "What came from stdin" if file == STDIN else repr(file)
        raise WorkflowInvalid(problems, f"{name} is no valid workflow.")
    return checked.plan.workflow


def _watcher(form: Form, workflow: Workflow, data: TextIO) -> Watcher:
    if form == "events":
        return EventLines(functools.partial(write_data, stream=data))
    if is_lively():
        from flowcli.live import LiveView  # brings rich, which is dear

        return LiveView(workflow)
    return PlainLines()


def _start_error(error: WorkflowInvalid) -> Exception:
    """Why a workflow that is valid could not be started: an unknown trigger, or inputs that do not fit it."""
    for problem in error.problems:
        if problem.code.startswith("trigger."):
            return UsageError(problem.message, code=problem.code, remedy=problem.remedy)
    return InputsInvalid(error.problems)
