"""Makes the SQLAlchemy engine of a node: its pool, and how its connections are set up."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg.adapt import Buffer, Dumper, Loader, PyFormat
from psycopg.types.numeric import Int4, Int4Dumper, Int8, Int8Dumper
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.pool import QueuePool

from flownodes_sql.allowed import is_confined
from flownodes_sql.urls import Address

__all__ = ["make_engine"]

#: How long SQLite waits while somebody else writes, unless the config says it.
_SQLITE_LOCK_MS: Final = 5000
#: How long a thread waits for a connection that an attempt before it is just giving back.
_POOL_SECONDS: Final = 30
#: A server that is gone without a word is noticed within a minute.
_KEEPALIVES: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
#: A zone, a style of dates: what is read must not depend on how the server is set up.
_SESSION: Final = "SELECT set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO, YMD', false), \
set_config('intervalstyle', 'iso_8601', false)"
#: Types whose text says all, which objects of Python's would not: infinity, years before 1, months, digits.
_TEXT_TYPES: Final = (
    *("numeric", "date", "time", "timetz", "interval", "uuid", "inet", "cidr", "record"),
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange"),
)


def make_engine(
    address: Address, *, writes: bool, pool_size: int, connect_timeout_ms: float, lock_timeout_ms: float | None
) -> Engine:
    """An engine with a pool; nothing is connected. Without `writes` the database itself refuses to be changed."""
    if address.kind == "sqlite":
        return _sqlite_engine(
            address, writes=writes, pool_size=pool_size, lock_timeout_ms=lock_timeout_ms or _SQLITE_LOCK_MS
        )
    engine = create_engine(
        address.url,
        connect_args={
            # Whole seconds, and libpq takes one for two.
            "connect_timeout": max(2, math.ceil(connect_timeout_ms / 1000)),
            # Poolers in between give each transaction another connection.
            "prepare_threshold": None,
            "cursor_factory": _OneStatementCursor,
            **_KEEPALIVES,
        },
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: psycopg.Connection[Any], _record: object) -> None:
        for name in _TEXT_TYPES:
            connection.adapters.register_loader(name, _TextLoader)
        connection.adapters.register_dumper(int, _NumberDumper)
        connection.adapters.register_loader("timestamp", _TimestampLoader)
        connection.adapters.register_loader("timestamptz", _MomentLoader)
        connection.autocommit = True  # or the first rollback would undo the settings
        connection.execute(_SESSION)
        if lock_timeout_ms is not None:
            connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{math.ceil(lock_timeout_ms)}ms"])
        connection.autocommit = False
        connection.read_only = not writes or None

    @event.listens_for(engine, "handle_error")
    def close_cursor(context: ExceptionContext) -> None:
        """SQLAlchemy leaves the cursor of a lost connection open, and psycopg complains."""
        ran = context.execution_context
        if context.is_disconnect and ran is not None and ran.cursor is not None:
            with suppress(psycopg.Error):
                ran.cursor.close()

    return engine


def _sqlite_engine(address: Address, *, writes: bool, pool_size: int, lock_timeout_ms: float) -> Engine:
    # A connection has a database in memory of its own.
    size = pool_size if address.path else 1
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=_sqlite_connector(address.path, writes=writes, lock_timeout_ms=lock_timeout_ms),
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        hide_parameters=True,
    )
    begin = (
        "BEGIN IMMEDIATE" if writes else "BEGIN"
    )  # or two who have read before they write would be in each other's way

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _sqlite_connector(path: str, *, writes: bool, lock_timeout_ms: float) -> Callable[[], sqlite3.Connection]:
    # Reading does not make a file that is not there.
    mode = "rwc" if writes else "rw"
    authorize = _authorizer(writes=writes, confined=is_confined())
    name = f"file:{quote(str(Path(path).absolute()))}?mode={mode}" if path else ":memory:"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            name,
            uri=True,
            timeout=lock_timeout_ms / 1000,
            isolation_level=None,  # what a transaction is, is SQLAlchemy's to say
            check_same_thread=False,  # one at a time has it, on any thread
        )
        if not writes:
            connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(authorize)
        return connection

    return connect


def _authorizer(*, writes: bool, confined: bool) -> Callable[..., int]:
    def authorize(action: int, first: str | None, second: str | None, *_rest: object) -> int:
        # Another file; the name is None when it is bound, and empty for a temporary database.
        if action == sqlite3.SQLITE_ATTACH and confined and first != "":
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA and second is not None and str(first).lower() in guarded:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    guarded = {"temp_store_directory", "data_store_directory"} | (set() if writes else {"query_only"})
    return authorize


class _OneStatementCursor(psycopg.Cursor[Any]):
    """Has the server refuse a text with several statements in it.

    They could end the transaction around them, and with it what makes a query read only.
    """

    def _execute_send(self, query: Any, **given: Any) -> None:
        # Without parameters psycopg would choose the protocol that takes several; there is no public way to choose.
        super()._execute_send(query, **{**given, "force_extended": True})


class _NumberDumper(Dumper):
    """Integers as PostgreSQL takes those in a statement's text: `integer`, or `bigint` when they are too large.

    psycopg takes `smallint` for small ones, for which 300 * 300 is out of range.
    """

    def get_key(self, obj: int, format: PyFormat) -> type:
        """Int4 or Int8."""
        return self.upgrade(obj, format).cls

    def upgrade(self, obj: int, format: PyFormat) -> Dumper:  # noqa: ARG002 - psycopg's signature
        """The dumper of numbers of that size."""
        return Int4Dumper(Int4) if -(2**31) <= obj < 2**31 else Int8Dumper(Int8)

    def dump(self, obj: int) -> bytes:
        """The digits."""
        return str(obj).encode()


class _TextLoader(Loader):
    """The text that the server sends."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode()


class _TimestampLoader(_TextLoader):
    """Date and time of day as RFC 3339 writes them, without a zone."""

    def load(self, data: Buffer) -> str:
        return super().load(data).replace(" ", "T", 1)


class _MomentLoader(_TimestampLoader):
    """A moment as RFC 3339 writes it, in UTC as the session is."""

    def load(self, data: Buffer) -> str:
        text = super().load(data)
        return f"{text[:-3]}Z" if text.endswith("+00") else text
