"""The library of workflows in the database. `flowcore.contracts.LibraryStore`."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from flowcore.contracts import StoredWorkflow
from flowcore.documents import read_workflow, write_workflow
from flowcore.errors import StoreError
from flowcore.values import write_json
from flowcore.workflows import Workflow

from flowruntime.stores.refusals import workflow_changed
from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteLibrary"]

#: How many documents are held as objects: the same one is read once, and stays the same object.
_KNOWN_DOCUMENTS: Final = 256
#: SQLite's integers have 64 bit.
_LARGEST: Final = 2**63 - 1
_COLUMNS: Final = "w.id, v.version, v.name, v.description, w.created_us, v.updated_us, v.is_draft, w.is_active"
_VERSIONS: Final = "FROM workflows w JOIN workflow_versions v ON v.workflow = w.number"
_LISTED: Final = f"SELECT {_COLUMNS} {_VERSIONS}"
_WHOLE: Final = f"SELECT {_COLUMNS}, d.sha256, d.number {_VERSIONS} JOIN documents d ON d.number = v.document"
#: `runnable` is the latest version that is no draft, `name` its name; without one both are NULL.
_SET_RUNNABLE: Final = """
    UPDATE workflows SET (runnable, name) = (
        SELECT v.version, v.name FROM workflow_versions v WHERE v.workflow = workflows.number AND NOT v.is_draft
        ORDER BY v.version DESC LIMIT 1
    ) WHERE number = ?
"""


class _Head(NamedTuple):
    """The latest version of a workflow."""

    number: int
    version: int
    document: int
    is_draft: bool


class SqliteLibrary:
    """Workflows with their versions. Documents lie where those of executions do, each once by its content."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: By the hash of the content: numbers of documents may be given again when some were removed.
        self._documents: OrderedDict[bytes, Workflow] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, workflow: Workflow, *, draft: bool = False, expected: int | None = None) -> StoredWorkflow:
        """Keep the next version; of two that put at the same time, the second one finds what the first one put."""
        content = write_json(write_workflow(workflow))
        sha256 = hashlib.sha256(content.encode()).digest()
        row = None
        with self._database.transaction() as connection:
            head = _head(connection, workflow.id)
            latest = 0 if head is None else head.version
            if expected in (None, latest):
                self._put(connection, workflow, head, _keep_document(connection, sha256, content), draft=draft)
                row = connection.execute(
                    f"{_LISTED} WHERE w.id = ? AND v.version = w.latest",
                    (workflow.id,),
                ).fetchone()
        if row is None:
            raise workflow_changed(workflow.id, expected or 0, latest)
        self._remember(sha256, workflow)
        return _stored(row, workflow)

    def get(self, workflow_id: str, version: int | None = None) -> StoredWorkflow | None:
        """A version of a workflow."""
        if version is None:
            return self._one("w.id = ? AND v.version = w.latest", workflow_id)
        if version > _LARGEST:
            return None
        return self._one("w.id = ? AND v.version = ?", workflow_id, version)

    def find(self, name: str) -> StoredWorkflow | None:
        """What runs under that name."""
        return self._one(
            "v.version = w.runnable AND w.number = coalesce("
            "(SELECT number FROM workflows WHERE id = ?),"
            " (SELECT number FROM workflows WHERE name = ? ORDER BY number LIMIT 1))",
            name,
            name,
        )

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[StoredWorkflow]:
        """Latest versions by id."""
        return self._many("v.version = w.latest AND w.id > ? ORDER BY w.id LIMIT ?", after or "", limit)

    def versions(self, workflow_id: str) -> Sequence[StoredWorkflow]:
        """All versions, the newest first."""
        return self._many("w.id = ? ORDER BY v.version DESC", workflow_id)

    def remove(self, workflow_id: str) -> bool:
        """Remove a workflow; its documents stay, because executions may have them."""
        with self._database.transaction() as connection:
            head = _head(connection, workflow_id)
            if head is not None:
                connection.execute("DELETE FROM workflow_versions WHERE workflow = ?", (head.number,))
                connection.execute("DELETE FROM workflows WHERE number = ?", (head.number,))
                _count_change(connection)
        return head is not None

    def activate(self, workflow_id: str, *, active: bool) -> bool:
        """Turn its triggers on or off."""
        with self._database.transaction() as connection:
            head = _head(connection, workflow_id)
            if head is not None:
                connection.execute("UPDATE workflows SET is_active = ? WHERE number = ?", (active, head.number))
                _count_change(connection)
        return head is not None

    def changes(self) -> int:
        """How often something was changed."""
        with self._database.snapshot() as reader:
            (number,) = reader.execute("SELECT changes FROM library").fetchone()
        return int(number)

    def _put(
        self, connection: sqlite3.Connection, workflow: Workflow, head: _Head | None, document: int, *, draft: bool
    ) -> None:
        now_us = self._database.now_us()
        if head is None:
            made = connection.execute(
                "INSERT INTO workflows (id, created_us, latest) VALUES (?, ?, 1)", (workflow.id, now_us)
            )
            number, version = made.lastrowid, 1
        elif document != head.document:
            number, version = head.number, head.version + 1
            connection.execute("UPDATE workflows SET latest = ? WHERE number = ?", (version, number))
        elif head.is_draft and not draft:
            number, version = head.number, head.version
            connection.execute(
                "UPDATE workflow_versions SET is_draft = 0 WHERE workflow = ? AND version = ?", (number, version)
            )
        else:
            return
        if head is None or version != head.version:
            connection.execute(
                "INSERT INTO workflow_versions (workflow, version, name, description, updated_us, is_draft, document)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, version, workflow.name, workflow.description, now_us, draft, document),
            )
        connection.execute(_SET_RUNNABLE, (number,))
        _count_change(connection)

    def _many(self, where: str, *values: Any) -> Sequence[StoredWorkflow]:
        with self._database.snapshot() as reader:
            rows = reader.execute(f"{_LISTED} WHERE {where}", values).fetchall()
        return [_stored(row, None) for row in rows]

    def _one(self, where: str, *values: Any) -> StoredWorkflow | None:
        with self._database.snapshot() as reader:
            row = reader.execute(f"{_WHOLE} WHERE {where}", values).fetchone()
            if row is None:
                return None
            *columns, sha256, number = row
            with self._lock:
                workflow = self._documents.get(sha256)
            if workflow is None:
                (content,) = reader.execute("SELECT content FROM documents WHERE number = ?", (number,)).fetchone()
                workflow = _read(content, columns[0], columns[1])
        self._remember(sha256, workflow)
        return _stored(columns, workflow)

    def _remember(self, sha256: bytes, workflow: Workflow) -> None:
        with self._lock:
            self._documents[sha256] = workflow
            self._documents.move_to_end(sha256)
            if len(self._documents) > _KNOWN_DOCUMENTS:
                self._documents.popitem(last=False)


