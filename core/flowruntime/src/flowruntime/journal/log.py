"""The one door of an execution's events: numbered in memory, then kept by the store, then told.

`append` decides an event. What a store that does not block would make of it can only be observed by reading, so events
are handed over in batches: when somebody waits for them, when somebody reads, or when the batch is full.
"""

from __future__ import annotations

from typing import Final

from flowcore.contracts import Page, Store
from flowcore.events import Event, ExecutionId

from flowruntime.bus import Bell

__all__ = ["BATCH", "ExecutionLog"]

#: How many decided events are handed over at once.
BATCH: Final = 256


class ExecutionLog:
    """The events of one running execution, written by one engine.

    The engine writes the events that every node has without a call: it raises `seq`, appends to `pending`, and calls
    `flush` when there are `BATCH` of them or somebody waits at the `bell`; `append` does the same.
    """

    __slots__ = ("_store", "bell", "execution_id", "pending", "seq")

    def __init__(self, execution_id: ExecutionId, store: Store, *, seq: int) -> None:
        self.execution_id = execution_id
        self._store = store
        #: Events that are decided and not handed over; always the same list.
        self.pending: list[Event] = []
        #: The seq of the latest decided event.
        self.seq = seq
        self.bell = Bell()

    def append(self, event: Event) -> None:
        """Take the next event; its `seq` is one more than the latest."""
        self.seq += 1
        self.pending.append(event)
        if self.bell.waited_for or len(self.pending) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand all decided events to the store, then wake the followers."""
        if self.pending:
            batch = self.pending.copy()
            self.pending.clear()
            self._store.append(self.execution_id, batch)
            self.bell.ring()

    def read(self, after: int, limit: int) -> Page:
        """Events that are kept, with a seq greater than `after`."""
        self.flush()
        return self._store.read(self.execution_id, after, limit)
