"""Tells what a run came to: its outputs on stdout, what went wrong on stderr, and an exit code."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from flowcore.events import ErrorObject
from flowcore.values import Value, write_json

from flowcli.errors import tell
from flowcli.exit_codes import FAILED, INTERRUPTED, SUCCESS
from flowcli.running import Ended
from flowcli.terminal import has_colours, printable, say, write_data
from flowcli.watching import Form, failure_words

__all__ = ["tell_outcome"]

#: Colouring more than this takes longer than reading it.
_MOST_COLOURED: Final = 100_000
_MOST_FRAMES: Final = 3


def tell_outcome(ended: Ended, form: Form, arguments: argparse.Namespace) -> int:
    """Tell it; gives the exit code. The arguments are those of the command that ran it."""
    result = ended.result
    if result is None:
        from flowcli.resting import tell_rest  # rare

        return tell_rest(ended.execution_id, form, arguments)
    if form == "json":
        write_data(write_json(result.to_json(), indent=2) + "\n")
    fatal = result.error["node_id"] if result.error is not None else None
    for failure in ended.failures:
        if failure.then == "stop":
            if failure.node_id != fatal:
                _tell_failure(failure.error)
        elif not ended.failures_told:
            tell("warning", "yellow", f"Node {failure.node_id!r} {failure_words(failure)}", code="", remedy="")
    match result.status:
        case "succeeded":
            if form == "outputs":
                _write_outputs(result.outputs)
            return SUCCESS
        case "cancelled":
            say("The execution was cancelled.")
            return INTERRUPTED
        case _:
            if result.error is not None:
                _tell_failure(result.error)
            return FAILED


def _tell_failure(error: ErrorObject) -> None:
    node_id, attempt = error.get("node_id"), error.get("attempt", 1)
    if node_id is None:
        who = "The workflow failed"
    else:
        who = f"Node {node_id!r} failed" + (f" after {attempt} attempts" if attempt > 1 else "")
    tell("error", "red", f"{who}: {error['message']}", code=error["code"], remedy=error.get("remedy", ""))
    for frame in error.get("traceback", ())[-_MOST_FRAMES:]:
        say(f"  at {printable(frame)}")


def _write_outputs(outputs: Value) -> None:
    text = write_json(outputs, indent=2)
    if sys.stdout.isatty():
        # Inside strings, these characters could steer the terminal; escaped they mean the same.
        text = text.translate({code: f"\\u{code:04x}" for code in range(127, 160)})
    if has_colours(sys.stdout) and len(text) <= _MOST_COLOURED:
        from rich.console import Console
        from rich.highlighter import JSONHighlighter

        Console().print(JSONHighlighter()(text), soft_wrap=True)
    else:
        write_data(text + "\n")
