"""Who runs which execution, in the database: owners, claims, and what nobody runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from flowcore.contracts import Claim, Owner, Registered
from flowcore.events import ExecutionId

from flowruntime.stores.processes import is_gone
from flowruntime.stores.refusals import has_ended, is_held, is_lost, name_taken, unknown, unknown_owner
from flowruntime.stores.sqlite.database import Database

__all__ = ["Leases", "alive", "unowned_query"]


class Leases:
    """The leases of one database. The methods are those of `flowcore.contracts.Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, owner: Owner, *, lease_seconds: float) -> Registered:
        """Make an owner known. Those whose processes are gone are forgotten on the way."""
        lease_us = round(lease_seconds * 1_000_000)
        with self._database.transaction() as connection:
            now_us = self._database.now_us()
            for number, other, expires_us in _owners(connection):
                same = other.name == owner.name and (other.is_given or owner.is_given)
                gone = is_gone(other)
                if same and not gone and expires_us > now_us:
                    raise name_taken(other)
                # One that only ran out may wake up again; not so when its name is another's now.
                if same or gone:
                    _forget(connection, number)
            made = connection.execute(
                "INSERT INTO owners (name, is_given, host, boot_id, pid, process_start, lease_us, expires_us)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    owner.name,
                    owner.is_given,
                    owner.host,
                    owner.boot_id,
                    owner.pid,
                    owner.process_start,
                    lease_us,
                    now_us + lease_us,
                ),
            )
        return Registered(made.lastrowid or 0, owner)

    def keep_alive(self, number: int) -> bool:
        """Renew the leases of an owner."""
        with self._database.transaction() as connection:
            now_us = self._database.now_us()
            row = connection.execute("SELECT lease_us, expires_us FROM owners WHERE number = ?", (number,)).fetchone()
            if row is None:
                raise unknown_owner(number)
            lease_us, expires_us = row
            connection.execute("UPDATE owners SET expires_us = ? WHERE number = ?", (now_us + lease_us, number))
            return bool(expires_us > now_us)

    def leave(self, number: int) -> None:
        """Give all leases of an owner back."""
        with self._database.transaction() as connection:
            _forget(connection, number)

    def owners(self) -> list[Registered]:
        """Those that are alive."""
        with self._database.snapshot() as reader:
            return [Registered(number, owner) for number, owner in alive(reader, self._database.now_us()).items()]

    def claim(self, execution_id: ExecutionId, owner: int) -> Claim:
        """Take over what nobody runs."""
        with self._database.transaction() as connection:
            number, status, seq, token, holder, cancel_requested = _unfinished(connection, execution_id)
            registered = {number: who for number, who, _ in _owners(connection)}
            if owner not in registered:
                raise unknown_owner(owner)
            # Whose leases ran out may not have noticed yet: nobody takes over from themselves.
            if holder == owner or holder in alive(connection, self._database.now_us(), only=holder):
                raise is_held(execution_id, registered[holder])
            connection.execute(
                "UPDATE executions SET owner = ?, token = token + 1, status = ?, quarantine = NULL WHERE number = ?",
                (owner, "running" if status == "quarantined" else status, number),
            )
        return Claim(execution_id, token + 1, seq, bool(cancel_requested))

    def release(self, execution_id: ExecutionId, token: int) -> None:
        """Give a lease back."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE executions SET owner = 0 WHERE id = ? AND token = ? AND ended_us IS NULL",
                (execution_id, token),
            )

    def unowned(self, *, recovery: str | None = None, limit: int = 1000) -> list[ExecutionId]:
        """What has not ended and nobody runs, by the index of what has not ended."""
        with self._database.snapshot() as reader:
            living = alive(reader, self._database.now_us())
            void = [number for number, _, _ in _owners(reader) if number not in living]
            query, values = unowned_query([0, *void], recovery, limit)
            return [ExecutionId(execution_id) for (execution_id,) in reader.execute(query, values)]

    def quarantine(self, execution_id: ExecutionId, token: int, why: str) -> None:
        """Set an execution aside."""
        with self._database.transaction() as connection:
            number, _, _, latest, holder, _ = _unfinished(connection, execution_id)
            if latest != token or (latest and not holder):
                raise is_lost(execution_id)
            connection.execute(
                "UPDATE executions SET status = 'quarantined', quarantine = ?, owner = 0 WHERE number = ?",
                (why, number),
            )


def alive(connection: sqlite3.Connection, now_us: int, *, only: int | None = None) -> dict[int, Owner]:
    """Those by number whose leases hold: they were renewed, and no process is known to be gone."""
    return {
        number: owner
        for number, owner, expires_us in _owners(connection)
        if only in (None, number) and expires_us > now_us and not is_gone(owner)
    }


def unowned_query(owners: Sequence[int], recovery: str | None, limit: int) -> tuple[str, list[Any]]:
    """The query for executions of these owners, who run nothing: what has ended stands in no index that it uses."""
    query = (
        "SELECT id FROM executions WHERE ended_us IS NULL AND status <> 'quarantined'"  # noqa: S608 - no data in it
        f" AND owner IN ({', '.join('?' * len(owners))})"
    )
    values: list[Any] = [*owners]
    if recovery is not None:
        query += " AND recovery = ?"
        values.append(recovery)
    return f"{query} ORDER BY number LIMIT ?", [*values, limit]


def _owners(connection: sqlite3.Connection) -> list[tuple[int, Owner, int]]:
    """All that are registered: the number, who it is, when its leases run out."""
    rows = connection.execute(
        "SELECT number, name, is_given, host, boot_id, pid, process_start, expires_us FROM owners ORDER BY number"
    )
    return [
        (
            number,
            Owner(name=name, is_given=bool(is_given), host=host, boot_id=boot_id, pid=pid, process_start=process_start),
            expires_us,
        )
        for number, name, is_given, host, boot_id, pid, process_start, expires_us in rows
    ]


def _forget(connection: sqlite3.Connection, owner: int) -> None:
    """Remove an owner, and its leases with it. Its number is not given again."""
    connection.execute("UPDATE executions SET owner = 0 WHERE ended_us IS NULL AND owner = ?", (owner,))
    connection.execute("DELETE FROM owners WHERE number = ?", (owner,))


def _unfinished(connection: sqlite3.Connection, execution_id: ExecutionId) -> tuple[int, str, int, int, int, int]:
    """Number, status, seq, token, owner and whether it is to be cancelled. Raises StoreError for what has ended."""
    row = connection.execute(
        "SELECT number, status, seq, token, owner, cancel_requested, ended_us FROM executions WHERE id = ?",
        (execution_id,),
    ).fetchone()
    if row is None:
        raise unknown(execution_id)
    *values, ended_us = row
    if ended_us is not None:
        raise has_ended(execution_id, values[1])
    return tuple(values)
