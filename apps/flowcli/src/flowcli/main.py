"""The command `flow`: finds the command that is meant, runs it, and turns every error into words and an exit code.

Part of the warm path of `flow nodes`: only the module of the command that is meant is imported.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from flowcore import __version__

from flowcli.exit_codes import INTERRUPTED, SUCCESS, WRONG
from flowcli.parser import Parser
from flowcli.terminal import prepare_streams, say, write_data
from flowcli.usage import UsageError

__all__ = ["main"]

#: Each is a module of `flowcli.commands` with `add_arguments(parser)` and `run(arguments) -> exit code`.
_COMMANDS = {
    "run": "run a workflow to its end",
    "validate": "find everything that is wrong with workflows",
    "eval": "evaluate an expression",
    "nodes": "list the node types that are installed, or show one",
    "init": "write a small workflow to begin with",
    "schema": "write the JSON Schema of workflow documents",
    "upgrade": "bring workflows to the newest node types",
    "catalog": "write all that is known of the installed node types, as JSON or as pages",
    "packs": "list the packs of node types that are installed",
    "pack": "make, check, install, update and remove packs",
    "doctor": "look at the whole installation and say what is wrong",
    "workflows": "keep workflows by name, with all their versions",
    "secrets": "keep secrets for workflows, encrypted",
    "executions": "look at executions that are kept, resume, answer and cancel them",
}

#: How long threads that are ending anyway get to do so.
_LAST_MOMENT_SECONDS = 0.2


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code. Without words it is the whole process, which then has to end."""
    prepare_streams()
    code = _run(sys.argv[1:] if words is None else words)
    if words is None:
        _leave_threads_behind(code)
    return code


def _run(words: Sequence[str]) -> int:
    arguments: argparse.Namespace | None = None
    try:
        if not words or words[0] not in _COMMANDS:
            return _without_command(words)
        name = words[0]
        command = import_module(f"flowcli.commands.{name}")
        parser = Parser(prog=f"flow {name}", description=_sentence(_COMMANDS[name]))
        command.add_arguments(parser)
        arguments = parser.parse(words[1:])
        code: int = command.run(arguments)
    except SystemExit as exiting:  # argparse has printed help or the version
        return exiting.code if isinstance(exiting.code, int) else SUCCESS
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border: no traceback ever reaches a user
        from flowcli.errors import tell_error

        return tell_error(error, as_json="--json" in words if arguments is None else arguments.json)
    return code


def _without_command(words: Sequence[str]) -> int:
    parser = Parser(
        prog="flow",
        usage="flow COMMAND …",
        description="Workflows of typed nodes.",
        epilog="\n".join(
            ["commands:"]
            + [f"  {name:10} {summary}" for name, summary in _COMMANDS.items()]
            + ["", "`flow COMMAND --help` says more."]
        ),
    )
    parser.add_argument("--version", action="version", version=f"flow {__version__}")
    if words and not words[0].startswith("-"):
        from flowcore.values import did_you_mean

        remedy = did_you_mean(words[0], _COMMANDS) or f"The commands are: {', '.join(_COMMANDS)}."
        raise UsageError(f"There is no command {words[0]!r}.", code="usage.command", remedy=remedy)
    parser.parse(words)
    say(parser.format_help().rstrip())
    return WRONG


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _leave_threads_behind(code: int) -> None:
    """End the process here when a node that was given up still blocks a thread: Python would wait for it."""
    threading = sys.modules.get("threading")
    if threading is None:
        return
    workers = [thread for thread in threading.enumerate() if type(thread).__module__.startswith("anyio.")]
    for thread in workers:
        thread.join(_LAST_MOMENT_SECONDS / len(workers))  # an idle one is ending already
    if any(thread.is_alive() for thread in workers):
        import atexit

        atexit._run_exitfuncs()  # noqa: SLF001 - temporary files are removed there
        write_data("")
        os._exit(code)
