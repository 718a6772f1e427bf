"""Encrypted secrets, in memory. `flowcore.contracts.SecretStore`."""

from __future__ import annotations

from flowcore.contracts import EncryptedSecret

__all__ = ["MemorySecrets"]


class MemorySecrets:
    """Encrypted secrets by name."""

    def __init__(self) -> None:
        self._secrets: dict[str, EncryptedSecret] = {}

    def put(self, secret: EncryptedSecret) -> None:
        """Keep a secret in place of the one of that name."""
        self._secrets[secret.name] = secret

    def get(self, name: str) -> EncryptedSecret | None:
        """The secret of that name."""
        return self._secrets.get(name)

    def list(self) -> list[EncryptedSecret]:
        """All secrets by name."""
        return [self._secrets[name] for name in sorted(self._secrets)]

    def remove(self, name: str) -> bool:
        """Forget a secret."""
        return self._secrets.pop(name, None) is not None
