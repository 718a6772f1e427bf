"""The store that keeps everything in this process: a ring of events, gone at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from flowcore.contracts import ExecutionRecord, Page
from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId, WorkflowCompleted
from flowcore.executions import Status
from flowcore.workflows import Workflow

__all__ = ["RING_EVENTS", "MemoryStore"]

#: How many events are kept of finished executions, the oldest of which go first, and of each that still runs.
RING_EVENTS = 100_000


class _Log:
    __slots__ = ("events", "first_seq", "status", "workflow")

    def __init__(self, workflow: Workflow, first: Event) -> None:
        self.workflow = workflow
        self.events: list[Event] = [first]
        self.first_seq = 1
        self.status: Status = "running"


class MemoryStore:
    """Executions in memory. `flowcore.contracts.Store`."""

    blocking = False

    def __init__(self, *, ring_events: int = RING_EVENTS) -> None:
        self._ring_events = ring_events
        self._logs: dict[ExecutionId, _Log] = {}
        self._finished: deque[ExecutionId] = deque()
        self._finished_events = 0

    def create(self, execution_id: ExecutionId, workflow: Workflow, first: Event) -> None:
        """Keep a new execution."""
        if execution_id in self._logs:
            raise StoreError(f"There is an execution {execution_id!r} already.", code="store.exists")
        self._logs[execution_id] = _Log(workflow, first)

    def append(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Keep the next events."""
        log = self._log(execution_id)
        if events[0].seq != log.first_seq + len(log.events):
            raise StoreError(
                f"Event {events[0].seq} of execution {execution_id!r} does not follow "
                f"event {log.first_seq + len(log.events) - 1}.",
                code="store.gap",
                remedy="Two engines run the same execution; stop one.",
            )
        log.events.extend(events)
        last = events[-1]
        if isinstance(last, WorkflowCompleted):
            log.status = last.status
            self._finished.append(execution_id)
            self._finished_events += len(log.events)
            self._forget_oldest()
        elif len(log.events) > self._ring_events:
            # In steps, which keeps this cheap.
            share = self._ring_events // 8
            del log.events[:share]
            log.first_seq += share

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """Events with a greater seq, as far as the ring still has them."""
        log = self._log(execution_id)
        start = max(0, after - log.first_seq + 1)
        return Page(events=log.events[start : start + limit], first_seq=log.first_seq)

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """The execution's document and status."""
        log = self._logs.get(execution_id)
        if log is None:
            return None
        return ExecutionRecord(execution_id=execution_id, workflow=log.workflow, status=log.status)

    def close(self) -> None:
        """Forget everything."""
        self._logs.clear()
        self._finished.clear()
        self._finished_events = 0

    def _log(self, execution_id: ExecutionId) -> _Log:
        try:
            return self._logs[execution_id]
        except KeyError:
            raise StoreError(
                f"There is no execution {execution_id!r}.",
                code="execution.unknown",
                remedy="It may have left the memory store, which keeps the latest only.",
            ) from None

    def _forget_oldest(self) -> None:
        while self._finished_events > self._ring_events and len(self._finished) > 1:
            self._finished_events -= len(self._logs.pop(self._finished.popleft()).events)
