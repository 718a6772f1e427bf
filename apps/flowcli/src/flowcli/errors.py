"""How errors are told: a sentence of cause and one of remedy for people, an object for programs, an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable

from flowcore.errors import (
    FlowError,
    InstallationError,
    InternalError,
    Problem,
    StoreError,
    WorkflowInvalid,
)
from flowcore.values import write_json

from flowcli.exit_codes import FAILED, UNUSABLE, WRONG
from flowcli.terminal import Style, printable, say, styled, write_data
from flowcli.usage import UsageError

__all__ = ["InputsInvalid", "problem_line", "tell", "tell_error"]


class InputsInvalid(WorkflowInvalid):
    """The inputs do not fit the workflow."""

    default_code = "inputs.invalid"
    default_remedy = "Correct what --input gives."

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(problems, "The inputs do not fit the workflow.")


def tell_error(error: Exception, *, as_json: bool) -> int:
    """Tell people on stderr, and programs on stdout when they asked for JSON; gives the exit code.

    What is no error of Flownodes is a fault of it, and told as one; its traceback is shown when the
    environment says FLOW_DEBUG=1.
    """
    error = _innermost(error)
    if isinstance(error, FileNotFoundError) and _has_no_working_directory():
        error = UsageError(
            "The working directory is not there any more.", code="folder.gone", remedy="Go to a folder that is there."
        )
    if not isinstance(error, FlowError | UsageError):
        if os.environ.get("FLOW_DEBUG") == "1":
            say("".join(traceback.format_exception(error)).rstrip())
        made = InternalError(
            f"Flownodes itself failed: {type(error).__name__}: {error}",
            remedy="Please report this with the workflow that shows it; FLOW_DEBUG=1 shows where it was.",
        )
        error = made.with_traceback(error.__traceback__)
    if isinstance(error, WorkflowInvalid):
        faults = "\n".join(f"  {problem_line(problem)}" for problem in error.problems if problem.severity == "error")
        tell("error", "red", error.message, code="", remedy="")
        say(faults)
    else:
        tell("error", "red", error.message, code=error.code, remedy=error.remedy)
    if as_json:
        write_data(write_json({"error": error.to_json()}, indent=2) + "\n")
    return _exit_code(error)


def tell(kind: str, style: Style, message: str, *, code: str, remedy: str) -> None:
    """One error or warning for people: what is wrong, and below it what to do."""
    say(f"{styled(f'{kind}:', style)} {printable(message)}")
    below = f"{remedy} {f'[{code}]' if code else ''}".strip()
    if below:
        say(f"  {printable(below)}")


def problem_line(problem: Problem, *, file: str = "", kind: str = "") -> str:
    """One problem: where, of what kind, what is wrong, what to do.

    The place is the file, if any, and a JSON Pointer, if it is not the whole document.

    >>> problem_line(Problem(code="a.b", pointer="/x", message="Wrong.", remedy="Mend it."), file="w.json")
    'w.json:/x: Wrong. Mend it. [a.b]'
    """
    place = ":".join(filter(None, (file, problem.pointer)))
    parts = (f"{part}: " for part in (place, kind) if part)
    return printable(f"{''.join(parts)}{problem.message} {problem.remedy} [{problem.code}]")


def _innermost(error: Exception) -> Exception:
    """The error itself, when task groups have put it into groups; the first one of several that can be told."""
    while isinstance(error, ExceptionGroup):
        if len(error.exceptions) > 1 and not all(isinstance(one, FlowError | UsageError) for one in error.exceptions):
            break
        error = error.exceptions[0]
    return error


def _has_no_working_directory() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - there is nothing to do with it
    except FileNotFoundError:
        return True
    return False


def _exit_code(error: FlowError | UsageError) -> int:
    match error:
        case UsageError() | WorkflowInvalid():
            return WRONG
        case InstallationError() | StoreError() | InternalError():
            return UNUSABLE
        case _:
            return FAILED
