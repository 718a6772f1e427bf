"""Who may do what, with which secrets, and who did: tokens, secrets, the audit log. Nothing here is in the clear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["AuditEntry", "AuditStore", "EncryptedSecret", "SecretStore", "StoredToken", "TokenStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """An API token, of which only the SHA-256 is kept. Times in microseconds since the epoch, None for never."""

    name: str
    sha256: bytes
    role: str
    grants: tuple[str, ...] = ()
    created_us: int
    expires_us: int | None = None
    used_us: int | None = None


class TokenStore(Protocol):
    """Tokens by name."""

    def put(self, token: StoredToken) -> None:
        """Keep a token. Raises StoreError, `token.exists`, when there is one of that name or with that hash."""
        ...

    def find(self, sha256: bytes) -> StoredToken | None:
        """The token with that hash; None when there is none. Expired ones are found too."""
        ...

    def list(self) -> Sequence[StoredToken]:
        """All tokens by name."""
        ...

    def used(self, name: str, at_us: int) -> None:
        """Note when a token was used last."""
        ...

    def remove(self, name: str) -> bool:
        """Revoke a token; False when there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedSecret:
    """A secret as it lies in the store; `key_id` names the key that opens it."""

    name: str
    ciphertext: bytes = field(repr=False)
    key_id: str
    updated_us: int


class SecretStore(Protocol):
    """Encrypted secrets by name."""

    def put(self, secret: EncryptedSecret) -> None:
        """Keep a secret in place of the one of that name."""
        ...

    def get(self, name: str) -> EncryptedSecret | None:
        """The secret of that name; None when there is none."""
        ...

    def list(self) -> Sequence[EncryptedSecret]:
        """All secrets by name."""
        ...

    def remove(self, name: str) -> bool:
        """Forget a secret; False when there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to what, and when, in microseconds since the epoch. `details` hold no secrets."""

    at_us: int
    principal: str
    action: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


class AuditStore(Protocol):
    """The audit log, which only grows."""

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry."""
        ...

    def list(self, *, before: int | None = None, limit: int = 100) -> Sequence[tuple[int, AuditEntry]]:
        """Entries with their numbers, the newest first; `before` is the last number of the page before."""
        ...

    def prune(self, before_us: int) -> int:
        """Remove entries that are older; how many."""
        ...
