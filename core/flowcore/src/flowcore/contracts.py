"""What flowruntime expects of stores, clocks and observers, as Protocols that anyone may implement.

Each has a conformance suite under `tests/conformance` that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId
from flowcore.executions import Status
from flowcore.workflows import Workflow

__all__ = [
    "Change",
    "Clock",
    "ExecutionRecord",
    "ExecutionSummary",
    "Observer",
    "Page",
    "Store",
    "StoreUnavailable",
]


class StoreUnavailable(StoreError):  # noqa: N818 - it says what the store is
    """The store cannot be used now; the same call may succeed once the cause is gone. Nothing was changed."""

    default_code = "store.unavailable"


class Clock(Protocol):
    """Time. The engine asks no other source, so a manual clock makes a whole run deterministic."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC. Never goes back within one process."""
        ...

    async def sleep_until(self, at_us: int) -> None:
        """Return when `now_us()` is at least `at_us`. May be cancelled."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """What stands beside the log of an execution: its documents, which never change, and its derived status.

    `named` are the workflows that it runs by name, as they were when it began.
    """

    execution_id: ExecutionId
    workflow: Workflow
    status: Status
    named: Mapping[str, Workflow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSummary:
    """One line of a list of executions. Times in microseconds since the epoch; `seq` is the latest event kept."""

    execution_id: ExecutionId
    workflow_id: str
    status: Status
    seq: int
    started_us: int
    ended_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events read from a log in order. `first_seq` is the oldest still kept: a cursor before it has lost events."""

    events: Sequence[Event]
    first_seq: int


class Change(NamedTuple):
    """The next events of one execution. With a `workflow` it is a new one, which begins with event 1."""

    execution_id: ExecutionId
    events: Sequence[Event]
    workflow: Workflow | None = None
    named: Mapping[str, Workflow] | None = None


class Store(Protocol):
    """Keeps executions and their events.

    Events of an execution are kept in order and without gaps. `commit`, `create` and `append` are called from one
    thread at a time, and return when what they were given is kept as durably as the store keeps anything. The other
    methods of a store that is `blocking` may be called from any thread meanwhile, and see what was committed. All raise
    StoreUnavailable when the store cannot be used, and StoreError when it is closed.
    """

    #: Whether calls may block on a disk or a network, and belong on a thread of their own.
    blocking: bool

    def open(self) -> None:
        """Make the store usable; called before anything else, and again after `close`."""
        ...

    def commit(self, changes: Sequence[Change]) -> Sequence[StoreError | None]:
        """Keep several changes, of different executions, as one; for each why it alone was refused, or None.

        Refused are an execution that exists (`store.exists`), an unknown one (`execution.unknown`), and events that do
        not follow the latest one that is kept (`store.gap`). When it raises, none of the changes is kept.
        """
        ...

    def create(
        self, execution_id: ExecutionId, workflow: Workflow, first: Event, named: Mapping[str, Workflow] | None = None
    ) -> None:
        """Keep a new execution with its event 1, the document it will run, and those that are run by name."""
        ...

    def append(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Keep the next events of an execution."""
        ...

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """At most `limit` events with a seq greater than `after`; none are left when fewer come."""
        ...

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """What stands beside the log; None for an unknown execution."""
        ...

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> Sequence[ExecutionSummary]:
        """The executions that began last, the newest first; `before` is the last one of the page before.

        An unknown `before` is an error, `execution.unknown`.
        """
        ...

    def close(self) -> None:
        """Release what the store holds."""
        ...


class Observer(Protocol):
    """Is told of events after they are durable, in order, in batches. May not change anything."""

    def observe(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Called on the loop's thread; an exception is reported once and harms nobody."""
        ...
