"""The times of one execution: nodes that go on later, the earliest first, and the limit of its active time.

It keeps the watchdog armed for the earliest of them. An attempt's deadline costs one comparison with `armed_us`, and
arms only when it lies before everything else. The watchdog knows the timetable alone, so that an execution which has
ended is not kept until its last deadline.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from typing import Final

from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.watchdog import NEVER_US, Watchdog

__all__ = ["Timetable"]

_COMPACT_FROM: Final = 256
#: Breaks ties, so that frames are never compared.
_count = itertools.count()


class Timetable:
    """Times are in microseconds since the epoch; `on_time` is called when the earliest has come.

    An entry says that something of a node may be due: a delay before the next attempt, a wait, words held back. Whoever
    takes it looks at what the node is at; entries of times that have become void do no harm.
    """

    __slots__ = (
        "_compact_at",
        "_entries",
        "_idle_total_us",
        "_on_time",
        "_watchdog",
        "armed_us",
        "idle_since_us",
        "limit_holds",
        "limit_us",
    )

    def __init__(self, on_time: Callable[[int], int], watchdog: Watchdog, limit_us: int) -> None:
        self._on_time: Callable[[int], int] | None = on_time
        self._watchdog = watchdog
        self._entries: list[tuple[int, int, Frame, int]] = []
        self._compact_at = _COMPACT_FROM
        #: When the execution has been active for too long, if nothing happens in between.
        self.limit_us = limit_us
        #: Not while the execution is being stopped.
        self.limit_holds = True
        #: Since when nothing runs; None while something does.
        self.idle_since_us: int | None = None
        self._idle_total_us = 0
        #: When the watchdog is to call: no later than the earliest of everything.
        self.armed_us = NEVER_US

    @property
    def over(self) -> bool:
        """Whether the execution has ended; the watchdog forgets it then."""
        return self._on_time is None

    def close(self) -> None:
        """The execution has ended."""
        self._on_time = None
        self._entries.clear()

    def on_time(self, now_us: int) -> int:
        """Called by the watchdog."""
        if now_us < self.armed_us or self._on_time is None:
            return NEVER_US  # it was armed anew for a later time meanwhile
        self.armed_us = 0  # nothing that is done now needs to arm
        next_us = self._on_time(now_us)
        self.armed_us = NEVER_US if self.over else next_us
        return self.armed_us

    def arm(self, at_us: int) -> None:
        """Be called then, or earlier. Call it for times before `armed_us` only."""
        self.armed_us = min(at_us, self.next_us())
        self._watchdog.arm(self.armed_us, self)

    def add(self, due_us: int, frame: Frame, index: int) -> None:
        """Something of this node is due then."""
        heapq.heappush(self._entries, (due_us, next(_count), frame, index))
        if len(self._entries) >= self._compact_at:
            # A loop may leave many behind: the timeouts of containers that ended long before, say.
            self._entries = [entry for entry in self._entries if entry[2].expects(entry[0], entry[3])]
            heapq.heapify(self._entries)
            self._compact_at = max(_COMPACT_FROM, 2 * len(self._entries))
        if due_us < self.armed_us:
            self.arm(due_us)

    def take_due(self, now_us: int) -> Iterator[tuple[int, Frame, int]]:
        """All entries that are due, the earliest first; they are gone then."""
        while self._entries and self._entries[0][0] <= now_us:
            due_us, _, frame, index = heapq.heappop(self._entries)
            yield due_us, frame, index

    def clear(self) -> None:
        """Nothing is due any more."""
        self._entries.clear()

    def idle(self, now_us: int) -> None:
        """Nothing runs from now on."""
        if self.idle_since_us is None:
            self.idle_since_us = now_us

    def busy(self, now_us: int) -> None:
        """Something runs again: the time in between does not count."""
        if self.idle_since_us is not None:
            idle_us = now_us - self.idle_since_us
            self._idle_total_us += idle_us
            self.limit_us += idle_us
            self.idle_since_us = None

    def idle_us(self, now_us: int) -> int:
        """How long nothing ran until now, all in all."""
        if self.idle_since_us is None:
            return self._idle_total_us
        return self._idle_total_us + now_us - self.idle_since_us

    def is_exceeded(self, now_us: int) -> bool:
        """Whether the execution has been active for too long."""
        return self.limit_holds and self.idle_since_us is None and self.limit_us <= now_us

    def next_us(self) -> int:
        """The earliest time at which anything of this is due."""
        first_us = self._entries[0][0] if self._entries else NEVER_US
        return min(first_us, self.limit_us) if self.limit_holds and self.idle_since_us is None else first_us
