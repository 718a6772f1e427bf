"""One watchdog a runtime: it holds the earliest deadline of every execution and tells each when its time has come.

An execution asks again only for an earlier time than it is armed for, so an attempt whose timeout lies behind that of
others costs one comparison, and no cancel scope. Times are the runtime's clock's.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from typing import Protocol

import anyio
from flowcore.contracts import Clock

from flowruntime.bus import Bell

__all__ = ["NEVER_US", "Timed", "Watchdog"]

#: A time that does not come.
NEVER_US = sys.maxsize

#: So few that short runs, each of which leaves an entry, stay below what makes the garbage collector look at them.
_COMPACT_FROM = 256


class Timed(Protocol):
    """Something with deadlines."""

    @property
    def over(self) -> bool:
        """Whether it has ended and may be forgotten."""
        ...

    def on_time(self, now_us: int) -> int:
        """Do what is due, and say when the next thing is; NEVER_US for nothing."""
        ...


class Watchdog:
    """Calls `on_time` when it was asked to. Used from the loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = itertools.count()
        self._heap: list[tuple[int, int, Timed]] = []
        self._compact_at = _COMPACT_FROM
        self._bell = Bell()
        self._nap: anyio.CancelScope | None = None
        self._awake_at_us = NEVER_US

    def arm(self, at_us: int, timed: Timed) -> None:
        """Call `timed.on_time` at that time, or soon after."""
        heapq.heappush(self._heap, (at_us, next(self._count), timed))
        if at_us < self._awake_at_us:
            self._awake_at_us = at_us
            if self._nap is not None:
                self._nap.cancel()
            self._bell.ring()
        if len(self._heap) >= self._compact_at:
            # What has ended long before its deadline would otherwise be kept until then.
            self._heap = [entry for entry in self._heap if not entry[2].over]
            heapq.heapify(self._heap)
            self._compact_at = max(_COMPACT_FROM, 2 * len(self._heap))

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            if not self._heap:
                self._awake_at_us = NEVER_US
                await self._bell.wait()
                continue
            self._awake_at_us = self._heap[0][0]
            with anyio.CancelScope() as self._nap:
                await self._clock.sleep_until(self._awake_at_us)
            self._nap = None
            now_us = self._clock.now_us()
            while self._heap and self._heap[0][0] <= now_us:
                timed = heapq.heappop(self._heap)[2]
                if not timed.over and (next_us := timed.on_time(now_us)) != NEVER_US:
                    heapq.heappush(self._heap, (next_us, next(self._count), timed))
