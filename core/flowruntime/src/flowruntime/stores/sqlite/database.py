"""The open database file: one connection that writes, another one that reads, for any thread."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowcore.errors import StoreError

from flowruntime.stores.sqlite.connecting import BUSY_SECONDS, Synchronous, connect, open_writer
from flowruntime.stores.sqlite.contents import INLINE_BYTES, Contents, Reading
from flowruntime.stores.sqlite.faults import fault, telling_faults
from flowruntime.stores.sqlite.schema import prepare

__all__ = ["Database", "wall_us"]


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
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def open(self) -> None:
        """Open the file. Raises StoreError when it cannot be used, and says why."""
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
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close both connections; what was committed stays."""
        with self._writing, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None
            self.forget()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writing connection in a transaction, which is on the disk behind the block; or rolled back, if it raises.

        Raises StoreUnavailable when the file cannot be written.
        """
        with self._writing:
            connection = self._opened(self._writer, writing=True)
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self.forget()
                self.contents.forget()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise fault(error, self.path) from error
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """The reading connection, with the database as it stands now."""
        with self._reading, telling_faults(self.path):
            reader = self._opened(self._reader)
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                reader.execute("ROLLBACK")

    def contents_of(self, reader: sqlite3.Connection) -> Reading:
        """What is kept by its hash, for one snapshot."""
        return Reading(reader, self._connect)

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
