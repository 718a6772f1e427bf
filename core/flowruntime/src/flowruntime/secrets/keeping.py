"""Sets, removes and re-seals the secrets in a database, as `flow secrets` does."""

from __future__ import annotations

from flowcore.contracts import EncryptedSecret, SecretStore
from flowcore.errors import InstallationError

from flowruntime.secrets.key_places import KeyPlace
from flowruntime.secrets.keys import Key
from flowruntime.secrets.sealing import seal
from flowruntime.secrets.stored import StoredSecrets, key_missing

__all__ = ["SecretKeeper"]


class SecretKeeper:
    """Changes the secrets of a store that is open, and their keys. Used from one thread."""

    def __init__(self, store: SecretStore, place: KeyPlace) -> None:
        self._store = store
        self._place = place
        self._reader = StoredSecrets(store, lambda: place)

    def set(self, name: str, text: str, now_us: int) -> None:
        """Seal and keep a secret. The first one makes the key, where keys can be made.

        Raises InstallationError: what is wrong with the place of the keys, and `secret.key_missing` when another secret
        was sealed with a key that is not there: with a second key nobody would notice before a node needs it.
        """
        with self._place.locked():
            keys = self._place.read()
            known = {key.id for key in keys}
            for sealed in self._store.list():
                if sealed.key_id not in known and sealed.name != name:
                    raise key_missing(sealed, self._place)
            if not keys:
                keys = (Key.random(),)
                self._place.write(keys)
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
        with self._place.locked():
            keys = self._place.read()
            for sealed in self._store.list():
                self._reader.open(sealed)
            if self._place.is_ours:
                new = Key.random()
                self._place.write((new, *keys))
            elif keys:
                new = keys[0]
            else:
                raise _no_key(self._place)
            changed = 0
            for name in [sealed.name for sealed in self._store.list()]:
                current = self._store.get(name)  # it may have been removed meanwhile, or set on another machine
                if current is not None and current.key_id != new.id:
                    self._put(name, self._reader.open(current), new, current.updated_us)
                    changed += 1
            if forget and self._place.is_ours:
                self._place.write((new,))
        return new.id, changed

    def _put(self, name: str, text: str, key: Key, now_us: int) -> None:
        self._store.put(EncryptedSecret(name=name, ciphertext=seal(name, text, key), key_id=key.id, updated_us=now_us))


def _no_key(place: KeyPlace) -> InstallationError:
    return InstallationError(
        f"There is no key for secrets in {place.where}.",
        code="secret.key_missing",
        remedy="Put one there: `head -c 32 /dev/urandom | base64` makes one.",
    )
