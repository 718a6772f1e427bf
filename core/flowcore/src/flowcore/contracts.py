"""What flowruntime expects of stores, clocks and observers, as Protocols that anyone may implement.

Each has a conformance suite under `tests/conformance` that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flowcore.events import Event, ExecutionId
from flowcore.executions import Status
from flowcore.workflows import Workflow

__all__ = ["Clock", "ExecutionRecord", "Observer", "Page", "Store"]


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
    """What stands beside the log of an execution: its document, which never changes, and its derived status."""

    execution_id: ExecutionId
    workflow: Workflow
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events read from a log in order. `first_seq` is the oldest still kept: a cursor before it has lost events."""

    events: Sequence[Event]
    first_seq: int


class Store(Protocol):
    """Keeps executions and their events. Called from one thread at a time.

    Events of an execution are appended in order without gaps; `append` returns when they are kept as durably as the
    store keeps anything. Raises StoreError when it cannot be used.
    """

    #: Whether calls may block on a disk or a network, and belong on a thread of their own.
    blocking: bool

    def create(self, execution_id: ExecutionId, workflow: Workflow, first: Event) -> None:
        """Keep a new execution with its event 1 and the document it will run."""
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

    def close(self) -> None:
        """Release what the store holds. Called once."""
        ...


class Observer(Protocol):
    """Is told of events after they are durable, in order, in batches. May not change anything."""

    def observe(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Called on the loop's thread; an exception is reported once and harms nobody."""
        ...
