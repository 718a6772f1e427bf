"""A worker task of an execution: its cancel scope, and the attempt it makes at the moment."""

from __future__ import annotations

import asyncio

import anyio
from flowcore.errors import FatalNodeError

from flowruntime.engine.watchdog import NEVER_US

__all__ = ["Worker", "self_cancelled"]


class Worker:
    """A worker task. `index` is the node whose attempt it makes, -1 for none.

    When the watchdog has recorded a timeout, it sets `index` to -1: whatever the attempt still gives does not count.
    """

    __slots__ = ("deadline_us", "index", "scope", "started_us")

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.index = -1
        self.started_us = 0
        self.deadline_us = NEVER_US

    def renew(self) -> None:
        """Take a fresh scope; one that was cancelled is of no use for further attempts."""
        self.scope = anyio.CancelScope()

    def is_cancelled(self) -> bool:
        """Whether a cancellation reaches this worker from outside: from the executor, or from the host's own task."""
        if self.scope.cancel_called or anyio.current_effective_deadline() == float("-inf"):
            return True
        try:
            task = asyncio.current_task()
        except RuntimeError:  # another event loop than asyncio's: the scopes say all
            return False
        return task is not None and task.cancelling() > 0


def self_cancelled(error: BaseException) -> BaseException:
    """The failure of a node out of which a cancellation came that nobody had asked for."""
    made = FatalNodeError(
        "The node cancelled itself: a cancellation came out of it that nobody had asked for.",
        code="node.cancelled_itself",
        remedy="Do not let the cancellation of an inner task escape from the node.",
    )
    return made.with_traceback(error.__traceback__)
