"""API tokens, in the database. `flowcore.contracts.TokenStore`."""

from __future__ import annotations

import json
from typing import Any, Final

from flowcore.contracts import StoredToken
from flowcore.values import write_json

from flowruntime.stores.refusals import token_exists
from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteTokens"]

_SELECT: Final = "SELECT name, sha256, role, grants, created_us, expires_us, used_us FROM tokens"


class SqliteTokens:
    """Tokens by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, token: StoredToken) -> None:
        """Keep a token."""
        with self._database.transaction() as connection:
            made = connection.execute(
                "INSERT INTO tokens (name, sha256, role, grants, created_us, expires_us, used_us)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    token.name,
                    token.sha256,
                    token.role,
                    write_json(list(token.grants)),
                    token.created_us,
                    token.expires_us,
                    token.used_us,
                ),
            )
            if not made.rowcount:
                raise token_exists(token.name)

    def find(self, sha256: bytes) -> StoredToken | None:
        """The token with that hash."""
        with self._database.snapshot() as reader:
            row = reader.execute(f"{_SELECT} WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else _token(row)

    def list(self) -> list[StoredToken]:
        """All tokens by name."""
        with self._database.snapshot() as reader:
            return [_token(row) for row in reader.execute(f"{_SELECT} ORDER BY name")]

    def used(self, name: str, at_us: int) -> None:
        """Note when a token was used last."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE tokens SET used_us = ? WHERE name = ?", (at_us, name))

    def remove(self, name: str) -> bool:
        """Revoke a token."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount > 0


def _token(row: tuple[Any, ...]) -> StoredToken:
    name, sha256, role, grants, created_us, expires_us, used_us = row
    return StoredToken(
        name=name,
        sha256=sha256,
        role=role,
        grants=tuple(json.loads(grants)),
        created_us=created_us,
        expires_us=expires_us,
        used_us=used_us,
    )
