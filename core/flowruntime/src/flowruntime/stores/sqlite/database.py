"""The open database file: one connection that writes, another one that reads, for any thread."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from flowcore.contracts import StoreUnavailable
from flowcore.errors import StoreError

from flowruntime.stores.sqlite.connecting import BUSY_SECONDS, Synchronous, connect, open_writer
from flowruntime.stores.sqlite.contents import INLINE_BYTES, Contents, Reading
from flowruntime.stores.sqlite.faults import fault, telling_faults
from flowruntime.stores.sqlite.schema import prepare

__all__ = ["Database", "wall_us"]


#: All that were opened and are still held, by this process or the one of which it is a fork.
_all_open: WeakSet[Database] = WeakSet()


def wall_us() -> int:
    """The time of this machine, which all processes on the file share, in microseconds since the epoch."""
    return time.time_ns() // 1000


class Database:
    """What the parts of a store share. Its options are those of `SqliteStore`.

    `forget` is called when rows that were written may have been rolled back: what was noted of them is wrong then.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: Synchronous = "full",
        read_only: bool = False,
        make_folder: bool = False,
        inline_bytes: int = INLINE_BYTES,
        busy_seconds: float = BUSY_SECONDS,
        now_us: Callable[[], int] = wall_us,
    ) -> None:
        self.path = str(path)
        self.now_us = now_us
        self.forget: Callable[[], None] = lambda: None
        self.contents: Contents
        self._synchronous = synchronous
        self._read_only = read_only
        self._make_folder = make_folder
        self._inline_bytes = inline_bytes
        self._busy_seconds = busy_seconds
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._pid = 0
        #: The files that were opened, and which ones those were.
        self._files: dict[str, tuple[int, int] | None] = {}
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def open(self) -> None:
        """Open the file. Raises StoreError when it cannot be used, and says why."""
        self._require_own()
        if not self._read_only:
            if self._make_folder:
                self._make()
            writer = open_writer(self.path, synchronous=self._synchronous, busy_seconds=self._busy_seconds)
            self.contents = Contents(writer, inline_bytes=self._inline_bytes)
            self._writer = writer
        try:
            self._reader = self._connect()
            if self._read_only:
                with telling_faults(self.path):
                    prepare(self._reader, self.path)
            self._pid = os.getpid()
            # A reader of a database that nobody writes need not have made the log beside it.
            beside = () if self._read_only else ("-wal", "-shm")
            names = [self.path, *(f"{os.path.realpath(self.path)}{end}" for end in beside)]
            self._files = {name: _identity(name) for name in names}
            _all_open.add(self)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close both connections; what was committed stays. Does nothing in a fork of the process that opened it."""
        if self._is_forked():
            return
        with self._writing, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None
            self._pid, self._files = 0, {}
            _all_open.discard(self)
            self.forget()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writing connection in a transaction, which is on the disk behind the block; or rolled back, if it raises.

        Raises StoreUnavailable when the file cannot be written.
        """
        self._require_own()
        with self._writing:
            connection = self._opened(self._writer, writing=True)
            self._require_place(*self._files, writer=connection)
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self.forget()
                self.contents.forget()
                with suppress(sqlite3.Error):  # the first error is the one to be told
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise fault(error, self.path) from error
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """The reading connection, with the database as it stands now."""
        self._require_own()
        with self._reading, telling_faults(self.path):
            reader = self._opened(self._reader)
            self._require_place(self.path)
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                if reader.in_transaction:  # a failing disk has ended it
                    reader.execute("ROLLBACK")

    def contents_of(self, reader: sqlite3.Connection) -> Reading:
        """What is kept by its hash, for one snapshot."""
        return Reading(reader, self._connect)

    def was_opened_before_fork(self, identity: tuple[int, int] | None) -> bool:
        """Whether this is that file, held open by the process of which this one is a fork."""
        return self._is_forked() and identity is not None and identity in self._files.values()

    def _is_forked(self) -> bool:
        return self._pid not in (0, os.getpid())

    def _require_own(self) -> None:
        """Raise StoreError in a fork of a process that had the file open.

        Locks are not inherited, and SQLite in the fork, which believes that it has them, takes none of its own.
        """
        if not self._is_forked() and self._files:
            return
        identity = _identity(self.path)
        for other in _all_open:
            if other.was_opened_before_fork(identity):
                raise StoreError(
                    f"The database {self.path!r} was opened by the process of which this one is a fork.",
                    code="store.forked",
                    remedy="Fork before it is opened, or begin processes anew (multiprocessing: 'spawn').",
                )

    def _require_place(self, *names: str, writer: sqlite3.Connection | None = None) -> None:
        """Raise StoreUnavailable when another file, or none, is where one of these was that were opened.

        What is written then would be lost, be it the log alone; what is read may be old only without the database.
        """
        for name in names:
            if _identity(name) != self._files[name]:
                if writer is not None:
                    with suppress(sqlite3.Error):  # saves what stands in a log that has no name any more
                        writer.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
                raise StoreUnavailable(
                    f"The file {name!r} was removed or replaced while the database was in use.",
                    code="store.moved",
                    remedy="Put the same file back, or end this process: nothing more can be kept in that file.",
                )

    def _make(self) -> None:
        folder = Path(self.path).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder {str(folder)!r} for the database cannot be made: {error.strerror}.",
                code="store.no_folder",
                remedy="Make it, or name another file with --db.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        return connect(self.path, mode="rw", busy_seconds=self._busy_seconds)

    def _opened(self, connection: sqlite3.Connection | None, *, writing: bool = False) -> sqlite3.Connection:
        if connection is not None:
            return connection
        if writing and self._reader is not None:
            raise StoreError(
                f"The database {self.path!r} was opened for reading only.",
                code="store.read_only",
                remedy="Open it without `read_only`.",
            )
        raise StoreError(
            f"The database {self.path!r} is not open.", code="store.closed", remedy="Open the runtime around it."
        )


def _identity(name: str) -> tuple[int, int] | None:
    """Which file has that name now; None for none that can be seen."""
    try:
        state = os.stat(name)  # noqa: PTH116 - for each transaction: a Path costs as much as the question
    except (OSError, ValueError):
        return None
    return state.st_dev, state.st_ino
