"""Does work with a database on threads, and ends it at the server when nobody wants it any more."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import anyio
import anyio.to_thread
import psycopg
from sqlalchemy import Connection, Engine

from flownodes_sql.failures import DatabaseError, failure

__all__ = ["Database", "Job"]

T = TypeVar("T")

#: How long a cancelled attempt waits for the end of its statement; the engine gives it ten seconds.
_END_SECONDS: Final = 8
#: The first pause between two requests to end it, and the longest.
_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
#: How long the server may take to hear such a request.
_HEARD_SECONDS: Final = 2.0


class _NotWantedError(Exception):
    """Nobody waits for the job any more. Never seen outside: its attempt is cancelled already."""


class Job(Generic[T]):
    """Some work with one connection, on one thread."""

    def __init__(self, engine: Engine, work: Callable[[Connection, Job[T]], T]) -> None:
        self._engine = engine
        self._work = work
        self._lock = threading.Lock()
        self._driver: Any = None
        self._unwanted = False
        #: Whether it has a connection, or had one: before, there is no statement to end.
        self.held = False
        self.ended = threading.Event()

    def run(self) -> T:
        """Do the work. Raises NodeError, or what the work raises."""
        try:
            with self._engine.connect() as connection:
                self._hold(connection)
                try:
                    return self._work(connection, self)
                finally:
                    self._release(connection)
        except DatabaseError as error:
            raise failure(error) from None
        finally:
            self.ended.set()

    def check(self) -> None:
        """Raise when the work is to stop."""
        if self._unwanted:
            raise _NotWantedError

    def end(self, pause_seconds: float) -> None:
        """Ask the server to end the statement, and wait a little. For another thread."""
        with self._lock:  # until it is heard the connection is nobody else's
            self._unwanted = True
            if isinstance(self._driver, sqlite3.Connection):
                self._driver.interrupt()
            elif isinstance(self._driver, psycopg.Connection):
                self._driver.cancel_safe(timeout=_HEARD_SECONDS)
        self.ended.wait(pause_seconds)

    def _hold(self, connection: Connection) -> None:
        with self._lock:
            if self._unwanted:
                connection.invalidate()  # the pool may be closed by now
                raise _NotWantedError
            self.held = True
            self._driver = connection.connection.driver_connection

    def _release(self, connection: Connection) -> None:
        with self._lock:
            is_postgresql, self._driver = isinstance(self._driver, psycopg.Connection), None
        if self._unwanted and is_postgresql:
            connection.invalidate()  # a late request would end somebody else's statement


class Database:
    """One engine and the attempts that use it. Used from the loop's thread."""

    def __init__(self, engine: Engine, *, size: int) -> None:
        self._engine = engine
        #: Who waits for a connection waits here, without a thread.
        self._turns = anyio.CapacityLimiter(size)

    async def run(self, work: Callable[[Connection, Job[T]], T]) -> T:
        """Do the work with a connection on a thread. When cancelled, its statement is ended at the server.

        Raises NodeError.
        """
        job = Job(self._engine, work)
        try:
            return await anyio.to_thread.run_sync(job.run, abandon_on_cancel=True, limiter=self._turns)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_END_SECONDS, shield=True):
                await _end(job)
            raise

    async def close(self) -> None:
        """Close all connections."""
        await anyio.to_thread.run_sync(self._engine.dispose)


async def _end(job: Job[Any]) -> None:
    # A request that comes between two statements of the job ends nothing: it is made until the job has ended.
    pause_seconds = _PAUSE_SECONDS
    while not job.ended.is_set():
        try:
            await anyio.to_thread.run_sync(job.end, pause_seconds, abandon_on_cancel=True)
        except psycopg.Error:  # the server cannot be reached; the job will notice
            await anyio.sleep(pause_seconds)
        if not job.held:
            return
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
