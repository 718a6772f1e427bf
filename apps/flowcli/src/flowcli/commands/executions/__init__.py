"""`flow executions TASK`: looks at executions that a database keeps, and takes them up, answers and ends them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Final, NamedTuple

from flowcli.databases import default_words
from flowcli.parser import Parser
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

_STATUSES: Final = ("pending", "running", "waiting", "quarantined", "succeeded", "failed", "cancelled")
#: What a task takes that runs executions on.
_RUNNING: Final = frozenset({"accept_packs", "nodes", "allow_net"})


class _Task(NamedTuple):
    """A task: where it is done, the words it takes, and its options beside --db and --json."""

    module: str
    function: str
    words: str
    fewest: int
    #: None for any number.
    most: int | None
    options: frozenset[str]
    usage: str


_TASKS: Final = {
    "list": _Task(
        "listing",
        "run",
        "no words",
        0,
        0,
        frozenset({"status", "limit", "before"}),
        "[--status STATUS] [--limit N] [--before ID]",
    ),
    "show": _Task("showing", "run", "the id of an execution", 1, 1, frozenset(), ""),
    "events": _Task(
        "events", "run", "the id of an execution", 1, 1, frozenset({"after", "follow"}), "[--after SEQ] [--follow]"
    ),
    "resume": _Task(
        "resuming",
        "run",
        "ids of executions",
        0,
        None,
        _RUNNING | {"events"},
        "[--accept-packs] [--nodes FILE] [--allow-net HOST:PORT]",
    ),
    "answer": _Task(
        "requests",
        "answer",
        "the id of an execution, a node, and retry, fail or value=JSON",
        3,
        3,
        _RUNNING | {"events", "path", "timeout"},
        "[--path PATH] [--timeout SECONDS]",
    ),
    "signal": _Task(
        "requests",
        "signal",
        "the id of an execution, and the name of a signal",
        2,
        2,
        _RUNNING | {"events", "value", "timeout"},
        "[--value JSON|@FILE] [--timeout SECONDS]",
    ),
    "cancel": _Task("cancelling", "run", "ids of executions", 1, None, _RUNNING | {"timeout"}, "[--timeout SECONDS]"),
}
_WORDS: Final = {
    "list": "",
    "show": "ID",
    "events": "ID",
    "resume": "[ID…]",
    "answer": "ID NODE retry|fail|value=JSON",
    "signal": "ID NAME",
    "cancel": "ID…",
}
_TIMEOUT_SECONDS: Final = 5.0


def add_arguments(parser: Parser) -> None:
    """Add what `flow executions` takes."""
    parser.usage = "\n       ".join(_usage(name) for name in _TASKS)
    parser.add_argument("task", choices=tuple(_TASKS), metavar="TASK", help="list, show, events, resume, answer, …")
    parser.add_argument(
        "words", nargs="*", default=[], metavar="ID", help="an execution: its id, or how only its id begins"
    )
    parser.add_argument("--status", choices=_STATUSES, help="list only executions with this status")
    parser.add_argument("--limit", metavar="N", type=int, help="list at most so many (20)")
    parser.add_argument("--before", metavar="ID", help="list those that began before this one")
    parser.add_argument("--after", metavar="SEQ", type=int, help="events with a greater seq")
    _flag(parser, "--follow", "go on with events as they come, until the execution ends")
    parser.add_argument("--path", metavar="PATH", help="the loops and subflows that the node is in: 'loop[3]/sub'")
    parser.add_argument("--value", metavar="JSON|@FILE", help="what comes with the signal (null)")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="how long to wait for who runs it (5)")
    _flag(parser, "--accept-packs", "go on with other versions of node types than it began with")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    parser.add_argument(
        "--allow-net", metavar="HOST:PORT", action="append", help="an address that is not public, allowed all the same"
    )
    parser.add_argument("--db", metavar="URL", help=f"the database ({default_words()})")
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="write JSON; events as a line each")
    forms.add_argument(
        "--events", action="store_true", default=None, help="write each event as a line of JSON as it comes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do the task."""
    task = _TASKS[arguments.task]
    _check_usage(arguments, task)
    arguments.accept_packs = bool(arguments.accept_packs)
    if arguments.timeout is None:
        arguments.timeout = _TIMEOUT_SECONDS
    module = import_module(f"flowcli.commands.executions.{task.module}")
    function: Callable[[argparse.Namespace], int] = getattr(module, task.function)
    return function(arguments)


def _flag(parser: Parser, name: str, meaning: str) -> None:
    """An option that is None where it is not given, as all options are."""
    parser.add_argument(name, action="store_true", default=None, help=meaning)


def _usage(name: str) -> str:
    task = _TASKS[name]
    form = "[--json | --events]" if "events" in task.options else "[--json]"
    parts = ["flow executions", name, _WORDS[name], task.usage, "[--db URL]", form]
    return " ".join(part for part in parts if part)


def _check_usage(arguments: argparse.Namespace, task: _Task) -> None:
    """Raise UsageError for words and options that the task does not take."""
    name, count = arguments.task, len(arguments.words)
    if count < task.fewest or (task.most is not None and count > task.most):
        raise UsageError(f"`flow executions {name}` takes {task.words}.", remedy=f"Write {_usage(name)}.")
    if arguments.timeout is not None and not arguments.timeout >= 0:
        raise UsageError("--timeout takes seconds from 0 on.", remedy="Leave it out for 5.")
    for option in sorted({option for other in _TASKS.values() for option in other.options} - task.options):
        if getattr(arguments, option) is not None:
            raise UsageError(
                f"`flow executions {name}` does not take '--{option.replace('_', '-')}'.",
                remedy=f"Write {_usage(name)}.",
            )
