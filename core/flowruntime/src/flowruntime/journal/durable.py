"""The log of an execution whose store blocks: events are decided, then durable, then told.

What is durable stays in memory for a while as well, for those who follow the execution while it runs.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from flowcore.contracts import Change, Store
from flowcore.errors import StoreError
from flowcore.events import ErrorObject, Event, ExecutionId, WorkflowCompleted
from flowcore.executions import Status

from flowruntime.bus import Bell
from flowruntime.journal.log import ExecutionLog, Observed
from flowruntime.journal.writer import Kept, Writer

__all__ = ["TAIL_EVENTS", "DurableLog"]

#: How many of the latest durable events of a running execution are kept in memory, at least, when it has so many.
TAIL_EVENTS: Final = 4096
#: How many events may be decided and not durable before an execution waits for the disk.
MAX_AHEAD: Final = 20_000
_PAUSE_SECONDS: Final = 0.0005
_MAX_PAUSE_SECONDS: Final = 0.1


class DurableLog(ExecutionLog):
    """The events of one running execution, kept by a writer.

    `listening` is True while nothing is decided that the writer does not know of, so that the engine's next event
    wakes it. `take` is called on the writer's thread, all else on the loop's.
    """

    __slots__ = (
        "_answered",
        "_answers",
        "_closed",
        "_creation",
        "_durable_seq",
        "_follower_events",
        "_in_hand",
        "_is_cancelled",
        "_is_follower",
        "_kept_status",
        "_on_over",
        "_ring_planned",
        "_room",
        "_status",
        "_tail",
        "_tail_events",
        "_waits",
        "_writer",
        "follower",
        "on_refused",
        "refused",
        "token",
    )

    is_blocking = True

    def __init__(
        self,
        execution_id: ExecutionId,
        store: Store,
        writer: Writer,
        *,
        token: int,
        seq: int,
        creation: Change | None,
        leader: DurableLog | None,
        on_over: Callable[[ExecutionLog], None],
    ) -> None:
        super().__init__(execution_id, store, seq=seq)
        self._writer = writer
        self._on_over = on_over
        #: Of the lease; every append carries it.
        self.token = token
        #: What the first commit makes besides the events, of an execution that is new.
        self._creation = creation
        #: Called on the loop's thread when the store does not take the events of this execution any more.
        self.on_refused: Callable[[StoreError], None] | None = None
        #: Why not; the execution must not go on then.
        self.refused: StoreError | None = None
        #: What the execution is, and what the store knows of that.
        self._status: Status = "running" if creation is None else creation.status
        self._kept_status: Status | None = None
        #: Requests that came to be answered.
        self._answers: list[tuple[int, ErrorObject | None]] = []
        self._answered: set[int] = set()
        #: The request that is being done at this moment.
        self._in_hand: int | None = None
        #: Somebody wants it to end, and the store does not know yet.
        self._is_cancelled = False
        self._durable_seq = seq if creation is None else 0
        #: Who waits for a seq to be durable, the lowest first.
        self._waits: list[tuple[int, asyncio.Future[None]]] = []
        self._tail: deque[Sequence[Event]] = deque()
        self._tail_events = 0
        self._ring_planned = False
        #: Rings when there may be room for more events.
        self._room = Bell()
        self._closed = False
        #: The log of an execution that begins with the end of this one, and those of its events that are kept with it.
        self.follower: DurableLog | None = None
        self._follower_events: Sequence[Event] = ()
        self._is_follower = leader is not None
        self.listening = leader is None
        if creation is not None:
            self.pending.extend(creation.events)
            self.flush()
        if leader is not None:
            leader.follower = self

    @property
    def durable_seq(self) -> int:
        """The seq of the latest durable event; 0 for none."""
        return self._durable_seq

    async def until_durable(self, seq: int) -> None:
        """Return when all events up to `seq`, which are decided, are durable.

        Raises StoreError when the store refuses them, or cannot be used and does not have the execution yet. One that
        begins with the end of another waits for that.
        """
        if self._durable_seq >= seq:
            return
        if self.refused is not None:
            raise self.refused
        if self._durable_seq == 0 and not self._is_follower and self._writer.trouble is not None:
            raise self._writer.trouble
        future = asyncio.get_running_loop().create_future()
        self._waits.insert(bisect_left(self._waits, seq, key=lambda wait: wait[0]), (seq, future))
        await future

    async def until_room(self) -> None:
        """Return when few of the decided events are not durable yet; memory must not grow while the disk is full."""
        while self.seq - self._durable_seq > MAX_AHEAD and not self._closed and self.refused is None:
            await self._room.wait()

    def flush(self) -> None:
        """Have the writer take what is decided."""
        if self.listening:
            self.listening = False
            self._writer.wake(self)

    def observe(self, observed: Observed) -> None:
        """Have somebody told of every event that becomes durable from now on."""
        self._observed = observed

    def rest(self) -> None:
        """Nothing runs."""
        self._status = "waiting"
        self.flush()

    def wake(self) -> None:
        """Something runs again, or for the first time; that will be kept with its events."""
        self._status = "running"

    def cancel(self) -> None:
        """Somebody wants the execution to end."""
        self._is_cancelled = True
        self.flush()

    def ask(self) -> None:
        """Have the store refuse the execution now if somebody else runs it: one that waits would never find out."""
        self._kept_status = None
        self.flush()

    def has_answered(self, number: int) -> bool:
        """Whether it is decided what came of a request; that is not durable at once, and requests may be told twice."""
        return number in self._answered

    def begin_answer(self, number: int) -> None:
        """A request is done now; `answer` says what came of it."""
        self._in_hand = number

    def answer(self, number: int, error: ErrorObject | None) -> None:
        """What came of a request is decided by now."""
        self._in_hand = None
        if number not in self._answered:
            self._answered.add(number)
            self._answers.append((number, error))
            self.flush()

    def take(self) -> Change | None:
        """All decided events that were not taken yet. Called on the writer's thread.

        The engine appends without a lock meanwhile. It looks at `listening` after it has appended; so what it appends
        before the line below has taken effect is taken here, and for what comes after that it wakes the writer again.
        """
        self.listening = True
        events = self.pending[:]
        del self.pending[: len(events)]
        answers = self._answers[:]
        del self._answers[: len(answers)]
        if self._in_hand is not None and events and isinstance(events[-1], WorkflowCompleted):
            # It has ended the execution, so it was taken; whoever waits for one that has ended is told that otherwise.
            answers.append((self._in_hand, None))
        status, is_cancelled = self._status, self._is_cancelled
        if self.refused is not None or not (events or answers or is_cancelled or status != self._kept_status):
            return None
        if is_cancelled and self._creation is None:
            self._is_cancelled = False
        self._kept_status = status
        creation, self._creation = self._creation, None
        change = Change(self.execution_id, events, token=self.token) if creation is None else creation
        if self.follower is not None and events and isinstance(events[-1], WorkflowCompleted):
            follower = self.follower.take()
            if follower is not None:
                self._follower_events = follower.events
                change = change._replace(follower=follower)
        # A request may have been told twice; what came of it is what came of it first.
        return change._replace(events=events, status=status, answers=dict(answers) or None, cancel=is_cancelled)

    def kept(self, kept: Kept) -> None:
        """The writer has written what it took, or the store has refused it."""
        if kept.refused is not None:
            self._refuse(kept.refused)
            return
        if not kept.events:
            self._leave()
            return
        self._durable_seq = kept.events[-1].seq
        if self._room.waited_for:
            self._room.ring()
        self._tail.append(kept.events)
        self._tail_events += len(kept.events)
        while self._tail_events - len(self._tail[0]) >= TAIL_EVENTS:
            self._tail_events -= len(self._tail.popleft())
        if self._observed is not None:
            self._observed(self.execution_id, kept.events)
        reached = 0
        for seq, future in self._waits:
            if seq > self._durable_seq:
                break
            reached += 1
            if not future.done():
                future.set_result(None)
        del self._waits[:reached]
        if self._bell.waited_for:
            self._plan_ring()
        if self.follower is not None and isinstance(kept.events[-1], WorkflowCompleted):
            self.follower.kept(Kept(self.follower, self._follower_events, None))
        self._leave()

    def trouble(self, error: StoreError) -> None:
        """The store cannot be used. An execution that it has goes on when it can be; one that it has not is refused."""
        if self._durable_seq == 0 and not self._is_follower:
            self._fail_waits(error)

    def tail(self, after: int) -> Sequence[Event] | None:
        """Durable events with a seq greater than `after`, some of them when there are many.

        None when they are not in memory any more.
        """
        if after >= self._durable_seq:
            return ()
        if not self._tail or self._tail[0][0].seq > after + 1:
            return None
        batch = next(batch for batch in self._tail if batch[-1].seq > after)
        return batch if batch[0].seq == after + 1 else batch[after + 1 - batch[0].seq :]

    async def wait(self) -> None:
        """Return when there is more to read, or when the execution runs here no more."""
        self._waiting += 1
        await self._bell.wait()

    def close(self) -> None:
        """The execution runs here no more; what is decided is still made durable and told."""
        self._closed = True
        self._room.ring()
        self.flush()
        self._leave()

    def _leave(self) -> None:
        if self._closed and (self._durable_seq == self.seq or self.refused is not None):
            self._on_over(self)
            self._bell.ring()

    def _refuse(self, error: StoreError) -> None:
        if self.refused is not None:
            return
        self.refused = error
        self._fail_waits(error)
        self._room.ring()
        self._bell.ring()
        if self.on_refused is not None:
            self.on_refused(error)
        if self.follower is not None:
            self.follower.kept(Kept(self.follower, (), error))
        self._leave()

    def _fail_waits(self, error: StoreError) -> None:
        waits, self._waits = self._waits, []
        for _, future in waits:
            if not future.done():
                future.set_exception(error)

    def _plan_ring(self) -> None:
        """Wake a single follower at once, many of them together and not too often: each costs as much as some nodes."""
        if self._ring_planned:
            return
        if self._waiting <= 1:
            self._ring()
            return
        self._ring_planned = True
        pause_seconds = min(self._waiting * _PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
        asyncio.get_running_loop().call_later(pause_seconds, self._ring)

    def _ring(self) -> None:
        self._ring_planned = False
        self._waiting = 0
        self._bell.ring()
