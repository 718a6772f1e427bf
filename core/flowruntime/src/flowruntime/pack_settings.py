"""Holds what the operator says to packs: the table of flow.toml that has the namespace of the pack as its name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from flowcore.errors import InstallationError

__all__ = ["OperatorFile", "OperatorSettings", "hold_operator_file", "operator_settings", "settings_replaced"]

T = TypeVar("T")

#: Tables of Flownodes itself, which are nobody else's business.
_OWN_TABLES: Final = frozenset({"packs", "secrets"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings(Generic[T]):
    """The settings of one pack, and where they come from."""

    values: T
    #: The flow.toml that holds, as an absolute path; None when there is none.
    file: str | None
    #: What relative paths in the settings are relative to: the folder of the file, else the working directory.
    folder: str
    #: Whether workflows of others may run here, as in servers and workers: what is not said is then not allowed.
    serves_others: bool

    @property
    def where(self) -> str:
        """The file in which a line has to be written, for remedies."""
        return self.file or "flow.toml"


class OperatorFile:
    """The flow.toml that holds for this process, read when a pack asks for the first time."""

    def __init__(
        self,
        file: str | None,
        *,
        serves_others: bool = False,
        tables: Mapping[str, Any] | None = None,
        folder: str | None = None,
    ) -> None:
        self.file = file
        self.serves_others = serves_others
        # While there is a working directory: it may be another one later.
        self.folder = folder or (os.path.dirname(file) if file is not None else _working_directory())  # noqa: PTH120
        self._tables = tables

    def table(self, namespace: str) -> Any:
        """What the file says under that name; an empty table when it says nothing. Raises InstallationError."""
        if self._tables is None:
            self._tables = {} if self.file is None else _read(self.file)
        return self._tables.get(namespace, {})


def operator_settings(namespace: str, kind: type[T]) -> OperatorSettings[T]:
    """The settings of a pack as an instance of `kind`: a msgspec.Struct, dataclass or TypedDict with defaults.

    They stand in flow.toml, in the table of the pack's namespace, and are read once, after the start of a command or a
    Runtime. Raises InstallationError for a file that cannot be read and for a table that does not fit `kind`; unknown
    keys are found when that is a Struct with `forbid_unknown_fields`. For any thread.

    ```python
    class Settings(msgspec.Struct, forbid_unknown_fields=True):
        roots: list[str] = []


    roots = operator_settings("files", Settings).values.roots
    ```
    """
    import msgspec

    if namespace in _OWN_TABLES:
        msg = f"[{namespace}] is a table of Flownodes itself."
        raise ValueError(msg)
    held = _replaced.get() or _held[0]
    try:
        values = msgspec.convert(held.table(namespace), kind)
    except msgspec.ValidationError as error:
        raise _malformed(
            held.file, f"[{namespace}] does not fit: {error}", "The documentation of the pack says what it may hold."
        ) from None
    return OperatorSettings(values=values, file=held.file, folder=held.folder, serves_others=held.serves_others)


def hold_operator_file(file: OperatorFile) -> None:
    """Say which file holds for the packs of this process from now on; a Runtime does when it is made."""
    _held[:] = [file]


@contextmanager
def settings_replaced(tables: Mapping[str, Any]) -> Iterator[None]:
    """For tests: what is asked meanwhile, in this task or one that it starts, is answered from these tables."""
    token = _replaced.set(OperatorFile(None, tables=tables))
    try:
        yield
    finally:
        _replaced.reset(token)


def _read(file: str) -> Mapping[str, Any]:
    import tomllib  # dear, and needed only when there is a file

    try:
        with open(file, "rb") as opened:  # noqa: PTH123 - pathlib is not worth its import here
            return tomllib.loads(opened.read().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _malformed(file, f"it cannot be read: {error}", "Correct the file.") from None


def _malformed(file: str | None, cause: str, remedy: str) -> InstallationError:
    return InstallationError(
        f"The settings file {file or 'of this test'}: {cause}.", code="settings.malformed", remedy=remedy
    )


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib is not worth its import here
    except OSError:  # it was removed under us
        return os.sep


_held: Final[list[OperatorFile]] = [OperatorFile(None)]
_replaced: Final[ContextVar[OperatorFile | None]] = ContextVar("settings of packs in a test", default=None)
