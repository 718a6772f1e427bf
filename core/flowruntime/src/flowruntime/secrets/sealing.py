"""Seals secrets: AES-256-GCM, with the name of the secret as associated data.

A sealed secret is the byte 1, a nonce of 12 random bytes, and what AES-GCM makes of the text. It opens under its own
name only, so nobody who can write to the database can hand a node another secret than the one it asks for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from flowcore.errors import InstallationError

from flowruntime.secrets.keys import Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["seal", "unseal"]

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


def seal(name: str, text: str, key: Key) -> bytes:
    """The text as it may lie in a database. Raises InstallationError when the library `cryptography` is missing."""
    cipher, _ = _cipher(key)
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + cipher.encrypt(nonce, text.encode(), _bound_to(name, _VERSION))


def unseal(name: str, sealed: bytes, key: Key) -> str:
    """The text.

    Raises InstallationError: `secret.damaged` for what was not sealed with this key under this name, or was changed.
    """
    cipher, invalid = _cipher(key)
    version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, rest, _bound_to(name, version)).decode()
    except (invalid, ValueError):
        raise InstallationError(
            f"The secret {name!r} does not open with the key {key.id}, which it names: it was changed in the database.",
            code="secret.damaged",
            remedy=f"Set it again with `flow secrets set {name}`, and find out who writes to the database.",
        ) from None


def _bound_to(name: str, version: bytes) -> bytes:
    return b"flownodes secret\0" + version + name.encode()


def _cipher(key: Key) -> tuple[AESGCM, type[Exception]]:
    """What seals with the key, and what it raises for what does not open."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise InstallationError(
            f"Secrets in the database need the library `cryptography`: {error}.",
            code="secret.no_cryptography",
            remedy="Run pip install 'flowruntime[secrets]'.",
        ) from error
    return AESGCM(key.data), InvalidTag
