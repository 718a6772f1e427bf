"""The secrets that lie sealed in a database, as nodes read them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from flowcore.contracts import EncryptedSecret
from flowcore.errors import InstallationError

from flowruntime.secrets.key_places import KeyPlace
from flowruntime.secrets.keys import Key
from flowruntime.secrets.sealing import unseal

__all__ = ["SealedSecrets", "StoredSecrets", "key_missing"]


class SealedSecrets(Protocol):
    """The part of `flowcore.contracts.SecretStore` that reads."""

    def get(self, name: str) -> EncryptedSecret | None:
        """The secret of that name; None when there is none."""
        ...

    def list(self) -> Sequence[EncryptedSecret]:
        """All secrets by name."""
        ...


class StoredSecrets:
    """Sealed secrets, with keys from a place that is chosen when the first one is needed.

    Secrets are read from the store each time. Keys are kept: a secret names its key, so one that is not known yet says
    that there are new ones. Safe from any thread where the store is.
    """

    name: Final = "database"

    def __init__(self, sealed: SealedSecrets, key_place: Callable[[], KeyPlace]) -> None:
        self._sealed = sealed
        self._key_place = key_place
        self._keys: dict[str, Key] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The text of the secret; None when there is none.

        Raises InstallationError: `secret.key_missing` when its key is not where keys are, `secret.damaged` when it
        does not open with it, or what is wrong with the place of the keys.
        """
        sealed = self._sealed.get(name)
        return None if sealed is None else self.open(sealed)

    def names(self) -> list[str]:
        """The names of all secrets; needs no key."""
        return [sealed.name for sealed in self._sealed.list()]

    def open(self, sealed: EncryptedSecret) -> str:
        """The text of a sealed secret. Raises InstallationError as `get` does."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            with self._lock:
                place = self._key_place()
                self._keys = {key.id: key for key in place.read()}
                key = self._keys.get(sealed.key_id)
            if key is None:
                raise key_missing(sealed, place)
        return unseal(sealed.name, sealed.ciphertext, key)


def key_missing(sealed: EncryptedSecret, place: KeyPlace) -> InstallationError:
    """The key of a secret is not where keys are."""
    return InstallationError(
        f"The secret {sealed.name!r} was sealed with the key {sealed.key_id}, which is not in {place.where}.",
        code="secret.key_missing",
        remedy="Put the key back; or remove what was sealed with it, with `flow secrets remove`, and set it again.",
    )
