"""What a container's node fails with when one of its children failed."""

from __future__ import annotations

from typing import Any

from flowcore.events import ErrorObject
from flowruntime.authoring import ChildEnd, FatalNodeError, NodeError, RetryableNodeError

__all__ = ["child_failure", "error_of"]


def error_of(end: ChildEnd) -> ErrorObject:
    """The error object of a child that did not succeed."""
    if end.error is not None:
        return end.error
    return {"code": f"child.{end.status}", "message": f"It has {end.status}.", "node_id": None, "retryable": True}


def child_failure(
    what: str, error: ErrorObject, *, code: str | None = None, remedy: str | None = None, details: dict[str, Any]
) -> NodeError:
    """The error to raise for a child's error object; `what` failed, and trying again may help when it said so.

    Without a `code` and a `remedy` those of the child's error are kept.

    >>> print(child_failure("Item 2", {"code": "http.500", "message": "No answer.", "node_id": "get"}, details={}))
    Item 2 failed at node 'get': No answer.
    """
    kind = RetryableNodeError if error.get("retryable", True) else FatalNodeError
    place = "" if error.get("node_id") is None else f" at node {error['node_id']!r}"
    return kind(
        f"{what} failed{place}: {error.get('message', '')}",
        code=code if code is not None else error.get("code"),
        remedy=remedy if remedy is not None else error.get("remedy"),
        details=details,
    )
