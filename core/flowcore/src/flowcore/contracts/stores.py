"""Where executions are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from flowcore.contracts.access import AuditStore, SecretStore, TokenStore
from flowcore.contracts.leases import Claim, Owner, Registered
from flowcore.contracts.library import LibraryStore
from flowcore.contracts.node_values import ValueStore
from flowcore.contracts.requests import RequestStore
from flowcore.contracts.schedules import ScheduleStore
from flowcore.errors import StoreError
from flowcore.events import ErrorObject, Event, ExecutionId
from flowcore.executions import Status
from flowcore.workflows import Workflow

__all__ = ["Change", "ExecutionRecord", "ExecutionSummary", "Page", "Store", "StoreUnavailable"]


class StoreUnavailable(StoreError):  # noqa: N818 - it says what the store is
    """The store cannot be used now; the same call may succeed once the cause is gone. Nothing was changed."""

    default_code = "store.unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """What stands beside the log of an execution: its documents, which never change, and its derived status.

    `named` are the workflows that it runs by name, as they were when it began. `quarantine` says why an execution is
    `quarantined`.
    """

    execution_id: ExecutionId
    workflow: Workflow
    status: Status
    named: Mapping[str, Workflow] = field(default_factory=dict)
    quarantine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSummary:
    """One line of a list of executions. Times in microseconds since the epoch; `seq` is the latest event kept.

    `owner` runs it; None for one that has ended, and for one that nobody runs: its owner is gone, or it never had one.
    """

    execution_id: ExecutionId
    workflow_id: str
    status: Status
    seq: int
    started_us: int
    ended_us: int | None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events read from a log in order. `first_seq` is the oldest still kept: a cursor before it has lost events."""

    events: Sequence[Event]
    first_seq: int


class Change(NamedTuple):
    """The next events of one execution, and what becomes of what stands beside them.

    With a `workflow` it is a new one, which begins with event 1; `owner` is the number of who runs it from the
    beginning (its token is 1 then; without an owner it is `pending`, with token 0), `recovery` the name under which
    runtimes take it up by themselves when its owner is gone, and `once` a `(scope, key)` that no execution may have
    been created with before (`store.seen`): a due time, the id of a delivery, an idempotency key. Later changes carry
    the `token` of the lease; one that is not the latest, or that was given back, is refused (`lease.lost`). What was
    never claimed is changed with token 0. `status` is what the execution is after these events unless they end it.
    With `cancel` somebody wants it to end, and whoever takes it up after this ends it.
    `answers` are the requests that came to be answered by these events, with the error object of those that failed.
    `follower` begins a further execution because of these events: both are kept, or neither is.
    Without events it changes only what stands beside them; of an execution that has ended, nothing.
    """

    execution_id: ExecutionId
    events: Sequence[Event]
    workflow: Workflow | None = None
    named: Mapping[str, Workflow] | None = None
    token: int = 0
    status: Status = "running"
    owner: int | None = None
    recovery: str | None = None
    once: tuple[str, str] | None = None
    answers: Mapping[int, ErrorObject | None] | None = None
    cancel: bool = False
    follower: Change | None = None


class Store(Protocol):
    """Keeps executions and their events.

    Events of an execution are kept in order and without gaps. All methods may be called from any thread, except on a
    store that is not `blocking`; what changes something returns when that is kept as durably as the store keeps
    anything. All raise StoreUnavailable when the store cannot be used, and StoreError when it is closed.
    """

    #: Whether calls may block on a disk or a network, and belong on a thread of their own.
    blocking: bool

    @property
    def workflows(self) -> LibraryStore:
        """Workflows by name."""
        ...

    @property
    def values(self) -> ValueStore:
        """What nodes keep across executions."""
        ...

    @property
    def requests(self) -> RequestStore:
        """What is wanted of executions."""
        ...

    @property
    def schedules(self) -> ScheduleStore:
        """When triggers fire."""
        ...

    @property
    def tokens(self) -> TokenStore:
        """API tokens."""
        ...

    @property
    def secrets(self) -> SecretStore:
        """Encrypted secrets."""
        ...

    @property
    def audit(self) -> AuditStore:
        """Who did what."""
        ...

    def open(self) -> None:
        """Make the store usable; called before anything else, and again after `close`."""
        ...

    def close(self) -> None:
        """Release what the store holds."""
        ...

    # --- executions ---------------------------------------------------------------------------------

    def commit(self, changes: Sequence[Change]) -> Sequence[StoreError | None]:
        """Keep several changes, of different executions, as one; for each why it alone was refused, or None.

        Refused are an execution that exists (`store.exists`) or was started before (`store.seen`), one of an owner that
        is not registered (`owner.unknown`), an unknown one (`execution.unknown`), one that somebody else has claimed or
        that was given back (`lease.lost`), events of one that has ended (`execution.final`), events that do not follow
        the latest one that is kept (`store.gap`), and what is no JSON (`store.not_json`). When it raises, none of the
        changes is kept. Why a `follower` was refused is told of the change that it belongs to.
        """
        ...

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """At most `limit` events with a seq greater than `after`; none are left when fewer come."""
        ...

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """What stands beside the log; None for an unknown execution."""
        ...

    def summary(self, execution_id: ExecutionId) -> ExecutionSummary | None:
        """The line that lists have for an execution; None for an unknown one."""
        ...

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> Sequence[ExecutionSummary]:
        """The executions that began last, the newest first; `before` is the last one of the page before.

        An unknown `before` is an error, `execution.unknown`.
        """
        ...

    def created_once(self, scope: str, key: str) -> ExecutionId | None:
        """The execution that was created with that `Change.once`; None when there is none."""
        ...

    # --- leases -------------------------------------------------------------------------------------

    def register(self, owner: Owner, *, lease_seconds: float) -> Registered:
        """Make a process known that will run executions; its leases last so long without `keep_alive`.

        Raises StoreError, `runtime.name_taken`, when a live process has the same name and one of them was given it.
        """
        ...

    def keep_alive(self, number: int) -> bool:
        """Renew all leases of an owner. False when they ran out meanwhile, and somebody may have claimed them.

        They are renewed all the same, as far as nobody has. Raises StoreError, `owner.unknown`, for one that
        left, or whose leases ran out and whose given name another process has registered since: it has to register
        anew, and what it ran is lost to it.
        """
        ...

    def leave(self, number: int) -> None:
        """The owner runs nothing any more: its leases are void. Nothing happens when it is not registered."""
        ...

    def owners(self) -> Sequence[Registered]:
        """Those that are alive."""
        ...

    def claim(self, execution_id: ExecutionId, owner: int) -> Claim:
        """Take over an execution that nobody runs; its token grows by one. A quarantined one is `running` again.

        Any other keeps its status until the next change. Raises StoreError when there is none (`execution.unknown`),
        when it has ended (`execution.final`), when somebody runs it, be it this owner (`lease.held`, which names them
        in its message), or when this owner is not registered (`owner.unknown`).
        """
        ...

    def release(self, execution_id: ExecutionId, token: int) -> None:
        """Give a lease back; nothing happens when somebody else has it by now."""
        ...

    def unowned(self, *, recovery: str | None = None, limit: int = 1000) -> Sequence[ExecutionId]:
        """Executions that have not ended and nobody runs, the oldest first; quarantined ones are left out.

        With `recovery` those that were created with it. What has ended is not looked at.
        """
        ...

    def quarantine(self, execution_id: ExecutionId, token: int, why: str) -> None:
        """Set an execution aside until somebody claims it by hand; its lease ends.

        Raises StoreError: `execution.unknown`, `execution.final` and `lease.lost` as in `commit`.
        """
        ...
