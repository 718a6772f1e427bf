"""A clock moved by hand: time stands still until a test moves it on."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import anyio
import anyio.lowlevel

__all__ = ["ManualClock", "NodeClock", "inside_a_node"]

#: A task may be about to be woken by a callback that the loop has not run yet: only a loop that stays quiet is idle.
_QUIET_ROUNDS: Final = 5
_INSIDE: Final[ContextVar[bool]] = ContextVar("inside a node", default=False)


class ManualClock:
    """Time that stands still until `advance` moves it; with `autojump` it jumps when every task waits.

    `flowcore.contracts.Clock`. Autojump sees the tasks of asyncio: it suits tests in which nothing but this clock is
    waited for, one such clock a loop.
    """

    def __init__(self, start_us: int = 1_700_000_000_000_000, *, autojump: bool = False) -> None:
        self._now_us = start_us
        self._autojump = autojump
        self._jumper: asyncio.Task[None] | None = None
        self._count = 0
        self._sleepers: list[tuple[int, int, anyio.Event]] = []

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self._now_us

    def advance(self, seconds: float) -> None:
        """Move the time on, and wake whoever slept until then."""
        self._set(self._now_us + round(seconds * 1_000_000))

    @property
    def sleepers(self) -> int:
        """How many sleep."""
        return sum(1 for _, _, event in self._sleepers if not event.is_set())

    async def sleep_until(self, at_us: int) -> None:
        """Sleep until the time was moved that far."""
        if at_us <= self._now_us:
            await anyio.lowlevel.checkpoint()
            return
        event = anyio.Event()
        self._count += 1
        heapq.heappush(self._sleepers, (at_us, self._count, event))
        if self._may_jump() and (self._jumper is None or self._jumper.done()):
            self._jumper = asyncio.create_task(self._jump())
        try:
            await event.wait()
        finally:
            event.set()  # nobody sleeps for it any more

    def _may_jump(self) -> bool:
        return self._autojump

    async def _jump(self) -> None:
        while self._may_jump() and await self._until_all_wait():
            while self._sleepers and self._sleepers[0][2].is_set():
                heapq.heappop(self._sleepers)
            if self._sleepers and self._may_jump():
                self._set(self._sleepers[0][0])

    def _set(self, now_us: int) -> None:
        self._now_us = max(self._now_us, now_us)
        while self._sleepers and self._sleepers[0][0] <= self._now_us:
            heapq.heappop(self._sleepers)[2].set()

    async def _until_all_wait(self) -> bool:
        """Wait until every other task of the loop waits, and goes on doing so; False when nobody sleeps any more."""
        this = asyncio.current_task()
        quiet = 0
        while quiet < _QUIET_ROUNDS and self.sleepers:
            await anyio.lowlevel.checkpoint()
            waiters = (getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks() if task is not this)
            quiet = quiet + 1 if all(waiter is not None and not waiter.done() for waiter in waiters) else 0
        return self.sleepers > 0


class NodeClock(ManualClock):
    """The clock of the harness: while it `flows` it goes to what the node sleeps for, and never to a mere deadline.

    A timeout must not come because a node is busy with a thread or a socket, which no clock sees. So nothing but
    `ctx.sleep` of the node lets the time jump here; deadlines that lie before the end of that sleep come in between.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flows = False
        self._sleeping_nodes = 0

    async def sleep_until(self, at_us: int) -> None:
        """Sleep until the time is that far."""
        of_node = _INSIDE.get()
        self._sleeping_nodes += of_node
        try:
            await super().sleep_until(at_us)
        finally:
            self._sleeping_nodes -= of_node

    def go_to(self, at_us: int) -> None:
        """Move the time on to this moment, if it is not later already."""
        self._set(at_us)

    def _may_jump(self) -> bool:
        return self.flows and self._sleeping_nodes > 0


@contextmanager
def inside_a_node() -> Iterator[None]:
    """What sleeps in this task meanwhile is the node itself."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)
