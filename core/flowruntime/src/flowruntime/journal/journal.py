"""The journal of a runtime: opens the logs of executions, and reads and follows them from any `seq`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from flowcore.contracts import Change, Claim, ExecutionRecord, Owner, Page, Registered, Request, Store
from flowcore.errors import ExecutionError, StoreError
from flowcore.events import Event, ExecutionId, WorkflowCompleted, WorkflowStarted
from flowcore.workflows import Workflow

from flowruntime.journal.durable import DurableLog
from flowruntime.journal.following import Batch, Following, HistoryGap
from flowruntime.journal.log import ExecutionLog, Observed
from flowruntime.journal.pages import SharedPages
from flowruntime.journal.tending import Tending
from flowruntime.journal.writer import Writer
from flowruntime.secrets import Net

__all__ = ["LEASE_SECONDS", "Journal"]

#: How long a process that cannot be looked at may be silent before its executions are taken over.
LEASE_SECONDS: Final = 30.0

#: How many events a follower gets at once, at most.
_PAGE = 5000


class Journal:
    """All executions of one store. Used from the loop's thread.

    A store that blocks is written by a thread of its own, between `open` and `close`; what is read of it comes from
    memory or from another thread, except by `read` and `record`. No event tells what is in the `net`.
    """

    def __init__(self, store: Store, net: Net | None = None) -> None:
        self.store = store
        self._net = net
        self._open: dict[ExecutionId, ExecutionLog] = {}
        self._writer: Writer | None = None
        self._tending: Tending | None = None
        #: This process, as the store knows it; None where the store is this process's own.
        self.owner: Registered | None = None
        self._pages = SharedPages(self._read_page)
        #: Told of every event of the logs that are opened from now on, in batches, once it is durable.
        self.observed: Observed | None = None

    async def open(self, owner: Owner, *, lease_seconds: float = LEASE_SECONDS) -> None:
        """Make the store usable, and this process known to it. Raises StoreError when that cannot be."""
        if self.store.blocking:
            await asyncio.to_thread(self.store.open)
            try:
                self.owner = await asyncio.to_thread(self.store.register, owner, lease_seconds=lease_seconds)
            except BaseException:
                await asyncio.to_thread(self.store.close)
                raise
            self._lease_seconds = lease_seconds
            self._writer = Writer(self.store, troubled=self._troubled)
            self._writer.start()

    def tend(
        self,
        *,
        recovery: str | None,
        requested: Callable[[Sequence[Request]], None],
        found: Callable[[Sequence[ExecutionId]], None],
    ) -> None:
        """Keep the leases alive from now on, and say what others want. Called once, after `open`."""
        if self.owner is not None:
            self._tending = Tending(
                self.store,
                owner=self.owner.number,
                lease_seconds=self._lease_seconds,
                recovery=recovery,
                is_idle=lambda: not self._open,
                requested=requested,
                found=found,
                lapsed=self._lapsed,
            )

    async def close(self) -> None:
        """Make durable what is left, and close the store. Raises StoreError when the store does not take it."""
        tending, self._tending = self._tending, None
        if tending is not None:
            await tending.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                await writer.close()
            finally:
                await asyncio.sleep(0)  # what the writer told at last is taken in
                await asyncio.to_thread(self._leave)

    def _leave(self) -> None:
        owner, self.owner = self.owner, None
        with contextlib.suppress(StoreError):  # what cannot be said now is found out when this process is gone
            if owner is not None:
                self.store.leave(owner.number)
        self.store.close()

    @property
    def trouble(self) -> StoreError | None:
        """Why nothing can be kept now; no execution can be created meanwhile, and those that run wait for the store."""
        return None if self._writer is None else self._writer.trouble

    @property
    def blocking(self) -> bool:
        """Whether `read` and `record` may block on a disk."""
        return self.store.blocking

    def create(
        self,
        execution_id: ExecutionId,
        workflow: Workflow,
        first: WorkflowStarted,
        named: Mapping[str, Workflow] | None = None,
        *,
        recovery: str | None = None,
        once: tuple[str, str] | None = None,
        leader: ExecutionLog | None = None,
    ) -> ExecutionLog:
        """Begin an execution. Event 1 is kept when this returns; in a store that blocks, when it is durable.

        `named` are the workflows that it may run by name; `recovery` and `once` as in `Change`. It is kept together
        with the end of the `leader`, which is about to be decided. Raises StoreError when the store cannot be used.
        """
        change = Change(execution_id, [first], workflow, named, 0, "pending", None, recovery, once)
        log: ExecutionLog
        if self.store.blocking:
            if self.owner is None or self._writer is None:
                raise _closed()
            if self._writer.trouble is not None and leader is None:
                raise self._writer.trouble
            change = change._replace(owner=self.owner.number)
            log = self._durable_log(execution_id, self._writer, token=1, seq=1, creation=change, leader=leader)
        else:
            (refused,) = self.store.commit((change,))
            if refused is not None:
                raise refused
            log = ExecutionLog(execution_id, self.store, seq=1)
            log.net = self._net
            if self.observed is not None:
                log.observe(self.observed)
                self.observed(execution_id, [first])
        self._open[execution_id] = log
        return log

    async def claim(self, execution_id: str) -> Claim:
        """Take an execution over that nobody runs. Raises StoreError, also when somebody does."""
        if self.owner is None or self._writer is None:
            raise StoreError(
                "Executions in memory end with their process, so there is none to be resumed.",
                code="store.memory",
                remedy="Name a database: --db sqlite:///PATH.",
            )
        if self._writer.trouble is not None:
            raise self._writer.trouble
        try:
            return await asyncio.to_thread(self.store.claim, ExecutionId(execution_id), self.owner.number)
        except StoreError as error:
            if error.code == "execution.unknown":
                raise _unknown(execution_id) from error
            raise

    def reopen(self, claim: Claim) -> ExecutionLog:
        """The log of an execution that was taken over, to be written on."""
        if self._writer is None:
            raise _closed()
        log = self._durable_log(claim.execution_id, self._writer, token=claim.token, seq=claim.seq, creation=None)
        self._open[claim.execution_id] = log
        return log

    async def give_back(self, claim: Claim, *, quarantine: str | None = None) -> None:
        """Do not run on what was taken over; with a reason for `quarantine` nobody does unless asked to."""
        with contextlib.suppress(StoreError):
            if quarantine is None:
                await asyncio.to_thread(self.store.release, claim.execution_id, claim.token)
            else:
                await asyncio.to_thread(self.store.quarantine, claim.execution_id, claim.token, quarantine)

    def close_log(self, log: ExecutionLog) -> None:
        """The execution runs here no more: hand on what is left and let its followers see the end."""
        log.flush()
        if not log.is_blocking:
            self._open.pop(log.execution_id, None)
        log.close()

    def is_open(self, execution_id: str) -> bool:
        """Whether the execution runs here, or has ended here and is not durable yet."""
        return execution_id in self._open

    async def until_durable(self, execution_id: str) -> None:
        """Return when all that is decided of an execution is durable."""
        log = self._open.get(ExecutionId(execution_id))
        if log is not None and log.is_blocking:
            await log.until_durable(log.seq)

    def read(self, execution_id: str, after: int = 0, limit: int = _PAGE) -> Page:
        """Durable events with a seq greater than `after`. Raises StoreError for an unknown execution."""
        log = self._open.get(ExecutionId(execution_id))
        if log is None or log.is_blocking:
            return self.store.read(ExecutionId(execution_id), after, limit)
        return log.read(after, limit)

    def record(self, execution_id: str) -> ExecutionRecord:
        """What stands beside the log. Raises ExecutionError for an unknown execution."""
        record = self.store.record(ExecutionId(execution_id))
        if record is None:
            raise _unknown(execution_id)
        return record

    def follow(self, execution_id: str, after: int = 0) -> Following:
        """Events with a seq greater than `after`, until the execution ends or runs here no more.

        Raises ExecutionError for an unknown execution; when the store blocks, not before it is iterated over.
        """
        if self.store.blocking:
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
            return self.store.read(execution_id, after, _PAGE).events
        except StoreError as error:
            if error.code == "execution.unknown":
                raise _unknown(execution_id) from error
            raise

    def _durable_log(
        self,
        execution_id: ExecutionId,
        writer: Writer,
        *,
        token: int,
        seq: int,
        creation: Change | None,
        leader: ExecutionLog | None = None,
    ) -> DurableLog:
        log = DurableLog(
            execution_id,
            self.store,
            writer,
            token=token,
            seq=seq,
            creation=creation,
            leader=leader if isinstance(leader, DurableLog) else None,
            on_over=self._over,
        )
        log.net = self._net
        if self.observed is not None:
            log.observe(self.observed)
        return log

    def _over(self, log: ExecutionLog) -> None:
        self._open.pop(log.execution_id, None)

    def _lapsed(self) -> None:
        for log in list(self._open.values()):
            if isinstance(log, DurableLog):
                log.ask()

    def _troubled(self, error: StoreError) -> None:
        for log in list(self._open.values()):
            if isinstance(log, DurableLog):
                log.trouble(error)


def _closed() -> StoreError:
    return StoreError("The database is not open.", code="store.closed", remedy="Use the runtime inside `async with`.")


def _unknown(execution_id: str) -> ExecutionError:
    return ExecutionError(
        f"There is no execution {execution_id!r}.",
        code="execution.unknown",
        remedy="`flow executions list` shows those that are kept.",
    )
