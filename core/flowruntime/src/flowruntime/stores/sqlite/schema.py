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
        # `named` is {name: number of a document}. `owner` is the number of who runs it, or ran it; 0 for nobody, and
        # for what has ended.
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
            owner INTEGER NOT NULL DEFAULT 0,
            token INTEGER NOT NULL DEFAULT 0,
            recovery TEXT,
            cancel_requested INTEGER NOT NULL DEFAULT 0,
            quarantine TEXT
        )
        """,
        # What is left to resume is found without reading what has ended.
        """
        CREATE INDEX executions_unfinished ON executions (owner, number)
        WHERE ended_us IS NULL
        """,
        # What an execution was created for, so that it is created once.
        """
        CREATE TABLE seen (
            scope TEXT NOT NULL,
            key TEXT NOT NULL,
            execution INTEGER NOT NULL REFERENCES executions (number),
            PRIMARY KEY (scope, key)
        ) WITHOUT ROWID
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
        # Who runs executions. Numbers are never given again: executions may still name one that is gone.
        """
        CREATE TABLE owners (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            is_given INTEGER NOT NULL,
            host TEXT NOT NULL,
            boot_id TEXT NOT NULL,
            pid INTEGER NOT NULL,
            process_start INTEGER NOT NULL,
            lease_us INTEGER NOT NULL,
            expires_us INTEGER NOT NULL
        )
        """,
        # `answer` is what `RequestStore.answered` gives, as JSON.
        """
        CREATE TABLE requests (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            execution INTEGER NOT NULL REFERENCES executions (number),
            kind TEXT NOT NULL,
            body TEXT NOT NULL,
            answer TEXT,
            answered_us INTEGER
        )
        """,
        """
        CREATE INDEX requests_waiting ON requests (execution, number)
        WHERE answer IS NULL
        """,
        """
        CREATE INDEX requests_answered ON requests (answered_us)
        WHERE answered_us IS NOT NULL
        """,
        # --- the library: `library.py` ---
        # `latest` is the greatest version; `runnable` the greatest that is no draft, and `name` its name. Numbers grow
        # with the age of workflows.
        """
        CREATE TABLE workflows (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            created_us INTEGER NOT NULL,
            is_active INTEGER NOT NULL DEFAULT 0,
            latest INTEGER NOT NULL,
            runnable INTEGER,
            name TEXT
        )
        """,
        """
        CREATE INDEX workflows_by_name ON workflows (name, number)
        WHERE name IS NOT NULL
        """,
        """
        CREATE TABLE workflow_versions (
            workflow INTEGER NOT NULL REFERENCES workflows (number),
            version INTEGER NOT NULL,
            name TEXT NOT NULL,
            description TEXT,
            updated_us INTEGER NOT NULL,
            is_draft INTEGER NOT NULL,
            document INTEGER NOT NULL REFERENCES documents (number),
            PRIMARY KEY (workflow, version)
        ) WITHOUT ROWID
        """,
        # One row, which counts changes, so that other processes see that there are some.
        """
        CREATE TABLE library (
            changes INTEGER NOT NULL
        )
        """,
        """
        INSERT INTO library (changes) VALUES (0)
        """,
        # --- what nodes keep: `node_values.py` ---
        """
        CREATE TABLE node_values (
            scope TEXT NOT NULL,
            key TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (scope, key)
        ) WITHOUT ROWID
        """,
        # --- when workflows start: `schedules.py` ---
        """
        CREATE TABLE schedules (
            workflow_id TEXT NOT NULL,
            trigger_id TEXT NOT NULL,
            due_us INTEGER NOT NULL,
            PRIMARY KEY (workflow_id, trigger_id)
        ) WITHOUT ROWID
        """,
        """
        CREATE INDEX schedules_due ON schedules (due_us)
        """,
        # --- who may do what, and did: `tokens.py`, `secrets.py`, `audit.py` ---
        """
        CREATE TABLE tokens (
            name TEXT NOT NULL PRIMARY KEY,
            sha256 BLOB NOT NULL UNIQUE,
            role TEXT NOT NULL,
            grants TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            expires_us INTEGER,
            used_us INTEGER
        )
        """,
        """
        CREATE TABLE secrets (
            name TEXT NOT NULL PRIMARY KEY,
            ciphertext BLOB NOT NULL,
            key_id TEXT NOT NULL,
            updated_us INTEGER NOT NULL
        )
        """,
        # Numbers are never given again, so that the page behind one is always the same.
        """
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            at_us INTEGER NOT NULL,
            principal TEXT NOT NULL,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            details TEXT NOT NULL
        )
        """,
        """
        CREATE INDEX audit_times ON audit (at_us)
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
