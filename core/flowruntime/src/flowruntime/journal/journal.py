"""The journal of a runtime: opens the logs of executions, and reads and follows them from any `seq`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from flowcore.contracts import ExecutionRecord, Page, Store
from flowcore.errors import ExecutionError
from flowcore.events import Event, ExecutionId, WorkflowStarted
from flowcore.workflows import Workflow

from flowruntime.journal.log import ExecutionLog

__all__ = ["HistoryGap", "Journal"]

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryGap:
    """Events `first` to `last` are not kept any more; what follows is whole again."""

    first: int
    last: int


class Journal:
    """All executions of one store. Used from the loop's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[ExecutionId, ExecutionLog] = {}

    def create(self, execution_id: ExecutionId, workflow: Workflow, first: WorkflowStarted) -> ExecutionLog:
        """Begin an execution; event 1 is kept when this returns."""
        self._store.create(execution_id, workflow, first)
        log = ExecutionLog(execution_id, self._store, seq=1)
        self._open[execution_id] = log
        return log

    def close_log(self, log: ExecutionLog) -> None:
        """The execution runs here no more: hand on what is left and let its followers see the end."""
        log.flush()
        self._open.pop(log.execution_id, None)
        log.bell.ring()

    def read(self, execution_id: str, after: int = 0, limit: int = _PAGE) -> Page:
        """Events with a seq greater than `after`. Raises StoreError for an unknown execution."""
        log = self._open.get(ExecutionId(execution_id))
        return log.read(after, limit) if log is not None else self._store.read(ExecutionId(execution_id), after, limit)

    def record(self, execution_id: str) -> ExecutionRecord:
        """What stands beside the log. Raises ExecutionError for an unknown execution."""
        record = self._store.record(ExecutionId(execution_id))
        if record is None:
            raise ExecutionError(f"There is no execution {execution_id!r}.", code="execution.unknown")
        return record

    async def follow(self, execution_id: str, after: int = 0) -> AsyncIterator[list[Event | HistoryGap]]:
        """Batches of events as they are kept, from any seq on, until the execution ends or runs here no more."""
        while True:
            log = self._open.get(ExecutionId(execution_id))
            page = self.read(execution_id, after)
            batch: list[Event | HistoryGap] = []
            if page.first_seq > after + 1:
                batch.append(HistoryGap(first=after + 1, last=page.first_seq - 1))
                after = page.first_seq - 1
            batch.extend(page.events)
            if page.events:
                after = page.events[-1].seq
            if batch:
                yield batch
            elif log is None:
                return
            else:
                await log.bell.wait()
