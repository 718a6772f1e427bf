"""The store that keeps executions in one SQLite file. `flowcore.contracts.Store`."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from flowcore.contracts import Change, ExecutionRecord, ExecutionSummary, Page
from flowcore.documents import parse_workflow, write_workflow
from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId, WorkflowCompleted
from flowcore.executions import Status
from flowcore.values import write_json
from flowcore.workflows import Workflow

from flowruntime.stores.sqlite.connecting import BUSY_SECONDS, Synchronous, connect, open_writer
from flowruntime.stores.sqlite.contents import INLINE_BYTES, Contents, Reading
from flowruntime.stores.sqlite.encoding import Row, decode_row, encode_rows
from flowruntime.stores.sqlite.faults import fault, telling_faults
from flowruntime.stores.sqlite.schema import prepare

__all__ = ["SqliteStore"]

#: How many documents are recognized as kept already when they come again.
_KNOWN_DOCUMENTS: Final = 256


class SqliteStore:
    """Executions in one file, WAL mode. One connection writes, another one reads.

    `synchronous` is `full`, or `normal` for a store that may lose the last moments when the power goes, and writes
    faster. With `read_only` no file is made and nothing is written, except that an older schema is brought up to date.
    `make_folder` makes the folder of the file when it is missing. Values whose JSON is larger than `inline_bytes` are
    kept once by their hash. A lock of another process is waited for `busy_seconds`.
    """

    blocking = True

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: Synchronous = "full",
        read_only: bool = False,
        make_folder: bool = False,
        inline_bytes: int = INLINE_BYTES,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.path = str(path)
        self._synchronous = synchronous
        self._read_only = read_only
        self._make_folder = make_folder
        self._inline_bytes = inline_bytes
        self._busy_seconds = busy_seconds
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        #: Readers come from many threads.
        self._reading = threading.Lock()
        self._forget()

    def open(self) -> None:
        """Open the file. Raises StoreError when it cannot be used, and says why."""
        if not self._read_only:
            if self._make_folder:
                self._make()
            writer = open_writer(self.path, synchronous=self._synchronous, busy_seconds=self._busy_seconds)
            self._contents = Contents(writer, inline_bytes=self._inline_bytes)
            self._connection = writer
        try:
            self._reader = self._connect()
            if self._read_only:
                with telling_faults(self.path):
                    prepare(self._reader, self.path)
        except BaseException:
            self.close()
            raise

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

    def close(self) -> None:
        """Close both connections; what was committed stays."""
        with self._reading:
            for connection in (self._reader, self._connection):
                if connection is not None:
                    connection.close()
            self._reader = self._connection = None
        self._forget()

    # --- writing ------------------------------------------------------------------------------------

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        """Keep all changes in one transaction, which is on the disk when this returns."""
        with self._transaction() as connection:
            return [self._refusal(connection, change) for change in changes]

    def create(
        self, execution_id: ExecutionId, workflow: Workflow, first: Event, named: Mapping[str, Workflow] | None = None
    ) -> None:
        """Keep a new execution."""
        self._commit_one(Change(execution_id, [first], workflow, named))

    def append(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Keep the next events."""
        self._commit_one(Change(execution_id, events))

    def _commit_one(self, change: Change) -> None:
        (refusal,) = self.commit([change])
        if refusal is not None:
            raise refusal

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._opened(self._connection)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            # What was noted of rows that are gone now must be forgotten with them.
            self._forget()
            self._contents.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise fault(error, self.path) from error
            raise

    def _refusal(self, connection: sqlite3.Connection, change: Change) -> StoreError | None:
        try:
            self._keep(connection, change)
        except StoreError as error:
            return error
        except (TypeError, ValueError, OverflowError) as error:
            return StoreError(
                f"The events of execution {change.execution_id!r} cannot be written as JSON: {error}.",
                code="store.not_json",
                remedy="Please report this with the workflow that shows it.",
            )
        return None

    def _keep(self, connection: sqlite3.Connection, change: Change) -> None:
        """Write one change; nothing of it when it is refused, but contents, which harm nobody."""
        execution_id, events, workflow, named = change
        number = 0 if workflow is not None else self._number(connection, execution_id)
        if workflow is not None and events[0].seq != 1:
            raise _gap(execution_id, events[0].seq, 1)
        rows = list(encode_rows(events, self._contents))
        last = events[-1]
        ended = isinstance(last, WorkflowCompleted)
        status = last.status if isinstance(last, WorkflowCompleted) else "running"
        if workflow is None:
            # Compared in the file, into which another process may have written too.
            updated = connection.execute(
                "UPDATE executions SET seq = ?, status = ?, ended_us = ? WHERE number = ? AND seq = ?",
                (last.seq, status, last.at_us if ended else None, number, events[0].seq - 1),
            )
            if not updated.rowcount:
                (latest,) = connection.execute("SELECT seq FROM executions WHERE number = ?", (number,)).fetchone()
                raise _gap(execution_id, events[0].seq, latest + 1)
        else:
            made = connection.execute(
                "INSERT INTO executions (id, workflow_id, document, named, status, seq, started_us, ended_us)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    execution_id,
                    workflow.id,
                    self._document(connection, workflow),
                    write_json({name: self._document(connection, other) for name, other in (named or {}).items()}),
                    status,
                    last.seq,
                    events[0].at_us,
                    last.at_us if ended else None,
                ),
            )
            if not made.rowcount:
                raise StoreError(f"There is an execution {execution_id!r} already.", code="store.exists")
            number = cast("int", made.lastrowid)
        connection.executemany(
            "INSERT INTO events (execution, first_seq, last_seq, checksum, data) VALUES (?, ?, ?, ?, ?)",
            [(number, *row) for row in rows],
        )
        if ended:
            self._numbers.pop(execution_id, None)
            if not self._numbers:
                self._contents.forget()
        else:
            self._numbers[execution_id] = number

    def _number(self, connection: sqlite3.Connection, execution_id: ExecutionId) -> int:
        number = self._numbers.get(execution_id)
        if number is None:
            row = connection.execute("SELECT number FROM executions WHERE id = ?", (execution_id,)).fetchone()
            if row is None:
                raise _unknown(execution_id)
            number = cast("int", row[0])
        return number

    def _document(self, connection: sqlite3.Connection, workflow: Workflow) -> int:
        """The number of a document, which is kept once by its content."""
        known = self._documents.get(id(workflow))
        if known is not None:
            self._documents.move_to_end(id(workflow))
            return known[1]
        content = write_json(write_workflow(workflow), sort_keys=False)
        sha256 = hashlib.sha256(content.encode()).digest()
        connection.execute(
            "INSERT INTO documents (sha256, content) VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, content)
        )
        (number,) = connection.execute("SELECT number FROM documents WHERE sha256 = ?", (sha256,)).fetchone()
        self._documents[id(workflow)] = workflow, number
        if len(self._documents) > _KNOWN_DOCUMENTS:
            self._documents.popitem(last=False)
        return cast("int", number)

    def _forget(self) -> None:
        #: Numbers of executions that have not ended, and were written here.
        self._numbers: dict[ExecutionId, int] = {}
        #: By the id of the workflow, which is held so that its id stays its own.
        self._documents: OrderedDict[int, tuple[Workflow, int]] = OrderedDict()

    # --- reading ------------------------------------------------------------------------------------

    def read(self, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        """Events that are on the disk. Raises StoreError with `store.corrupt` for rows that are damaged."""
        with self._snapshot() as reader:
            known = reader.execute("SELECT number FROM executions WHERE id = ?", (execution_id,)).fetchone()
            if known is None:
                raise _unknown(execution_id)
            rows = reader.execute(
                "SELECT first_seq, last_seq, checksum, data FROM events"
                " WHERE execution = ? AND last_seq > ? ORDER BY last_seq",
                (known[0], after),
            )
            reading = Reading(reader, self._connect)
            events: list[Event] = []
            for first_seq, last_seq, checksum, data in rows:
                expected = events[-1].seq + 1 if events else after + 1
                if first_seq > expected:
                    raise _hole(execution_id, expected, first_seq - 1)
                row = Row(first_seq, last_seq, checksum, data)
                decoded = decode_row(row, reading, execution_id)
                events.extend(decoded[expected - first_seq :])
                if len(events) >= limit:
                    break
        return Page(events=events[:limit], first_seq=1)

    def record(self, execution_id: ExecutionId) -> ExecutionRecord | None:
        """The execution's documents and status."""
        with self._snapshot() as reader:
            row = reader.execute(
                "SELECT document, named, status FROM executions WHERE id = ?", (execution_id,)
            ).fetchone()
            if row is None:
                return None
            document, named, status = row
            return ExecutionRecord(
                execution_id=execution_id,
                workflow=_read_document(reader, document),
                status=status,
                named={name: _read_document(reader, number) for name, number in json.loads(named).items()},
            )

    def executions(
        self, *, before: ExecutionId | None = None, status: Status | None = None, limit: int = 100
    ) -> list[ExecutionSummary]:
        """The executions that began last, the newest first."""
        conditions: list[str] = []
        values: list[Any] = []
        with self._snapshot() as reader:
            if before is not None:
                row = reader.execute("SELECT number FROM executions WHERE id = ?", (before,)).fetchone()
                if row is None:
                    raise _unknown(before)
                conditions.append("number < ?")
                values.append(row[0])
            if status is not None:
                conditions.append("status = ?")
                values.append(status)
            where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
            rows = reader.execute(
                "SELECT id, workflow_id, status, seq, started_us, ended_us FROM executions "  # noqa: S608 - no data in it
                f"{where}ORDER BY number DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [
            ExecutionSummary(
                execution_id=ExecutionId(execution_id),
                workflow_id=workflow_id,
                status=state,
                seq=seq,
                started_us=started_us,
                ended_us=ended_us,
            )
            for execution_id, workflow_id, state, seq, started_us, ended_us in rows
        ]

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """The reading connection, with the database as it stands now."""
        with self._reading, telling_faults(self.path):
            reader = self._opened(self._reader)
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                reader.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        return connect(self.path, mode="rw", busy_seconds=self._busy_seconds)

    def _opened(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise StoreError(
                f"The database {self.path!r} is not open.", code="store.closed", remedy="Open the runtime around it."
            )
        return connection


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


def _unknown(execution_id: ExecutionId) -> StoreError:
    return StoreError(
        f"There is no execution {execution_id!r} in this database.",
        code="execution.unknown",
        remedy="`flow executions list` shows those that there are.",
    )


def _gap(execution_id: ExecutionId, seq: int, expected: int) -> StoreError:
    return StoreError(
        f"Event {seq} of execution {execution_id!r} does not follow event {expected - 1}.",
        code="store.gap",
        remedy="Two engines run the same execution; stop one.",
    )


def _hole(execution_id: ExecutionId, first: int, last: int) -> StoreError:
    return StoreError(
        f"Events {first} to {last} of execution {execution_id!r} are missing in the database.",
        code="store.corrupt",
        remedy="Restore the database from a backup; other executions can still be read.",
    )
