"""Keys: what opens and closes the secrets in a store, in the form in which people and files keep them."""

from __future__ import annotations

import binascii
import hashlib
import os
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from flowcore.errors import InstallationError

__all__ = ["Key", "read_keys", "write_keys"]

_BYTES: Final = 32
_HEAD: Final = (
    "# The keys of `flow secrets`. The first one closes, all of them open. Lose them, and the secrets are lost.\n"
)


@dataclass(frozen=True, slots=True)
class Key:
    """32 random bytes.

    >>> Key(bytes(32)).id
    '22fdf2004164'
    """

    data: bytes = field(repr=False)

    @classmethod
    def random(cls) -> Key:
        """A new key."""
        return cls(os.urandom(_BYTES))

    @property
    def id(self) -> str:
        """What names the key without telling it; it stands beside each secret."""
        return hashlib.sha256(b"flownodes secrets key id\0" + self.data).hexdigest()[:12]


def read_keys(text: str, where: str) -> tuple[Key, ...]:
    """The keys in a text: base64, with white space between them and comments from `#` to the end of a line.

    Raises InstallationError (`secret.key_malformed`), which does not show what is there.
    """
    words = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    return tuple(_read_key(word, number, where) for number, word in enumerate(words, 1))


def write_keys(keys: Iterable[Key]) -> str:
    """The keys as the text that `read_keys` reads."""
    return _HEAD + "".join(f"{urlsafe_b64encode(key.data).decode()}\n" for key in keys)


def _read_key(word: str, number: int, where: str) -> Key:
    try:
        data = b64decode(word.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _BYTES:
        raise InstallationError(
            f"The key number {number} in {where} is no key: {_BYTES} bytes in base64 are.",
            code="secret.key_malformed",
            remedy="Put back what was there; `head -c 32 /dev/urandom | base64` makes a new key.",
        )
    return Key(data)
