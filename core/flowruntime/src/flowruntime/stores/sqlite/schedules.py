"""When workflows are to be started, in the database. `flowcore.contracts.ScheduleStore`."""

from __future__ import annotations

from collections.abc import Iterable

from flowcore.contracts import Schedule

from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteSchedules"]


class SqliteSchedules:
    """Due times by workflow and trigger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, schedule: Schedule) -> None:
        """Set when a trigger fires next."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO schedules (workflow_id, trigger_id, due_us) VALUES (?, ?, ?)"
                " ON CONFLICT (workflow_id, trigger_id) DO UPDATE SET due_us = excluded.due_us",
                (schedule.workflow_id, schedule.trigger_id, schedule.due_us),
            )

    def move(self, workflow_id: str, trigger_id: str, *, from_us: int, to_us: int) -> bool:
        """Set when a trigger fires next, if nobody has moved it."""
        with self._database.transaction() as connection:
            moved = connection.execute(
                "UPDATE schedules SET due_us = ? WHERE workflow_id = ? AND trigger_id = ? AND due_us = ?",
                (to_us, workflow_id, trigger_id, from_us),
            )
            return moved.rowcount > 0

    def due(self, now_us: int, limit: int = 100) -> list[Schedule]:
        """Schedules that are due, the earliest first."""
        with self._database.snapshot() as reader:
            rows = reader.execute(
                "SELECT workflow_id, trigger_id, due_us FROM schedules WHERE due_us <= ?"
                " ORDER BY due_us, workflow_id, trigger_id LIMIT ?",
                (now_us, limit),
            )
            return _schedules(rows)

    def next_due_us(self) -> int | None:
        """When the next one is due."""
        with self._database.snapshot() as reader:
            (due_us,) = reader.execute("SELECT min(due_us) FROM schedules").fetchone()
        return None if due_us is None else int(due_us)

    def list(self, workflow_id: str | None = None) -> list[Schedule]:
        """Schedules by workflow and trigger."""
        with self._database.snapshot() as reader:
            rows = reader.execute(
                "SELECT workflow_id, trigger_id, due_us FROM schedules WHERE ?1 IS NULL OR workflow_id = ?1"
                " ORDER BY workflow_id, trigger_id",
                (workflow_id,),
            )
            return _schedules(rows)

    def remove(self, workflow_id: str, trigger_id: str | None = None) -> None:
        """Forget a schedule, or all of a workflow."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM schedules WHERE workflow_id = ?1 AND (?2 IS NULL OR trigger_id = ?2)",
                (workflow_id, trigger_id),
            )


def _schedules(rows: Iterable[tuple[str, str, int]]) -> list[Schedule]:
    return [
        Schedule(workflow_id=workflow_id, trigger_id=trigger_id, due_us=due_us)
        for workflow_id, trigger_id, due_us in rows
    ]
