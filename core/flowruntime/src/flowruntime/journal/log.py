"""The one door of an execution's events: numbered in memory, then kept by the store, then told.

`append` decides an event. What a store that does not block would make of it can only be observed by reading, so events
are handed over in batches: when somebody waits for them, when somebody reads, or when the batch is full.
"""

from __future__ import annotations

from flowcore.contracts import Page, Store
from flowcore.events import Event, ExecutionId

from flowruntime.bus import Bell

__all__ = ["ExecutionLog"]

_BATCH = 256


class ExecutionLog:
    """The events of one running execution, written by one engine."""

    __slots__ = ("_pending", "_store", "bell", "execution_id", "seq")

    def __init__(self, execution_id: ExecutionId, store: Store, *, seq: int) -> None:
        self.execution_id = execution_id
        self._store = store
        self._pending: list[Event] = []
        #: The seq of the latest decided event.
        self.seq = seq
        self.bell = Bell()

    def append(self, event: Event) -> None:
        """Take the next event; its `seq` is one more than the latest."""
        self.seq += 1
        pending = self._pending
        pending.append(event)
        if self.bell.waited_for or len(pending) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand all decided events to the store, then wake the followers."""
        if self._pending:
            batch, self._pending = self._pending, []
            self._store.append(self.execution_id, batch)
            self.bell.ring()

    def read(self, after: int, limit: int) -> Page:
        """Events that are kept, with a seq greater than `after`."""
        self.flush()
        return self._store.read(self.execution_id, after, limit)
