"""A worker task of an execution, and the attempt it makes at the moment.

Attempts are cancelled the way asyncio cancels: once. Code that cleans up when it is cancelled may await in doing so,
which it could not under a scope that cancels every await anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from flowcore.errors import FatalNodeError

if TYPE_CHECKING:
    from flowruntime.authoring import Context
    from flowruntime.engine.attempt import Job
    from flowruntime.engine.executor.frames import Frame

__all__ = ["Worker", "self_cancelled"]


class Worker:
    """A worker task. `index` is the node of `frame` whose attempt it makes, -1 for none.

    Whoever records the end of an attempt before the attempt does (a timeout, a stop that waited long enough) sets
    `index` to -1: whatever the attempt still gives does not count.
    """

    __slots__ = (
        "_cancels_before",
        "_is_sent",
        "begun_us",
        "cancelled",
        "ctx",
        "frame",
        "index",
        "is_guest",
        "job",
        "started_us",
        "task",
    )

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.index = -1
        self.started_us = 0
        #: `started_us` moved on by the time in which the attempt waited: what its timeout counts from.
        self.begun_us = 0
        #: What the attempt sees, None where the node asks for nothing of it.
        self.ctx: Context | None = None
        #: The call on a thread that the attempt is, which no cancellation reaches once it has begun.
        self.job: Job | None = None
        #: Whether the execution wants it to end.
        self.cancelled = False
        #: The task that works, None before and afterwards.
        self.task: asyncio.Task[Any] | None = None
        #: Whether that is a caller's task, which goes on afterwards.
        self.is_guest = False
        self._is_sent = False
        self._cancels_before = 0

    def enter(self, task: asyncio.Task[Any] | None, *, is_guest: bool) -> None:
        """Work in this task from now on."""
        self.task = task
        self.is_guest = is_guest
        if is_guest and task is not None:
            self._cancels_before = task.cancelling()

    def leave(self) -> None:
        """Work no more; a caller's task goes on as if nothing of its own had been cancelled."""
        if self._is_sent and self.is_guest and self.task is not None:
            self.task.uncancel()
        self.task = None

    def cancel(self) -> None:
        """Cancel the attempt. Does nothing the second time."""
        if self.cancelled or self.task is None:
            return
        self.cancelled = True
        if self.is_guest and self.task is asyncio.current_task():
            # The attempt's own code asks for it: a cancellation now might hit what the caller does after the attempt.
            asyncio.get_running_loop().call_soon(self._cancel_if_busy)
        else:
            self._send()

    def _cancel_if_busy(self) -> None:
        if self.index >= 0:
            self._send()

    def _send(self) -> None:
        if self.task is not None:
            self._is_sent = True
            self.task.cancel()

    def is_current(self) -> bool:
        """Whether its task runs at this moment."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:  # the loop is over
            return False

    def is_cancelled(self) -> bool:
        """Whether a cancellation came from outside of the attempt: from the execution, or from others."""
        return self.cancelled or self.is_cancelled_by_others()

    def is_cancelled_by_others(self) -> bool:
        """Whether the loop's end, or whoever cancels the caller, wants the task to end."""
        return self.task is not None and self.task.cancelling() > self._cancels_before + self._is_sent


def self_cancelled(error: BaseException) -> BaseException:
    """The failure of a node out of which a cancellation came that nobody had asked for."""
    made = FatalNodeError(
        "The node cancelled itself: a cancellation came out of it that nobody had asked for.",
        code="node.cancelled_itself",
        remedy="Do not let the cancellation of an inner task escape from the node.",
    )
    return made.with_traceback(error.__traceback__)
