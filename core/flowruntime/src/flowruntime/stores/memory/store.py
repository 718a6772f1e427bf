"""The store that keeps everything in this process: a ring of events, gone at the end. `flowcore.contracts.Store`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from flowcore.contracts import Change, Claim, ExecutionRecord, ExecutionSummary, Owner, Page, Registered
from flowcore.errors import StoreError
from flowcore.events import ExecutionId, WorkflowCompleted
from flowcore.executions import Status
from flowcore.workflows import Workflow

from flowruntime.stores.memory.audit import MemoryAudit
from flowruntime.stores.memory.leases import Leases
from flowruntime.stores.memory.library import MemoryLibrary
from flowruntime.stores.memory.logs import RING_EVENTS, Log, Logs
from flowruntime.stores.memory.node_values import MemoryValues
from flowruntime.stores.memory.requests import MemoryRequests
from flowruntime.stores.memory.schedules import MemorySchedules
from flowruntime.stores.memory.secrets import MemorySecrets
from flowruntime.stores.memory.tokens import MemoryTokens
from flowruntime.stores.refusals import already_seen, does_not_follow, exists, has_ended, is_lost

__all__ = ["RING_EVENTS", "MemoryStore"]


def _wall_us() -> int:
    return time.time_ns() // 1000


class MemoryStore:
    """Executions in memory. `now_us` is the store's clock, by which leases run out."""

    blocking = False

    def __init__(self, *, ring_events: int = RING_EVENTS, now_us: Callable[[], int] = _wall_us) -> None:
        self._logs = Logs(ring_events)
        self._leases = Leases(self._logs, now_us)
        self.workflows = MemoryLibrary(now_us=now_us)
        self.requests = MemoryRequests(self._logs, now_us)
        self.values = MemoryValues()
        self.schedules = MemorySchedules()
        self.tokens = MemoryTokens()
        self.secrets = MemorySecrets()
        self.audit = MemoryAudit()

    def open(self) -> None:
        """Nothing needs to be done."""

    def close(self) -> None:
        """Nothing needs to be done: what this process keeps, it keeps until the store is dropped."""

    # --- executions ---------------------------------------------------------------------------------

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        """Keep several changes, one after the other."""
        refusals: list[StoreError | None] = []
        for change in changes:
            try:
                if change.follower is not None:
                    self._check_begin(change.follower)
                if change.workflow is None:
                    self._go_on(change)
                else:
                    self._begin(change, change.workflow)
                if change.follower is not None and change.follower.workflow is not None:
                    self._begin(change.follower, change.follower.workflow)
            except StoreError as error:
                refusals.append(error)
            else:
                refusals.append(None)
        return refusals

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """Events with a greater seq, as far as the ring still has them."""
        log = self._logs.get(execution_id)
        start = max(0, after - log.first_seq + 1)
        return Page(events=log.events[start : start + limit], first_seq=log.first_seq)

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """The execution's document and status."""
        log = self._logs.all.get(execution_id)
        if log is None:
            return None
        return ExecutionRecord(
            execution_id=execution_id,
            workflow=log.workflow,
            status=log.status,
            named=dict(log.named),
            quarantine=log.quarantine,
        )

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        """The executions that began last and are still kept, the newest first."""
        newest = iter(reversed(self._logs.all.items()))
        if before is not None:
            self._logs.get(before)
            next(execution_id for execution_id, _ in newest if execution_id == before)
        fitting = ((execution_id, log) for execution_id, log in newest if status in (None, log.status))
        living = dict(self._leases.owners())
        return [_summary(execution_id, log, living) for execution_id, log in islice(fitting, limit)]

    def summary(self, execution_id: ExecutionId) -> ExecutionSummary | None:
        """The line of one execution."""
        log = self._logs.all.get(execution_id)
        return None if log is None else _summary(execution_id, log, dict(self._leases.owners()))

    def created_once(self, scope: str, key: str) -> ExecutionId | None:
        """The execution that was created for this."""
        return self._logs.seen.get((scope, key))

    def _check_begin(self, change: Change) -> None:
        """Raises StoreError where it cannot be begun."""
        execution_id, events, owner = change.execution_id, change.events, change.owner or 0
        if not events or events[0].seq != 1:
            raise does_not_follow(execution_id, events[0].seq if events else 0, 0)
        if change.once in self._logs.seen:
            raise already_seen(*change.once)
        if owner:
            self._leases.check(owner)
        if execution_id in self._logs.all:
            raise exists(execution_id)

    def _begin(self, change: Change, workflow: Workflow) -> None:
        self._check_begin(change)
        execution_id, events, owner = change.execution_id, change.events, change.owner or 0
        log = Log(workflow, events, change.named or {})
        log.owner, log.recovery, log.once = owner, change.recovery, change.once
        if owner:
            log.token, log.status = 1, change.status
        self._logs.add(execution_id, log)
        if len(events) > 1:
            self._extended(execution_id, log)

    def _go_on(self, change: Change) -> None:
        execution_id, events = change.execution_id, change.events
        log = self._logs.get(execution_id)
        # Without an owner it was never claimed, as nearly all executions of this store.
        if (log.owner or change.token or log.token) and not log.is_held(change.token):
            raise is_lost(execution_id)
        if log.ended_us is not None:
            if events:
                raise has_ended(execution_id, log.status)
            return  # its last change has settled what this one would
        if events and events[0].seq != log.seq + 1:
            raise does_not_follow(execution_id, events[0].seq, log.seq)
        log.status = change.status
        if change.cancel:
            log.cancel_requested = True
        if change.answers:
            self.requests.answer(execution_id, change.answers)
        if events:
            log.events.extend(events)
            self._logs.grown(len(events))
            self._extended(execution_id, log)

    def _extended(self, execution_id: ExecutionId, log: Log) -> None:
        last = log.events[-1]
        if isinstance(last, WorkflowCompleted):
            log.status = last.status
            log.ended_us = last.at_us
            self.requests.refuse_waiting(execution_id, last.status)
            self._logs.end(execution_id, log)
        elif len(log.events) > self._logs.ring_events:
            self._logs.shorten(log)

    # --- leases -------------------------------------------------------------------------------------

    def register(self, owner: Owner, *, lease_seconds: float) -> Registered:
        """Make an owner known."""
        return self._leases.register(owner, lease_seconds=lease_seconds)

    def keep_alive(self, number: int) -> bool:
        """Renew the leases of an owner."""
        return self._leases.keep_alive(number)

    def leave(self, number: int) -> None:
        """Give all leases of an owner back."""
        self._leases.leave(number)

    def owners(self) -> list[Registered]:
        """Those that are alive."""
        return self._leases.owners()

    def claim(self, execution_id: ExecutionId, owner: int) -> Claim:
        """Take over what nobody runs."""
        return self._leases.claim(execution_id, owner)

    def release(self, execution_id: ExecutionId, token: int) -> None:
        """Give a lease back."""
        self._leases.release(execution_id, token)

    def unowned(self, *, recovery: str | None = None, limit: int = 1000) -> list[ExecutionId]:
        """What has not ended and nobody runs."""
        return self._leases.unowned(recovery=recovery, limit=limit)

    def quarantine(self, execution_id: ExecutionId, token: int, why: str) -> None:
        """Set an execution aside."""
        self._leases.quarantine(execution_id, token, why)


def _summary(execution_id: ExecutionId, log: Log, living: Mapping[int, Owner]) -> ExecutionSummary:
    return ExecutionSummary(
        execution_id=execution_id,
        workflow_id=log.workflow.id,
        status=log.status,
        seq=log.seq,
        started_us=log.started_us,
        ended_us=log.ended_us,
        owner=living.get(log.owner),
    )
