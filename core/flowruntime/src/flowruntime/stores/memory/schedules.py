"""When workflows are to be started, in memory. `flowcore.contracts.ScheduleStore`."""

from __future__ import annotations

from flowcore.contracts import Schedule

__all__ = ["MemorySchedules"]


class MemorySchedules:
    """Due times by workflow and trigger."""

    def __init__(self) -> None:
        self._due_us: dict[tuple[str, str], int] = {}

    def put(self, schedule: Schedule) -> None:
        """Set when a trigger fires next."""
        self._due_us[schedule.workflow_id, schedule.trigger_id] = schedule.due_us

    def move(self, workflow_id: str, trigger_id: str, *, from_us: int, to_us: int) -> bool:
        """Set when a trigger fires next, if nobody has moved it."""
        if self._due_us.get((workflow_id, trigger_id)) != from_us:
            return False
        self._due_us[workflow_id, trigger_id] = to_us
        return True

    def due(self, now_us: int, limit: int = 100) -> list[Schedule]:
        """Schedules that are due, the earliest first."""
        due = [schedule for schedule in self.list() if schedule.due_us <= now_us]
        return sorted(due, key=lambda schedule: schedule.due_us)[:limit]

    def next_due_us(self) -> int | None:
        """When the next one is due."""
        return min(self._due_us.values(), default=None)

    def list(self, workflow_id: str | None = None) -> list[Schedule]:
        """Schedules by workflow and trigger."""
        return [
            Schedule(workflow_id=workflow, trigger_id=trigger, due_us=due_us)
            for (workflow, trigger), due_us in sorted(self._due_us.items())
            if workflow_id in (None, workflow)
        ]

    def remove(self, workflow_id: str, trigger_id: str | None = None) -> None:
        """Forget a schedule, or all of a workflow."""
        for key in [key for key in self._due_us if key[0] == workflow_id and trigger_id in (None, key[1])]:
            del self._due_us[key]
