"""Connections to one SQLite file, read-only, used by several threads in turn."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Pool", "connect"]


def connect(database: str) -> sqlite3.Connection:
    """A connection that may be handed from thread to thread. Raises sqlite3.OperationalError without a file."""
    address = f"{Path(database).absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


class Pool:
    """At most `size` connections at the same time, opened when they are needed and kept until `close`."""

    def __init__(self, database: str, size: int) -> None:
        self._database = database
        self._room = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False
        self.opened = 0

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else has meanwhile; waits while all are in use."""
        with self._room:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close all connections: those in use when they are given back."""
        with self._lock:
            self._is_closed = True
            while self._idle:
                self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self.opened += 1
        return connect(self._database)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if self._is_closed:
                connection.close()
            else:
                self._idle.append(connection)
