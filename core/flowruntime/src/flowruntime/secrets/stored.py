"""The secrets that lie sealed in a database: what nodes read, and what `flow secrets` changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from flowcore.contracts import EncryptedSecret, SecretStore
from flowcore.errors import InstallationError

from flowruntime.secrets.key_places import KeyPlace
from flowruntime.secrets.keys import Key
from flowruntime.secrets.sealing import seal, unseal

__all__ = ["StoredSecrets"]


class StoredSecrets:
    """Sealed secrets in a store that is open, with keys from a place that is chosen when the first one is needed.

    Secrets are read from the store each time. Keys are kept: a secret names its key, so one that is not known yet says
    that there are new ones. Safe from any thread where the store is.
    """

    name: Final = "database"

    def __init__(self, store: SecretStore, key_place: Callable[[], KeyPlace]) -> None:
        self._store = store
        self._key_place = key_place
        self._keys: dict[str, Key] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The text of the secret; None when there is none.

        Raises InstallationError: `secret.key_missing` when its key is not where keys are, `secret.damaged` when it
        does not open with it, or what is wrong with the place of the keys.
        """
        sealed = self._store.get(name)
        return None if sealed is None else self._open(sealed)

    def names(self) -> list[str]:
        """The names of all secrets; needs no key."""
        return [sealed.name for sealed in self._store.list()]

    def list(self) -> Sequence[EncryptedSecret]:
        """All secrets as they lie there; needs no key."""
        return self._store.list()

    def set(self, name: str, text: str, now_us: int) -> None:
        """Seal and keep a secret. The first one makes the key, where keys can be made.

        Raises InstallationError as `get` does, and when there are secrets whose key is missing: with another key beside
        it, nobody would notice before a node needs them.
        """
        place = self._key_place()
        with place.locked():
            keys = place.read()
            if not keys:
                for sealed in self._store.list():
                    raise _key_missing(sealed, place)
                keys = (Key.random(),)
                place.write(keys)
            self._put(name, text, keys[0], now_us)

    def remove(self, name: str) -> bool:
        """Forget a secret; False when there is none. Needs no key."""
        return self._store.remove(name)

    def rotate(self, *, forget: bool = False) -> tuple[str, int]:
        """Seal all secrets under a new key: the key's id, and how many were sealed anew.

        The new key is kept before anything is sealed with it, and the old ones stay: whatever happens in between, each
        secret opens with a key that is there. With `forget` the old ones go at the end; other databases may need them.
        Where somebody else puts the keys, the first one there is the new one.

        Raises InstallationError, before anything has changed, when a secret cannot be opened.
        """
        place = self._key_place()
        with place.locked():
            keys = place.read()
            for sealed in self._store.list():
                self._open(sealed)
            if place.is_ours:
                new = Key.random()
                place.write((new, *keys))
            elif keys:
                new = keys[0]
            else:
                raise _no_key(place)
            changed = [sealed for sealed in self._store.list() if sealed.key_id != new.id]
            for sealed in changed:
                self._put(sealed.name, self._open(sealed), new, sealed.updated_us)
            if forget and place.is_ours:
                place.write((new,))
        return new.id, len(changed)

    def _put(self, name: str, text: str, key: Key, now_us: int) -> None:
        self._store.put(
            EncryptedSecret(name=name, ciphertext=seal(name, text, key), key_id=key.id, updated_us=now_us)
        )

    def _open(self, sealed: EncryptedSecret) -> str:
        key = self._keys.get(sealed.key_id)
        if key is None:
            with self._lock:
                place = self._key_place()
                self._keys = {key.id: key for key in place.read()}
                key = self._keys.get(sealed.key_id)
            if key is None:
                raise _key_missing(sealed, place)
        return unseal(sealed.name, sealed.ciphertext, key)


def _key_missing(sealed: EncryptedSecret, place: KeyPlace) -> InstallationError:
    return InstallationError(
        f"The secret {sealed.name!r} was sealed with the key {sealed.key_id}, which is not in {place.where}.",
        code="secret.key_missing",
        remedy="Put the key back; or remove what was sealed with it, with `flow secrets remove`, and set it again.",
    )


def _no_key(place: KeyPlace) -> InstallationError:
    return InstallationError(
        f"There is no key for secrets in {place.where}.",
        code="secret.key_missing",
        remedy="Put one there: `head -c 32 /dev/urandom | base64` makes one.",
    )
