"""The store that keeps everything in this process: a ring of events, gone at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from flowcore.contracts import Change, ExecutionRecord, ExecutionSummary, Page
from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId, WorkflowCompleted
from flowcore.executions import Status
from flowcore.workflows import Workflow

__all__ = ["RING_EVENTS", "MemoryStore"]

#: How many events are kept of finished executions, the oldest of which go first, and of each that still runs.
RING_EVENTS = 100_000


class _Log:
    __slots__ = ("events", "first_seq", "named", "started_us", "status", "workflow")

    def __init__(self, workflow: Workflow, first: Event, named: Mapping[str, Workflow]) -> None:
        self.workflow = workflow
        self.named = named
        self.started_us = first.at_us
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

    def open(self) -> None:
        """Nothing needs to be done."""

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        """Keep several changes, one after the other."""
        return [self._refusal(change) for change in changes]

    def create(
        self, execution_id: ExecutionId, workflow: Workflow, first: Event, named: Mapping[str, Workflow] | None = None
    ) -> None:
        """Keep a new execution."""
        if execution_id in self._logs:
            raise StoreError(f"There is an execution {execution_id!r} already.", code="store.exists")
        self._logs[execution_id] = _Log(workflow, first, named or {})

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
        return ExecutionRecord(
            execution_id=execution_id, workflow=log.workflow, status=log.status, named=dict(log.named)
        )

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        """The executions that began last and are still kept, the newest first."""
        newest = iter(reversed(self._logs.items()))
        if before is not None:
            self._log(before)
            next(execution_id for execution_id, _ in newest if execution_id == before)
        fitting = ((execution_id, log) for execution_id, log in newest if status in (None, log.status))
        return [
            ExecutionSummary(
                execution_id=execution_id,
                workflow_id=log.workflow.id,
                status=log.status,
                seq=log.events[-1].seq,
                started_us=log.started_us,
                ended_us=log.events[-1].at_us if isinstance(log.events[-1], WorkflowCompleted) else None,
            )
            for execution_id, log in islice(fitting, limit)
        ]

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

    def _refusal(self, change: Change) -> StoreError | None:
        execution_id, events, workflow, named = change
        try:
            if workflow is not None:
                self.create(execution_id, workflow, events[0], named)
                events = events[1:]
            if events:
                self.append(execution_id, events)
        except StoreError as error:
            return error
        return None

    def _forget_oldest(self) -> None:
        while self._finished_events > self._ring_events and len(self._finished) > 1:
            self._finished_events -= len(self._logs.pop(self._finished.popleft()).events)
