"""When workflows are to be started: what triggers with a time keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Schedule", "ScheduleStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A trigger of an active workflow, and when it fires next. `due_us` is in microseconds since the epoch."""

    workflow_id: str
    trigger_id: str
    due_us: int


class ScheduleStore(Protocol):
    """Due times by workflow and trigger. That one fires once, whoever looks, is the business of `Change.once`."""

    def put(self, schedule: Schedule) -> None:
        """Set when a trigger fires next."""
        ...

    def move(self, workflow_id: str, trigger_id: str, *, from_us: int, to_us: int) -> bool:
        """Set when a trigger fires next, if it was to fire at `from_us`; whether it was."""
        ...

    def due(self, now_us: int, limit: int = 100) -> Sequence[Schedule]:
        """Schedules that are due, the earliest first."""
        ...

    def next_due_us(self) -> int | None:
        """When the next one is due; None without schedules."""
        ...

    def list(self, workflow_id: str | None = None) -> Sequence[Schedule]:
        """All schedules, or those of a workflow."""
        ...

    def remove(self, workflow_id: str, trigger_id: str | None = None) -> None:
        """Forget a schedule, or all of a workflow."""
        ...
