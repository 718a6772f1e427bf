"""Where keys are kept: a file of the user, the environment, or the keyring of the desktop."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol

from flowcore.errors import InstallationError

from flowruntime.secrets.keys import Key, read_keys, write_keys

__all__ = ["KEYS_VARIABLE", "KeyEnvironment", "KeyFile", "KeyPlace", "KeyringEntry"]

KEYS_VARIABLE: Final = "FLOW_SECRETS_KEY"
_SERVICE: Final = "flownodes"
_ENTRY: Final = "secrets-key"
_MAX_BYTES: Final = 64 * 1024


class KeyPlace(Protocol):
    """A place of keys."""

    @property
    def where(self) -> str:
        """The place, as an error names it."""
        ...

    @property
    def is_ours(self) -> bool:
        """Whether keys can be written there; else somebody else puts them there."""
        ...

    def read(self) -> tuple[Key, ...]:
        """The keys, the one that seals first; none when there is nothing. Raises InstallationError."""
        ...

    def write(self, keys: Sequence[Key]) -> None:
        """Keep these keys and no others; a crash leaves the former ones or these. Raises InstallationError."""
        ...

    def locked(self) -> AbstractContextManager[object]:
        """Nobody else changes the keys, or seals with them, in this block."""
        ...


class KeyFile:
    """A file that nobody but its owner can read."""

    is_ours: Final = True

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        """The path."""
        return f"the file {str(self.path)!r}"

    def read(self) -> tuple[Key, ...]:
        """The keys in the file. Raises InstallationError, `secret.key_exposed` when others can read or change it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable("cannot be read", error) from error
        try:
            self._check(os.fstat(descriptor))
            return read_keys(os.read(descriptor, _MAX_BYTES).decode("ascii", errors="replace"), self.where)
        finally:
            os.close(descriptor)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise InstallationError(
                f"The keys of secrets lie in {self.where}, which is no file.",
                code="secret.key_unusable",
                remedy="Name a file as key_file under [secrets] in flow.toml.",
            )
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_uid not in (os.geteuid(), 0):
            raise InstallationError(
                f"The keys of secrets lie in {self.where}, which others can read or change.",
                code="secret.key_exposed",
                remedy=f"Run chmod 600 {str(self.path)!r} as its owner; if others may have read it, "
                "`flow secrets rotate`.",
            )

    def write(self, keys: Sequence[Key]) -> None:
        """Put another file in its place, with mode 0600. Makes its folder."""
        path = self.path.resolve()  # what a link leads to is replaced, not the link
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".secrets-", dir=path.parent)  # with mode 0600
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(write_keys(keys))
                    file.flush()
                    os.fsync(descriptor)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _sync(path.parent)
        except OSError as error:
            raise self._unusable("cannot be written", error) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder: the file itself is replaced."""
        try:
            place = self.path.resolve().parent
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unusable("cannot be written", error) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _unusable(self, fault: str, error: OSError) -> InstallationError:
        return InstallationError(
            f"The keys of secrets: {self.where} {fault}: {error.strerror}.",
            code="secret.key_unusable",
            remedy="Make it readable and writable for its owner alone, or name another as key_file under [secrets] in "
            "flow.toml.",
        )


class KeyEnvironment:
    """A variable of the environment, which whoever starts the process sets."""

    is_ours: Final = False
    where: Final = f"the environment as {KEYS_VARIABLE}"

    def read(self) -> tuple[Key, ...]:
        """The keys in the variable."""
        return read_keys(os.environ.get(KEYS_VARIABLE, ""), self.where)

    def write(self, keys: Sequence[Key]) -> None:  # noqa: ARG002 - nothing can be kept there
        """Never done."""
        raise InstallationError(
            f"The keys of secrets lie in {self.where}, where nothing can be written.",
            code="secret.key_foreign",
            remedy=f"Set {KEYS_VARIABLE} to a new key: `head -c 32 /dev/urandom | base64` makes one.",
        )

    def locked(self) -> AbstractContextManager[object]:
        """Nobody can change it."""
        return contextlib.nullcontext()


class KeyringEntry:
    """An entry in the keyring of the user's desktop, through the library `keyring`."""

    is_ours: Final = True
    where: Final = f"the keyring, entry {_ENTRY!r} of {_SERVICE!r}"

    def read(self) -> tuple[Key, ...]:
        """The keys in the entry. Raises InstallationError when there is no keyring."""
        keyring = _library()
        try:
            text: str | None = keyring.get_password(_SERVICE, _ENTRY)
        except Exception as error:
            raise self._unusable(error) from error
        return read_keys(text or "", self.where)

    def write(self, keys: Sequence[Key]) -> None:
        """Replace the entry."""
        keyring = _library()
        try:
            keyring.set_password(_SERVICE, _ENTRY, write_keys(keys))
        except Exception as error:
            raise self._unusable(error) from error

    def locked(self) -> AbstractContextManager[object]:
        """A keyring knows no locks; it belongs to one person."""
        return contextlib.nullcontext()

    def _unusable(self, error: Exception) -> InstallationError:
        return InstallationError(
            f"The keys of secrets: {self.where} cannot be used ({type(error).__name__}).",
            code="secret.key_unusable",
            remedy='Unlock the keyring, or write key = "file" under [secrets] in flow.toml.',
        )


def _library() -> Any:
    try:
        return importlib.import_module("keyring")  # by name: its types are not there when it is not installed
    except ImportError as error:
        raise InstallationError(
            "The keys of secrets are to lie in the keyring, and the library `keyring` is not installed.",
            code="secret.no_keyring",
            remedy='Run pip install keyring, or write key = "file" under [secrets] in flow.toml.',
        ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
