"""The executions of a memory store, and the ring that bounds their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId
from flowcore.executions import Status
from flowcore.workflows import Workflow

from flowruntime.stores.refusals import has_ended, unknown

__all__ = ["RING_EVENTS", "Log", "Logs"]

#: How many events are kept of finished executions, the oldest of which go first, and of each that still runs.
RING_EVENTS: Final = 100_000


class Log:
    """One execution: its events from `first_seq` on, and what stands beside them. `owner` is 0 for nobody."""

    __slots__ = (
        "cancel_requested",
        "ended_us",
        "events",
        "first_seq",
        "named",
        "once",
        "owner",
        "quarantine",
        "recovery",
        "started_us",
        "status",
        "token",
        "workflow",
    )

    def __init__(self, workflow: Workflow, events: Sequence[Event], named: Mapping[str, Workflow]) -> None:
        self.workflow = workflow
        self.named = named
        self.started_us = events[0].at_us
        #: When it ended.
        self.ended_us: int | None = None
        self.events = list(events)
        self.first_seq = 1
        self.status: Status = "pending"
        self.owner = 0
        self.token = 0
        self.recovery: str | None = None
        self.cancel_requested = False
        self.quarantine: str | None = None
        self.once: tuple[str, str] | None = None

    @property
    def seq(self) -> int:
        """The latest event."""
        return self.first_seq + len(self.events) - 1

    def is_held(self, token: int) -> bool:
        """Whether this is the token of the lease, or of the one under which the execution ended.

        Token 0 is that of an execution that was never claimed.
        """
        return token == self.token and (self.owner != 0 or token == 0 or self.ended_us is not None)


class Logs:
    """All executions that are kept, by their ids, in the order in which they began."""

    def __init__(self, ring_events: int) -> None:
        self.ring_events = ring_events
        self.all: dict[ExecutionId, Log] = {}
        self.unfinished: dict[ExecutionId, Log] = {}
        #: By what they were created for.
        self.seen: dict[tuple[str, str], ExecutionId] = {}
        self._finished: deque[ExecutionId] = deque()
        self._finished_events = 0
        #: Events of executions that have left the ring.
        self._left: list[Event] = []

    def clear(self) -> None:
        """Forget everything."""
        self.all.clear()
        self.unfinished.clear()
        self.seen.clear()
        self._finished.clear()
        self._finished_events = 0
        self._left.clear()

    def get(self, execution_id: ExecutionId) -> Log:
        """The execution. Raises StoreError when it is not kept."""
        try:
            return self.all[execution_id]
        except KeyError:
            raise _unknown(execution_id) from None

    def get_unfinished(self, execution_id: ExecutionId) -> Log:
        """The same, but raises StoreError for one that has ended as well."""
        log = self.get(execution_id)
        if execution_id not in self.unfinished:
            raise has_ended(execution_id, log.status)
        return log

    def add(self, execution_id: ExecutionId, log: Log) -> None:
        """Keep a new one."""
        self.all[execution_id] = self.unfinished[execution_id] = log
        self.grown(len(log.events))
        if log.once is not None:
            self.seen[log.once] = execution_id

    def end(self, execution_id: ExecutionId, log: Log) -> None:
        """It has ended; those that ended first leave a full ring."""
        log.owner = 0
        del self.unfinished[execution_id]
        self._finished.append(execution_id)
        self._finished_events += len(log.events)
        while self._finished_events > self.ring_events and len(self._finished) > 1:
            oldest = self.all.pop(self._finished.popleft())
            self._finished_events -= len(oldest.events)
            self._left += oldest.events
            if oldest.once is not None:
                del self.seen[oldest.once]

    def grown(self, count: int) -> None:
        """So many events have come: let go of as many that have left the ring.

        The garbage collector starts when many more objects were made than let go of. Short of that it never starts,
        and it would look at all that is kept.
        """
        if self._left:
            del self._left[-count:]

    def shorten(self, log: Log) -> None:
        """Drop the oldest events of one that runs and has grown beyond the ring: in steps, which keeps this cheap."""
        share = self.ring_events // 8
        del log.events[:share]
        log.first_seq += share


def _unknown(execution_id: ExecutionId) -> StoreError:
    return unknown(execution_id, "It may have left the memory store, which keeps the latest only.")
