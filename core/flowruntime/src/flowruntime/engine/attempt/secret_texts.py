"""The expression root `secrets`: what `${{ secrets.NAME }}` in a config resolves to, inside the attempt only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowruntime.authoring import Secret

__all__ = ["SecretTexts"]


class SecretTexts(Mapping[str, str]):
    """The expression root `secrets`: texts by name; a missing one is an error, never null."""

    def __init__(self, secrets: Mapping[str, Secret]) -> None:
        self._secrets = secrets

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - there is no default for a secret
        """The secret's text. Raises FatalNodeError when there is none."""
        return self[name]

    def __getitem__(self, name: str) -> str:
        return self._secrets[name].reveal()

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)
