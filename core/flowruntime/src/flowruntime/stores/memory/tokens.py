"""API tokens, in memory. `flowcore.contracts.TokenStore`."""

from __future__ import annotations

from dataclasses import replace

from flowcore.contracts import StoredToken

from flowruntime.stores.refusals import token_exists

__all__ = ["MemoryTokens"]


class MemoryTokens:
    """Tokens by name."""

    def __init__(self) -> None:
        self._tokens: dict[str, StoredToken] = {}

    def put(self, token: StoredToken) -> None:
        """Keep a token."""
        if token.name in self._tokens or self.find(token.sha256) is not None:
            raise token_exists(token.name)
        self._tokens[token.name] = token

    def find(self, sha256: bytes) -> StoredToken | None:
        """The token with that hash."""
        return next((token for token in self._tokens.values() if token.sha256 == sha256), None)

    def list(self) -> list[StoredToken]:
        """All tokens by name."""
        return [self._tokens[name] for name in sorted(self._tokens)]

    def used(self, name: str, at_us: int) -> None:
        """Note when a token was used last."""
        if name in self._tokens:
            self._tokens[name] = replace(self._tokens[name], used_us=at_us)

    def remove(self, name: str) -> bool:
        """Revoke a token."""
        return self._tokens.pop(name, None) is not None
