"""Where keys are kept: a file of the user, the environment, or the keyring of the desktop."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from flowcore.errors import InstallationError

from flowruntime.limited import TookTooLong, run_limited
from flowruntime.secrets.keys import Key, read_keys, write_keys

__all__ = ["KEYRING_SECONDS", "KEYS_VARIABLE", "KeyEnvironment", "KeyFile", "KeyPlace", "KeyringEntry"]

T = TypeVar("T")

#: A keyring that is locked asks its owner for a password, who may be away.
KEYRING_SECONDS: Final = 120.0
KEYS_VARIABLE: Final = "FLOW_SECRETS_KEY"
_SERVICE: Final = "flownodes"
_ENTRY: Final = "secrets-key"
_MAX_BYTES: Final = 64 * 1024
#: Files that are to become a key file begin so.
_UNFINISHED: Final = ".secrets-"


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
        path = self._target()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)  # with mode 0600
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
        place = self._target().parent
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(_folder_locked(place))
                for left in place.glob(f"{_UNFINISHED}*"):  # by a process that was killed: keys lie in it
                    left.unlink()
            except OSError as error:
                raise self._unusable("cannot be written", error) from error
            yield

    def _target(self) -> Path:
        """What a link leads to is replaced, not the link."""
        try:
            self.path.stat()
        except OSError as error:
            if error.errno == errno.ELOOP:  # links in a circle, which resolve() takes as they are from Python 3.13 on
                raise self._unusable("cannot be read", error) from error
        return self.path.resolve()

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
    """An entry in the keyring of the user's desktop, through the library `keyring`.

    `lock_folder` belongs to the same user, wherever FLOW_HOME is; a keyring that does not answer is given up after
    `limit_seconds`.
    """

    is_ours: Final = True
    where: Final = f"the keyring, entry {_ENTRY!r} of {_SERVICE!r}"

    def __init__(self, lock_folder: Path, *, limit_seconds: float = KEYRING_SECONDS) -> None:
        self._lock_folder = lock_folder
        self._limit_seconds = limit_seconds

    def read(self) -> tuple[Key, ...]:
        """The keys in the entry. Raises InstallationError when there is no keyring, or it does not answer."""
        keyring = _library()
        text: str | None = self._asked(lambda: keyring.get_password(_SERVICE, _ENTRY))
        return read_keys(text or "", self.where)

    def write(self, keys: Sequence[Key]) -> None:
        """Replace the entry. Raises InstallationError also when it is not kept, as where keyrings are switched off."""
        keyring = _library()
        self._asked(lambda: keyring.set_password(_SERVICE, _ENTRY, write_keys(keys)))
        if self.read() != tuple(keys):
            raise self._unusable("it does not keep what is put there")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the user's folder: a keyring knows no locks."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(_folder_locked(self._lock_folder))
            except OSError as error:
                raise self._unusable(f"{error.strerror}: {str(self._lock_folder)!r}") from error
            yield

    def _asked(self, question: Callable[[], T]) -> T:
        try:
            return run_limited(question, limit_seconds=self._limit_seconds)
        except TookTooLong as error:
            raise self._unusable(f"no answer in {error.limit_seconds:g} s") from None
        except Exception as error:
            raise self._unusable(type(error).__name__) from error

    def _unusable(self, fault: str) -> InstallationError:
        return InstallationError(
            f"The keys of secrets: {self.where} cannot be used ({fault}).",
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


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made when it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
