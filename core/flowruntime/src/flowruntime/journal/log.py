"""The one door of an execution's events: numbered in memory, then kept by the store, then told.

`append` decides an event. What a store that does not block would make of it can only be observed by reading, so events
are handed over in batches: when somebody waits for them, when somebody reads, or when the batch is full.

Waking a follower costs about as much as running three nodes. While little happens, a single one is woken for every
event. More of them, or one that has much to read, are woken together and then not for half a millisecond each, so that
a hundred cost an execution a few percent. Observers are told like a follower that has much to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeAlias

from flowcore.contracts import Change, Page, Store
from flowcore.events import ErrorObject, Event, ExecutionId

from flowruntime.bus import Bell
from flowruntime.journal.masking import masked_event
from flowruntime.secrets import Net

__all__ = ["BATCH", "ExecutionLog", "Observed"]

#: Told of events that are durable, in order. Called on the loop's thread.
Observed: TypeAlias = Callable[[ExecutionId, Sequence[Event]], None]

#: How many decided events are handed over at once.
BATCH: Final = 256
_PAUSE_SECONDS: Final = 0.0005
_MAX_PAUSE_SECONDS: Final = 0.1
#: So many events since the followers were woken last are much.
_MUCH: Final = 64


class ExecutionLog:
    """The events of one running execution, written by one engine.

    The engine writes the events that every node has without a call: it raises `seq`, appends to `pending`, and calls
    `flush` when there are `BATCH` of them or when `listening`; `append` does the same.
    """

    __slots__ = (
        "_bell",
        "_observed",
        "_page",
        "_pausing",
        "_store",
        "_waiting",
        "_woken_at",
        "execution_id",
        "listening",
        "net",
        "pending",
        "seq",
    )

    #: Whether events become durable some time after they were decided.
    is_blocking: ClassVar[bool] = False

    def __init__(self, execution_id: ExecutionId, store: Store, *, seq: int) -> None:
        self.execution_id = execution_id
        self._store = store
        #: Events that are decided and not handed over; always the same list.
        self.pending: list[Event] = []
        #: The seq of the latest decided event.
        self.seq = seq
        #: Whether somebody is to be woken by the next event.
        self.listening = False
        #: The secrets that no event may tell.
        self.net: Net | None = None
        self._observed: Observed | None = None
        self._bell = Bell()
        self._waiting = 0
        self._woken_at = seq
        self._pausing = False
        #: What was read last, which a hundred followers ask for one after the other: (after, limit, seq, page).
        self._page: tuple[int, int, int, Page] | None = None

    @property
    def durable_seq(self) -> int:
        """The seq of the latest event that is as durable as it will be."""
        return self.seq

    async def until_durable(self, seq: int) -> None:
        """Return when all events up to `seq`, which are decided, are durable. Here they are."""

    async def until_room(self) -> None:
        """Return when few of the decided events are not durable yet. Here all of them are."""

    def rest(self) -> None:
        """Nothing runs; say so to those who look at the execution from outside. Here they look at its events."""

    def wake(self) -> None:
        """Something runs again."""

    def cancel(self) -> None:
        """Somebody wants the execution to end; whoever resumes it has to know. Here nobody does."""

    def has_answered(self, number: int) -> bool:  # noqa: ARG002 - here nobody asks from outside
        """Whether it is decided what came of a request."""
        return False

    def begin_answer(self, number: int) -> None:
        """A request is done now; `answer` says what came of it. Nothing comes from outside here."""

    def answer(self, number: int, error: ErrorObject | None) -> None:
        """What came of a request stands in the log by now, or will never. Nothing comes from outside here."""

    def observe(self, observed: Observed) -> None:
        """Have somebody told of every event from here on, once it is durable. Called before the first is decided."""
        self._observed = observed
        self.listening = True

    def append(self, event: Event) -> None:
        """Take the next event; its `seq` is one more than the latest. Revealed secrets in its texts are masked."""
        self.seq += 1
        self.pending.append(self.masked(event))
        if self.listening or len(self.pending) >= BATCH:
            self.flush()

    def masked(self, event: Event) -> Event:
        """The event without revealed secrets, as `append` takes it."""
        return event if self.net is None or self.net.is_empty else masked_event(event, self.net)

    def flush(self) -> None:
        """Hand all decided events to the store, then wake the followers."""
        if self.pending:
            batch = self.pending.copy()
            self.pending.clear()
            (refused,) = self._store.commit((Change(self.execution_id, batch),))
            if refused is not None:
                raise refused
            if self._observed is not None:
                self._observed(self.execution_id, batch)
            if self.listening:
                self._wake()

    def read(self, after: int, limit: int) -> Page:
        """Events that are kept, with a seq greater than `after`."""
        self.flush()
        if self._page is not None and self._page[:3] == (after, limit, self.seq):
            return self._page[3]
        page = self._store.read(self.execution_id, after, limit)
        self._page = (after, limit, self.seq, page)
        return page

    async def wait(self) -> None:
        """Return when there is more to read, or when the execution runs here no more."""
        self._waiting += 1
        self.listening = not self._pausing
        await self._bell.wait()

    def close(self) -> None:
        """The execution runs here no more."""
        self._page = None
        self._bell.ring()

    def _wake(self) -> None:
        self.listening = False
        much = self.seq - self._woken_at > _MUCH
        self._woken_at = self.seq
        if much or self._waiting > 1 or self._observed is not None:
            self._pausing = True
            pause_seconds = min(max(self._waiting, 1) * _PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
            asyncio.get_running_loop().call_later(pause_seconds, self._listen)
        self._waiting = 0
        self._bell.ring()

    def _listen(self) -> None:
        self._pausing = False
        if self._bell.waited_for or self._observed is not None:
            self.listening = True
            self.flush()
