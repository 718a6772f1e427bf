"""The journal of a runtime: opens the logs of executions, and reads and follows them from any `seq`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from flowcore.contracts import ExecutionRecord, Page, Store
from flowcore.errors import ExecutionError
from flowcore.events import ExecutionId, WorkflowStarted
from flowcore.workflows import Workflow

from flowruntime.journal.following import Batch, Following, HistoryGap
from flowruntime.journal.log import ExecutionLog

__all__ = ["Journal"]

#: How many events a follower gets at once, at most.
_PAGE = 5000


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
        log.close()

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

    def follow(self, execution_id: str, after: int = 0) -> Following:
        """Events with a seq greater than `after`, until the execution ends or runs here no more.

        Raises ExecutionError for an unknown execution.
        """
        self.record(execution_id)
        return Following(lambda: self._batches(execution_id, after))

    async def _batches(self, execution_id: str, after: int) -> AsyncIterator[Batch]:
        while True:
            log = self._open.get(ExecutionId(execution_id))
            page = self.read(execution_id, after)
            if page.first_seq > after + 1:
                gap = HistoryGap(first=after + 1, last=page.first_seq - 1)
                after = page.first_seq - 1
                yield [gap]
            if page.events:
                after = page.events[-1].seq
                yield page.events
            elif log is None:
                return
            else:
                await log.wait()
