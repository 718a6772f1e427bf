"""What nodes keep across executions, in the database. `flowcore.contracts.ValueStore`."""

from __future__ import annotations

import sqlite3

from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteValues"]


class SqliteValues:
    """JSON texts by scope and key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, scope: str, key: str) -> str | None:
        """The text of a key."""
        with self._database.snapshot() as reader:
            return _get(reader, scope, key)

    def put(self, scope: str, key: str, text: str | None) -> None:
        """Keep or remove a text."""
        with self._database.transaction() as connection:
            _put(connection, scope, key, text)

    def compare_and_set(self, scope: str, key: str, expected: str | None, text: str | None) -> bool:
        """Keep or remove a text if nobody has changed it."""
        with self._database.transaction() as connection:
            if _get(connection, scope, key) != expected:
                return False
            _put(connection, scope, key, text)
            return True

    def keys(self, scope: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """Keys in the order of their code points, which is that of their UTF-8 too."""
        keys: list[str] = []
        with self._database.snapshot() as reader:
            rows = reader.execute(
                "SELECT key FROM node_values WHERE scope = ? AND key >= ? AND (key > ? OR ? = '') ORDER BY key LIMIT ?",
                (scope, max(prefix, after), after, after, limit),
            )
            for (key,) in rows:
                if not key.startswith(prefix):
                    break
                keys.append(key)
        return keys


def _get(connection: sqlite3.Connection, scope: str, key: str) -> str | None:
    row = connection.execute("SELECT text FROM node_values WHERE scope = ? AND key = ?", (scope, key)).fetchone()
    return None if row is None else str(row[0])


def _put(connection: sqlite3.Connection, scope: str, key: str, text: str | None) -> None:
    if text is None:
        connection.execute("DELETE FROM node_values WHERE scope = ? AND key = ?", (scope, key))
    else:
        connection.execute(
            "INSERT INTO node_values (scope, key, text) VALUES (?, ?, ?)"
            " ON CONFLICT (scope, key) DO UPDATE SET text = excluded.text",
            (scope, key, text),
        )
