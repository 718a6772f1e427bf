"""Opens connections to the database file, with the settings that the promise rests on."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from flowcore.errors import StoreError

from flowruntime.stores.sqlite.faults import telling_faults
from flowruntime.stores.sqlite.schema import prepare

__all__ = ["BUSY_SECONDS", "Synchronous", "connect", "open_writer"]

Synchronous = Literal["full", "normal"]

#: How long a connection waits for a lock of another process.
BUSY_SECONDS: Final = 5.0
#: The log before the database is cut to this size when its content has been taken over.
_WAL_BYTES: Final = 64 * 1024 * 1024
#: The smallest page that SQLite has.
_SMALLEST_BYTES: Final = 512
_ANOTHER: Final = "Name another file with --db."


def open_writer(path: str, *, synchronous: Synchronous, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection for writing; the file is made when there is none, and brought to the newest schema.

    Raises StoreError when it cannot be written, and says why.
    """
    folder = Path(path).parent
    state = _look_at(folder, path)
    if state is None or not stat.S_ISDIR(state.st_mode):
        raise StoreError(
            f"There is no folder {str(folder)!r} for the database {path!r}.",
            code="store.no_folder",
            remedy=f"Make it, or name another file: mkdir -p {str(folder)!r}.",
        )
    with suppress(OSError, ValueError):  # there is one, or it is told below what is wrong
        # What passes between nodes is nobody else's business; the files beside it get the same mode. One that is there
        # must not be opened: to close it would give up all locks that this process has on it, by other connections too.
        os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect(path, mode="rwc", busy_seconds=busy_seconds)
    try:
        with telling_faults(path):
            prepare(connection, path)
            _use_wal(connection, path)
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            # Whoever cannot write learns it now, and not after the first execution has begun.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA user_version = {_version(connection)}")
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: str, *, mode: Literal["rw", "rwc"], busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection that begins and ends its transactions itself, usable from one thread at a time.

    Raises StoreError with `store.missing` when there is no such file and none is to be made.
    """
    state = _look_at(path, path)
    if mode == "rw" and state is None:
        raise StoreError(
            f"There is no database {path!r}.", code="store.missing", remedy="Check --db; `flow run --db` makes one."
        )
    if state is not None and stat.S_ISREG(state.st_mode) and 0 < state.st_size < _SMALLEST_BYTES:
        # SQLite would take it for an empty one, and write over it.
        raise StoreError(f"{path!r} is a file, but no SQLite database.", code="store.foreign", remedy=_ANOTHER)
    with telling_faults(path):
        return sqlite3.connect(
            f"{Path(path).absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=busy_seconds,
            check_same_thread=False,
        )


def _look_at(place: str | Path, path: str) -> os.stat_result | None:
    """What is at this place, on the way to the database; None for nothing. Raises StoreError when it cannot be seen."""
    try:
        return Path(place).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"The database {path!r} cannot be reached: {getattr(error, 'strerror', error)}.",
            code="store.unopened",
            remedy="Make the folders that it lies in accessible, or name another file with --db.",
        ) from error


def _use_wal(connection: sqlite3.Connection, path: str) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"The file system of the database {path!r} cannot share memory, which SQLite's WAL mode needs.",
            code="store.no_wal",
            remedy="Name a file on a local disk with --db.",
        )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
