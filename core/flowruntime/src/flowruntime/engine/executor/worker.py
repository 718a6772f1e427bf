"""A worker task of an execution, and the attempt it makes at the moment.

Attempts are cancelled the way asyncio cancels: once. Code that cleans up when it is cancelled may await in doing so,
which it could not under a scope that cancels every await anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flowcore.errors import FatalNodeError

if TYPE_CHECKING:
    from flowruntime.authoring import Context
    from flowruntime.engine.executor.frames import Frame

__all__ = ["Worker", "self_cancelled"]


class Worker:
    """A worker task. `index` is the node of `frame` whose attempt it makes, -1 for none.

    Whoever records the end of an attempt before the attempt does (a timeout, a stop that waited long enough) sets
    `index` to -1: whatever the attempt still gives does not count.
    """

    __slots__ = ("_cancels_before", "begun_us", "cancelled", "ctx", "frame", "index", "on_thread", "started_us", "task")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.index = -1
        self.started_us = 0
        #: `started_us` moved on by the time in which the attempt waited: what its timeout counts from.
        self.begun_us = 0
        #: What the attempt sees, None where the node asks for nothing of it.
        self.ctx: Context | None = None
        #: Whether the attempt is on a thread, which no cancellation reaches.
        self.on_thread = False
        #: Whether the execution wants it to end.
        self.cancelled = False
        self._cancels_before = 0
        self.task: asyncio.Task[None] | None = None

    def enter(self, task: asyncio.Task[None] | None) -> None:
        """The worker works in this task now, which may be its own or a caller's."""
        self.task = task
        self._cancels_before = 0 if task is None else task.cancelling()

    def cancel(self) -> None:
        """Cancel the attempt. Does nothing the second time."""
        if self.cancelled or self.task is None:
            return
        self.cancelled = True
        if self.task is asyncio.current_task():
            # The attempt's own code asked for it: a cancellation now might hit what the task does after the attempt.
            asyncio.get_running_loop().call_soon(self._cancel_if_busy)
        else:
            self.task.cancel()

    def _cancel_if_busy(self) -> None:
        if self.index >= 0 and self.task is not None:
            self.task.cancel()
        else:
            self.cancelled = False

    def is_cancelled(self) -> bool:
        """Whether a cancellation reaches this worker from outside: from the executor, or from the host's own task."""
        return self.cancelled or self.is_cancelled_by_others()

    def is_cancelled_by_others(self) -> bool:
        """Whether somebody else than the execution wants the task to end."""
        return self.task is not None and self.task.cancelling() > self._cancels_before + self.cancelled

    def leave(self) -> None:
        """The worker leaves the task; a caller's task goes on as if nothing had been cancelled."""
        if self.cancelled and self.task is not None:
            self.task.uncancel()


def self_cancelled(error: BaseException) -> BaseException:
    """The failure of a node out of which a cancellation came that nobody had asked for."""
    made = FatalNodeError(
        "The node cancelled itself: a cancellation came out of it that nobody had asked for.",
        code="node.cancelled_itself",
        remedy="Do not let the cancellation of an inner task escape from the node.",
    )
    return made.with_traceback(error.__traceback__)
