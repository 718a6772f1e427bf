"""Threads for nodes that block: bounded, and given up when an attempt is over before its thread is.

A thread cannot be cancelled. When its attempt times out or the execution is stopped for good, the thread is abandoned:
it goes on until its code returns (`ctx.cancelled` tells it to), and what it gives is dropped. So that they cannot pile
up, no blocking node starts while `MAX_ABANDONED` such threads are still busy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.to_thread
from flowcore.errors import RetryableNodeError

from flowruntime.authoring import Context

__all__ = ["MAX_ABANDONED", "MAX_THREADS", "Job", "Threads"]

#: Of one runtime, at the same time; further attempts wait.
MAX_THREADS: Final = 100
MAX_ABANDONED: Final = 100


class Job:
    """One call. It is abandoned from when its attempt is given up until it returns; `begun` once a thread has it."""

    __slots__ = ("_abandoned", "_call", "_ctx", "_given_up", "_over", "begun")

    def __init__(self, call: Callable[[Context], Any], ctx: Context, abandoned: set[object]) -> None:
        self._call = call
        self._ctx = ctx
        self._abandoned = abandoned
        self.begun = self._over = self._given_up = False

    def run(self) -> Any:
        # Both sides set their flag before they look at the other's: whoever comes second sees it.
        self.begun = True
        if self._given_up:
            self._abandoned.add(self)
        try:
            return self._call(self._ctx)
        finally:
            self._over = True
            self._abandoned.discard(self)

    def give_up(self) -> None:
        self._given_up = True
        if self.begun:
            self._abandoned.add(self)
            if self._over:
                self._abandoned.discard(self)


class Threads:
    """The threads of one runtime. Used from the loop's thread."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
        self._abandoned: set[object] = set()

    @property
    def abandoned(self) -> int:
        """How many abandoned threads are still busy."""
        return len(self._abandoned)

    def job(self, call: Callable[[Context], Any], ctx: Context) -> Job:
        """A call to be made by `run`."""
        return Job(call, ctx, self._abandoned)

    async def run(self, job: Job) -> Any:
        """Make the call on a thread; it is abandoned when cancelled.

        Raises RetryableNodeError when too many are abandoned.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(MAX_THREADS)
        if len(self._abandoned) >= MAX_ABANDONED:
            raise RetryableNodeError(
                f"{MAX_ABANDONED} threads of attempts that were given up are still busy.",
                code="node.threads_exhausted",
                remedy="Let blocking nodes look at ctx.cancelled, or give their calls timeouts of their own.",
            )
        try:
            return await anyio.to_thread.run_sync(job.run, abandon_on_cancel=True, limiter=self._limiter)
        except anyio.get_cancelled_exc_class():
            job.give_up()
            raise
