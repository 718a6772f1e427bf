"""Turns what a node raised into the error object that events and results carry."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import anyio
from flowcore.errors import FlowError, NodeError, RetryableNodeError
from flowcore.events import ErrorObject
from flowcore.events import Path as NodePath
from flowcore.values import NotAValue, check_value

__all__ = ["AttemptTimeoutError", "error_object", "is_retryable"]

#: How many of the innermost frames an error keeps.
_FRAMES = 20
_MAX_MESSAGE = 4000
#: Frames of the engine and of what carries it tell an author nothing.
_OUR_FOLDERS = (str(Path(__file__).parents[2]), str(Path(anyio.__file__).parent))


class AttemptTimeoutError(RetryableNodeError):
    """The attempt took longer than its timeout."""

    default_code = "node.timeout"
    default_remedy = "Raise the node's timeout_ms, or find out why it takes so long."


def is_retryable(error: BaseException) -> bool:
    """Whether a retry policy may answer the failure: everything but fatal errors and those of the installation."""
    if isinstance(error, NodeError):
        return error.retryable
    return isinstance(error, Exception) and not isinstance(error, FlowError)


def error_object(error: BaseException, *, node_id: str | None, path: NodePath, attempt: int) -> ErrorObject:
    """`{type, code, message, remedy, node_id, path, attempt, details}`, and a traceback for what was not foreseen.

    The traceback names file, line and function of each frame and no values: those may hold secrets.
    """
    message = error.message if isinstance(error, FlowError) else _text(error)
    made: ErrorObject = {
        "type": type(error).__name__,
        "code": error.code if isinstance(error, FlowError) else "node.exception",
        "message": (message or type(error).__name__)[:_MAX_MESSAGE],
        "remedy": error.remedy if isinstance(error, FlowError) else "Correct the node's code or what it is given.",
        "node_id": node_id,
        "path": [list(step) for step in path],
        "attempt": attempt,
        "details": _details(error),
        "retryable": is_retryable(error),
    }
    if isinstance(error, SystemExit):
        made["message"] = f"The node tried to exit the process (SystemExit {error.code!r})."
    if not isinstance(error, FlowError):
        frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_OUR_FOLDERS)]
        made["traceback"] = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[-_FRAMES:]]
    return made


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an author's class may do anything
        return "Its text could not be made."


def _details(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, NodeError):
        return {}
    details = dict(error.details)
    try:
        check_value(details)
    except NotAValue:
        return {str(key): repr(value) for key, value in details.items()}
    return details
