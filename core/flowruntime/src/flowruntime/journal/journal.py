"""The journal of a runtime: opens the logs of executions, and reads and follows them from any `seq`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from flowcore.contracts import ExecutionRecord, Page, Store
from flowcore.errors import ExecutionError, StoreError
from flowcore.events import Event, ExecutionId, WorkflowCompleted, WorkflowStarted
from flowcore.workflows import Workflow

from flowruntime.journal.durable import DurableLog
from flowruntime.journal.following import Batch, Following, HistoryGap
from flowruntime.journal.log import ExecutionLog
from flowruntime.journal.pages import SharedPages
from flowruntime.journal.writer import Writer

__all__ = ["Journal"]

#: How many events a follower gets at once, at most.
_PAGE = 5000


class Journal:
    """All executions of one store. Used from the loop's thread.

    A store that blocks is written by a thread of its own, between `open` and `close`; what is read of it comes from
    memory or from another thread, except by `read` and `record`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[ExecutionId, ExecutionLog] = {}
        self._writer: Writer | None = None
        self._pages = SharedPages(self._read_page)

    async def open(self) -> None:
        """Make the store usable. Raises StoreError when it is not."""
        if self._store.blocking:
            await asyncio.to_thread(self._store.open)
            self._writer = Writer(self._store, troubled=self._troubled)
            self._writer.start()

    async def close(self) -> None:
        """Make durable what is left, and close the store. Raises StoreError when the store does not take it."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                await writer.close()
            finally:
                await asyncio.sleep(0)  # what the writer told at last is taken in
                await asyncio.to_thread(self._store.close)

    @property
    def trouble(self) -> StoreError | None:
        """Why nothing can be kept now; no execution can be created meanwhile, and those that run wait for the store."""
        return None if self._writer is None else self._writer.trouble

    @property
    def blocking(self) -> bool:
        """Whether `read` and `record` may block on a disk."""
        return self._store.blocking

    def create(
        self,
        execution_id: ExecutionId,
        workflow: Workflow,
        first: WorkflowStarted,
        named: Mapping[str, Workflow] | None = None,
    ) -> ExecutionLog:
        """Begin an execution. Event 1 is kept when this returns; in a store that blocks, when it is durable.

        `named` are the workflows that it may run by name. Raises StoreError when the store cannot be used.
        """
        log: ExecutionLog
        if self._store.blocking:
            log = self._create_durable(execution_id, workflow, first, named)
        else:
            self._store.create(execution_id, workflow, first, named)
            log = ExecutionLog(execution_id, self._store, seq=1)
        self._open[execution_id] = log
        return log

    def close_log(self, log: ExecutionLog) -> None:
        """The execution runs here no more: hand on what is left and let its followers see the end."""
        log.flush()
        if not log.is_blocking:
            self._open.pop(log.execution_id, None)
        log.close()

    async def until_durable(self, execution_id: str) -> None:
        """Return when all that is decided of an execution is durable."""
        log = self._open.get(ExecutionId(execution_id))
        if log is not None and log.is_blocking:
            await log.until_durable(log.seq)

    def read(self, execution_id: str, after: int = 0, limit: int = _PAGE) -> Page:
        """Durable events with a seq greater than `after`. Raises StoreError for an unknown execution."""
        log = self._open.get(ExecutionId(execution_id))
        if log is None or log.is_blocking:
            return self._store.read(ExecutionId(execution_id), after, limit)
        return log.read(after, limit)

    def record(self, execution_id: str) -> ExecutionRecord:
        """What stands beside the log. Raises ExecutionError for an unknown execution."""
        record = self._store.record(ExecutionId(execution_id))
        if record is None:
            raise _unknown(execution_id)
        return record

    def follow(self, execution_id: str, after: int = 0) -> Following:
        """Events with a seq greater than `after`, until the execution ends or runs here no more.

        Raises ExecutionError for an unknown execution; when the store blocks, not before it is iterated over.
        """
        if self._store.blocking:
            return Following(lambda: self._durable_batches(ExecutionId(execution_id), after))
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

    async def _durable_batches(self, execution_id: ExecutionId, after: int) -> AsyncIterator[Batch]:
        while True:
            log = self._open.get(execution_id)
            batch = log.tail(after) if isinstance(log, DurableLog) else None
            if batch is None:
                batch = await self._pages.get(execution_id, after)
            if batch:
                after = batch[-1].seq
                yield batch
                if isinstance(batch[-1], WorkflowCompleted):
                    return
            elif not isinstance(log, DurableLog):
                return
            elif log.refused is not None:
                raise log.refused
            elif self._open.get(execution_id) is log:
                await log.wait()

    def _read_page(self, execution_id: ExecutionId, after: int) -> Sequence[Event]:
        """Events of the database. Called on any thread."""
        try:
            return self._store.read(execution_id, after, _PAGE).events
        except StoreError as error:
            if error.code == "execution.unknown":
                raise _unknown(execution_id) from error
            raise

    def _create_durable(
        self,
        execution_id: ExecutionId,
        workflow: Workflow,
        first: WorkflowStarted,
        named: Mapping[str, Workflow] | None,
    ) -> DurableLog:
        if self._writer is None:
            raise StoreError(
                "The database is not open.", code="store.closed", remedy="Use the runtime inside `async with`."
            )
        if self._writer.trouble is not None:
            raise self._writer.trouble
        return DurableLog(
            execution_id,
            self._store,
            self._writer,
            workflow=workflow,
            named=named,
            first=first,
            on_over=self._over,
        )

    def _over(self, log: ExecutionLog) -> None:
        self._open.pop(log.execution_id, None)

    def _troubled(self, error: StoreError) -> None:
        for log in list(self._open.values()):
            if isinstance(log, DurableLog):
                log.trouble(error)


def _unknown(execution_id: str) -> ExecutionError:
    return ExecutionError(
        f"There is no execution {execution_id!r}.",
        code="execution.unknown",
        remedy="`flow executions list` shows those that are kept.",
    )