def _head(connection: sqlite3.Connection, workflow_id: str) -> _Head | None:
    row = connection.execute(
        f"SELECT w.number, w.latest, v.document, v.is_draft {_VERSIONS} AND v.version = w.latest WHERE w.id = ?",
        (workflow_id,),
    ).fetchone()
    return None if row is None else _Head(*row)


def _keep_document(connection: sqlite3.Connection, sha256: bytes, content: str) -> int:
    connection.execute(
        "INSERT INTO documents (sha256, content) VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, content)
    )
    (number,) = connection.execute("SELECT number FROM documents WHERE sha256 = ?", (sha256,)).fetchone()
    return int(number)


def _count_change(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE library SET changes = changes + 1")


def _stored(row: Any, workflow: Workflow | None) -> StoredWorkflow:
    workflow_id, version, name, description, created_us, updated_us, is_draft, is_active = row
    return StoredWorkflow(
        id=workflow_id,
        version=version,
        name=name,
        description=description,
        created_us=created_us,
        updated_us=updated_us,
        is_draft=bool(is_draft),
        is_active=bool(is_active),
        workflow=workflow,
    )


def _read(content: str, workflow_id: str, version: int) -> Workflow:
    """The document, drafts with all their faults."""
    workflow = read_workflow(content, allow_draft=True).workflow
    if workflow is None:
        raise StoreError(
            f"Version {version} of the workflow {workflow_id!r} is damaged in the database.",
            code="store.corrupt",
            remedy="Restore the database from a backup, or add the workflow again; others can still be read.",
        )
    return workflow
