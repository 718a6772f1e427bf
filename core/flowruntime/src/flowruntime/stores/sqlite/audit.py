"""The audit log, in the database. `flowcore.contracts.AuditStore`."""

from __future__ import annotations

import json

from flowcore.contracts import AuditEntry
from flowcore.values import write_json

from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteAudit"]


class SqliteAudit:
    """Who did what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry."""
        details = write_json(dict(entry.details))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO audit (at_us, principal, action, subject, details) VALUES (?, ?, ?, ?, ?)",
                (entry.at_us, entry.principal, entry.action, entry.subject, details),
            )

    def list(self, *, before: int | None = None, limit: int = 100) -> list[tuple[int, AuditEntry]]:
        """Entries with their numbers, the newest first."""
        with self._database.snapshot() as reader:
            rows = reader.execute(
                "SELECT number, at_us, principal, action, subject, details FROM audit"
                " WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2",
                (before, limit),
            )
            return [
                (
                    number,
                    AuditEntry(
                        at_us=at_us, principal=principal, action=action, subject=subject, details=json.loads(details)
                    ),
                )
                for number, at_us, principal, action, subject, details in rows
            ]

    def prune(self, before_us: int) -> int:
        """Remove entries that are older."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM audit WHERE at_us < ?", (before_us,)).rowcount
