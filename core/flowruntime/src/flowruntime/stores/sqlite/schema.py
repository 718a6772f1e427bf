"""The tables of the database, and how older ones are brought up to date.

`events` holds a row for each batch of events that one commit brought to one execution, not for each event: that makes
writing several times cheaper, and a batch is read as a whole anyway.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from flowcore.errors import StoreError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "prepare"]

#: `PRAGMA application_id` of our files: "Flow" in ASCII.
APPLICATION_ID: Final = 0x466C6F77

#: Migration n (from 1) makes schema n of schema n - 1. What was released is never changed, only followed by another.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE documents (
            number INTEGER PRIMARY KEY,
            sha256 BLOB NOT NULL UNIQUE,
            content TEXT NOT NULL
        )
        """,
        # `named` is {name: number of a document}. `status` and `seq` follow from the events and change with them;
        # the columns from `cancel_requested` on belong to whoever runs the execution.
        """
        CREATE TABLE executions (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            workflow_id TEXT NOT NULL,
            document INTEGER NOT NULL REFERENCES documents (number),
            named TEXT NOT NULL,
            status TEXT NOT NULL,
            seq INTEGER NOT NULL,
            started_us INTEGER NOT NULL,
            ended_us INTEGER,
            cancel_requested INTEGER NOT NULL DEFAULT 0,
            recoveries INTEGER NOT NULL DEFAULT 0,
            lease_token INTEGER NOT NULL DEFAULT 0,
            lease_name TEXT,
            lease_host TEXT,
            lease_boot_id TEXT,
            lease_pid INTEGER,
            lease_process_start INTEGER,
            lease_expires_us INTEGER
        )
        """,
        # What is left to resume is found without reading what has ended.
        """
        CREATE INDEX executions_unfinished ON executions (number)
        WHERE ended_us IS NULL
        """,
        """
        CREATE TABLE events (
            execution INTEGER NOT NULL REFERENCES executions (number),
            last_seq INTEGER NOT NULL,
            first_seq INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (execution, last_seq)
        )
        """,
        """
        CREATE TABLE contents (
            number INTEGER PRIMARY KEY,
            sha256 BLOB NOT NULL UNIQUE,
            data BLOB NOT NULL
        )
        """,
    ),
)


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Check that the database is ours, make it when it is empty, and bring it to the newest schema.

    Raises StoreError for one of another program (`store.foreign`) or of a newer Flownodes (`store.newer`).
    """
    if _version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)  # another process may have been quicker
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: str) -> int:
    """The number of the schema, 0 for an empty database."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreError(
            f"The database {path!r} belongs to another program.",
            code="store.foreign",
            remedy="Name another file with --db; this one was left as it is.",
        )
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The database {path!r} has schema {version}, and this version of Flownodes knows schema "
            f"{len(MIGRATIONS)} at most.",
            code="store.newer",
            remedy="Update Flownodes: a newer version has written to this database.",
        )
    return int(version)
