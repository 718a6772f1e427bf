"""Encrypted secrets, in the database. `flowcore.contracts.SecretStore`."""

from __future__ import annotations

from typing import Any, Final

from flowcore.contracts import EncryptedSecret

from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteSecrets"]

_SELECT: Final = "SELECT name, ciphertext, key_id, updated_us FROM secrets"


class SqliteSecrets:
    """Encrypted secrets by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, secret: EncryptedSecret) -> None:
        """Keep a secret in place of the one of that name."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO secrets (name, ciphertext, key_id, updated_us) VALUES (?, ?, ?, ?)",
                (secret.name, secret.ciphertext, secret.key_id, secret.updated_us),
            )

    def get(self, name: str) -> EncryptedSecret | None:
        """The secret of that name."""
        with self._database.snapshot() as reader:
            row = reader.execute(f"{_SELECT} WHERE name = ?", (name,)).fetchone()
        return None if row is None else _secret(row)

    def list(self) -> list[EncryptedSecret]:
        """All secrets by name."""
        with self._database.snapshot() as reader:
            return [_secret(row) for row in reader.execute(f"{_SELECT} ORDER BY name")]

    def remove(self, name: str) -> bool:
        """Forget a secret."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM secrets WHERE name = ?", (name,)).rowcount > 0


def _secret(row: tuple[Any, ...]) -> EncryptedSecret:
    name, ciphertext, key_id, updated_us = row
    return EncryptedSecret(name=name, ciphertext=ciphertext, key_id=key_id, updated_us=updated_us)
