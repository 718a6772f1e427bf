"""Reads executions and their events from the database."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from flowcore.contracts import ExecutionRecord, ExecutionSummary, Page
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId
from flowcore.executions import FINAL_STATUSES, Status
from flowcore.workflows import Workflow

from flowruntime.stores.refusals import unknown
from flowruntime.stores.sqlite.database import Database
from flowruntime.stores.sqlite.encoding import Row, decode_row
from flowruntime.stores.sqlite.leases import alive

__all__ = ["History"]


class History:
    """The reader of a database. The methods are those of `flowcore.contracts.Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: The row that was read in part at last, and its events: who reads on needs them again.
        self._row: tuple[int, Row] | None = None
        self._row_events: list[Event] = []

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """Events that are on the disk. Raises StoreError with `store.corrupt` for rows that are damaged."""
        with self._database.snapshot() as reader:
            number = _number(reader, execution_id)
            rows = reader.execute(
                "SELECT first_seq, last_seq, checksum, data FROM events"
                " WHERE execution = ? AND last_seq > ? ORDER BY last_seq",
                (number, after),
            )
            reading = self._database.contents_of(reader)
            events: list[Event] = []
            for first_seq, last_seq, checksum, data in rows:
                expected = events[-1].seq + 1 if events else after + 1
                if first_seq > expected:
                    raise _hole(execution_id, expected, first_seq - 1)
                row = Row(first_seq, last_seq, checksum, data)
                if self._row != (number, row):
                    self._row, self._row_events = (number, row), decode_row(row, reading, execution_id)
                events.extend(self._row_events[expected - first_seq :])
                if len(events) >= limit:
                    break
            if len(events) <= limit:
                self._row, self._row_events = None, []
        return Page(events=events[:limit], first_seq=1)

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """The execution's documents and status."""
        with self._database.snapshot() as reader:
            row = reader.execute(
                "SELECT document, named, status, quarantine FROM executions WHERE id = ?", (execution_id,)
            ).fetchone()
            if row is None:
                return None
            document, named, status, quarantine = row
            return ExecutionRecord(
                execution_id=execution_id,
                workflow=_read_document(reader, document),
                status=status,
                named={name: _read_document(reader, number) for name, number in json.loads(named).items()},
                quarantine=quarantine if status == "quarantined" else None,
            )

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        """The executions that began last, the newest first."""
        conditions: list[str] = []
        values: list[Any] = []
        table = "executions"
        with self._database.snapshot() as reader:
            if before is not None:
                conditions.append("number < ?")
                values.append(_number(reader, before))
            if status is not None:
                conditions.append("status = ?")
                values.append(status)
                if status not in FINAL_STATUSES:  # few, while all executions may be very many
                    table = "executions INDEXED BY executions_unfinished"
                    conditions.append("ended_us IS NULL")
            where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
            return self._summaries(reader, f"FROM {table} {where}ORDER BY number DESC LIMIT ?", (*values, limit))

    def summary(self, execution_id: ExecutionId) -> ExecutionSummary | None:
        """The line of one execution."""
        with self._database.snapshot() as reader:
            found = self._summaries(reader, "FROM executions WHERE id = ?", (execution_id,))
        return found[0] if found else None

    def _summaries(self, reader: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> list[ExecutionSummary]:
        query = f"SELECT id, workflow_id, status, seq, started_us, ended_us, owner {which}"
        rows = reader.execute(query, values).fetchall()
        living = alive(reader, self._database.now_us()) if any(owner for *_, owner in rows) else {}
        return [
            ExecutionSummary(
                execution_id=ExecutionId(execution_id),
                workflow_id=workflow_id,
                status=state,
                seq=seq,
                started_us=started_us,
                ended_us=ended_us,
                owner=living.get(owner),
            )
            for execution_id, workflow_id, state, seq, started_us, ended_us, owner in rows
        ]

    def created_once(self, scope: str, key: str) -> ExecutionId | None:
        """The execution that was created for this."""
        with self._database.snapshot() as reader:
            row = reader.execute(
                "SELECT executions.id FROM seen JOIN executions ON executions.number = seen.execution"
                " WHERE seen.scope = ? AND seen.key = ?",
                (scope, key),
            ).fetchone()
        return None if row is None else ExecutionId(row[0])


def _number(reader: sqlite3.Connection, execution_id: ExecutionId) -> int:
    row = reader.execute("SELECT number FROM executions WHERE id = ?", (execution_id,)).fetchone()
    if row is None:
        raise unknown(execution_id)
    return int(row[0])


def _read_document(reader: sqlite3.Connection, number: int) -> Workflow:
    row = reader.execute("SELECT content FROM documents WHERE number = ?", (number,)).fetchone()
    try:
        return parse_workflow(row[0])
    except Exception as error:
        raise StoreError(
            f"The workflow of an execution is damaged in the database (document {number}).",
            code="store.corrupt",
            remedy="Restore the database from a backup; other executions can still be read.",
        ) from error


def _hole(execution_id: ExecutionId, first: int, last: int) -> StoreError:
    return StoreError(
        f"Events {first} to {last} of execution {execution_id!r} are missing in the database.",
        code="store.corrupt",
        remedy="Restore the database from a backup; other executions can still be read.",
    )
