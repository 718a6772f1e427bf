"""Turns what a database or its driver raises into the errors of nodes: what may pass, and what cannot."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

import psycopg
from flowruntime.authoring import FatalNodeError, NodeError, RetryableNodeError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

__all__ = ["DatabaseError", "commit_unknown", "failure", "is_lost"]

#: What is caught and given to `failure`.
DatabaseError: Final = (DBAPIError, PoolTimeoutError, psycopg.Error, sqlite3.Error)

_TRY: Final = "It is tried again as the retry policy says; make sure that the database can be reached."
_AGAIN: Final = "Raise `max_attempts` in the node's retry policy, or let fewer at the same rows at a time."
_STATEMENT: Final = "Correct the statement."
_READ: Final = "Change databases with sql.execute; sql.query only reads."
_URL: Final = "Correct the URL of the database: user, password, name of the database, options."
_RIGHTS: Final = "Give the user of the database the right to do that, or the URL of one who has it."
_DATA: Final = "Correct the value, or convert it in the statement with CAST."
_CONSTRAINT: Final = "Give values that the table allows, or say what to do with others: INSERT … ON CONFLICT …"
_CANCELLED: Final = "Somebody ended the statement, or it took longer than the server allows."

#: PostgreSQL's SQLSTATE, or its first two characters: code, remedy, whether it may pass.
_STATES: Final[dict[str, tuple[str, str, bool]]] = {
    "25006": ("sql.read_only", _READ, False),
    "40": ("sql.conflict", _AGAIN, True),
    "40002": ("sql.constraint", _CONSTRAINT, False),
    "55P03": ("sql.locked", _AGAIN, True),
    "57014": ("sql.interrupted", _CANCELLED, True),
    "08": ("sql.unavailable", _TRY, True),
    "53": ("sql.unavailable", _TRY, True),
    "57P": ("sql.unavailable", _TRY, True),
    "42501": ("sql.forbidden", _RIGHTS, False),
    "28": ("sql.forbidden", _URL, False),
    "3D": ("sql.forbidden", _URL, False),
    "22": ("sql.data", _DATA, False),
    "42P18": ("sql.statement", "Say in the statement what it is: :name::text, for instance.", False),
    "42804": ("sql.statement", "Convert it in the statement: :name::jsonb, for instance.", False),
    "23": ("sql.constraint", _CONSTRAINT, False),
}
#: What a server that cannot be had with this URL says, in English: no SQLSTATE comes with it. In another language it is
#: taken for what may pass.
_REFUSALS: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|FATAL: .* does not exist|permission denied for"
    r"|is not permitted to log in|but SSL was required|invalid \w+ (?:value|number)|certificate verify failed"
    r"|root certificate file"
)
#: What of the URL a driver that could not connect repeats: where the server is, and anything in quotes.
_PLACE: Final = re.compile(r"^.*\bfailed: (?:FATAL: +)?")
_QUOTED: Final = re.compile(r" (?:for (?:user|host) )?(?:\"[^\"]*\"|'[^']*')")
#: SQLite's primary result codes: the same.
_RESULTS: Final[dict[int, tuple[str, str, bool]]] = {
    sqlite3.SQLITE_BUSY: ("sql.locked", _AGAIN, True),
    sqlite3.SQLITE_LOCKED: ("sql.locked", _AGAIN, True),
    sqlite3.SQLITE_INTERRUPT: ("sql.interrupted", _CANCELLED, True),
    sqlite3.SQLITE_IOERR: ("sql.unavailable", "Make sure that the disk is there.", True),
    sqlite3.SQLITE_FULL: ("sql.unavailable", "Free space on the disk.", True),
    sqlite3.SQLITE_READONLY: ("sql.read_only", _READ, False),
    sqlite3.SQLITE_AUTH: ("sql.forbidden", "Nodes may not do that with SQLite here; leave it out.", False),
    sqlite3.SQLITE_CONSTRAINT: ("sql.constraint", _CONSTRAINT, False),
    sqlite3.SQLITE_CANTOPEN: (
        "sql.no_file",
        "Correct the path in the URL; sql.execute makes a file, no folder.",
        False,
    ),
    sqlite3.SQLITE_NOTADB: ("sql.no_file", "Correct the path in the URL: that file is no SQLite database.", False),
    sqlite3.SQLITE_CORRUPT: ("sql.no_file", "Restore the file from a backup.", False),
    sqlite3.SQLITE_MISMATCH: ("sql.data", _DATA, False),
    sqlite3.SQLITE_TOOBIG: ("sql.data", _DATA, False),
}


def failure(error: Exception) -> NodeError:
    """The error of a node for what one of `DatabaseError` says.

    Its text is the database's own, without statement, values and URL: SQLAlchemy's would show them.
    """
    if isinstance(error, PoolTimeoutError):
        return RetryableNodeError(
            "All connections of the node are in use.", code="sql.no_connection", remedy="Raise `pool_size`."
        )
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    details: dict[str, Any] = {}
    if isinstance(cause, sqlite3.Error):
        number = getattr(cause, "sqlite_errorcode", None)  # None for faults of Python's own
        code, remedy, may_pass = _RESULTS.get((number or 0) & 0xFF, ("sql.statement", _STATEMENT, False))
        if number is not None:
            details["result"] = cause.sqlite_errorname
        message = str(cause)
        if number is None and message.startswith("Could not decode"):
            code, remedy = "sql.data", "Select it as bytes: CAST(… AS BLOB)."
    elif isinstance(cause, psycopg.Error):
        state = cause.sqlstate
        message = cause.diag.message_primary or str(cause).partition("\n")[0]
        if state is None and isinstance(cause, psycopg.OperationalError):
            is_refused = _REFUSALS.search(message) is not None
            code, remedy, may_pass = ("sql.forbidden", _URL, False) if is_refused else ("sql.unavailable", _TRY, True)
            message = _QUOTED.sub("", _PLACE.sub("", message))
        elif state is None:
            code, remedy, may_pass = "sql.data", _DATA, False  # the driver itself refuses a value
        else:
            is_writing = state == "0A000" and "data-modifying" in message  # WITH x AS (INSERT …) SELECT …, as a query
            code, remedy, may_pass = _of_state("25006" if is_writing else state)
            details["sqlstate"] = state
        details |= _places(cause)
    else:
        code, remedy, may_pass = "sql.statement", _STATEMENT, False
        message = type(cause).__name__
    kind = RetryableNodeError if may_pass else FatalNodeError
    return kind(f"The database says: {message.rstrip('.')}.", code=code, remedy=remedy, details=details)


def is_lost(error: Exception) -> bool:
    """Whether the connection is gone, so that nobody knows whether a commit was heard."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        error = error.orig if isinstance(error.orig, Exception) else error
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate is None or error.sqlstate.startswith("57P"))


def commit_unknown() -> FatalNodeError:
    """The connection was lost while a transaction was being committed."""
    return FatalNodeError(
        "The connection was lost while the changes were committed: they may have been made, or not.",
        code="sql.commit_unknown",
        remedy="Look what is there. A statement with :idempotency_key in it, which leaves alone what has that key "
        "already, is tried again.",
    )


def _of_state(state: str) -> tuple[str, str, bool]:
    for length in (5, 3, 2):
        if found := _STATES.get(state[:length]):
            return found
    return "sql.statement", _STATEMENT, False


def _places(cause: psycopg.Error) -> dict[str, str]:
    """Where the fault is, and what the server advises. Not its `detail`, which shows values."""
    said = cause.diag
    found = {
        "constraint": said.constraint_name,
        "table": said.table_name,
        "column": said.column_name,
        "position": said.statement_position,
        "hint": said.message_hint,
    }
    return {name: value for name, value in found.items() if value}
