"""Writes changes of executions: the one way in which events come into the database."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, cast

from flowcore.contracts import Change
from flowcore.documents import write_workflow
from flowcore.errors import StoreError
from flowcore.events import ExecutionId, WorkflowCompleted
from flowcore.values import write_json
from flowcore.workflows import Workflow

from flowruntime.stores.refusals import (
    already_seen,
    does_not_follow,
    exists,
    has_ended,
    is_lost,
    unknown,
    unknown_owner,
)
from flowruntime.stores.sqlite.database import Database
from flowruntime.stores.sqlite.encoding import encode_rows
from flowruntime.stores.sqlite.requests import answer, encode_answers, refuse_waiting, some_wait

__all__ = ["Changes"]

#: How many documents are recognized as kept already when they come again.
_KNOWN_DOCUMENTS: Final = 256
#: Compared in the file, into which other processes write too. Whoever was never claimed has token 0 and no owner; for
#: all others, to have no owner means that the lease was given back.
_HELD: Final = "number = ? AND token = ? AND ended_us IS NULL AND (owner <> 0 OR token = 0)"
#: `ended_us` and `owner` are set by the last change only: each change of them is one of an index, too.
_GO_ON: Final = f"UPDATE executions SET seq = ?, status = ? WHERE {_HELD} AND seq = ?"  # noqa: S608
_END: Final = f"UPDATE executions SET seq = ?, status = ?, ended_us = ?, owner = 0 WHERE {_HELD} AND seq = ?"  # noqa: S608
_BESIDE: Final = f"UPDATE executions SET status = ? WHERE {_HELD}"  # noqa: S608
_BEGIN: Final = (
    "INSERT INTO executions"
    " (id, workflow_id, document, named, status, seq, started_us, ended_us, owner, token, recovery)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_KEEP: Final = "INSERT INTO events (execution, first_seq, last_seq, checksum, data) VALUES (?, ?, ?, ?, ?)"


class Changes:
    """The writer of a database, inside its transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Those that are registered, and 0 for nobody.
        self._owners: set[int] = {0}
        self._has_requests: bool | None = None
        database.forget = self.forget
        self.forget()

    def forget(self) -> None:
        """Hold no numbers any more."""
        #: Numbers of executions that have not ended, and were written here.
        self._numbers: dict[ExecutionId, int] = {}
        #: By the id of the workflow, which is held so that its id stays its own.
        self._documents: OrderedDict[int, tuple[Workflow, int]] = OrderedDict()

    def keep(self, connection: sqlite3.Connection, changes: Sequence[Change]) -> list[StoreError | None]:
        """Write changes; nothing of those that are refused, but contents, which harm nobody."""
        # What others may change between transactions, looked up once for all changes of this one.
        self._owners = {0}
        self._has_requests = None
        return [self._keep(connection, change) for change in changes]

    def _keep(self, connection: sqlite3.Connection, change: Change) -> StoreError | None:
        try:
            if change.follower is None:
                self._keep_one(connection, change)
            else:
                self._keep_both(connection, change, change.follower)
        except StoreError as error:
            return error
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            return StoreError(
                f"The events of execution {change.execution_id!r} cannot be written as JSON: {error}.",
                code="store.not_json",
                remedy="Please report this with the workflow that shows it.",
            )
        return None

    def _keep_one(self, connection: sqlite3.Connection, change: Change) -> None:
        if change.workflow is None:
            self._go_on(connection, change)
        else:
            self._begin(connection, change, change.workflow)

    def _keep_both(self, connection: sqlite3.Connection, change: Change, follower: Change) -> None:
        connection.execute("SAVEPOINT both")
        try:
            self._keep_one(connection, change)
            self._keep_one(connection, follower)
        except sqlite3.Error:
            raise  # all of the transaction is rolled back
        except BaseException:
            connection.execute("ROLLBACK TO both")
            connection.execute("RELEASE both")
            self._database.contents.forget()
            self.forget()
            raise
        connection.execute("RELEASE both")

    def _begin(self, connection: sqlite3.Connection, change: Change, workflow: Workflow) -> None:
        execution_id, events, once = change.execution_id, change.events, change.once
        if not events or events[0].seq != 1:
            raise does_not_follow(execution_id, events[0].seq if events else 0, 0)
        if once is not None and connection.execute("SELECT 1 FROM seen WHERE scope = ? AND key = ?", once).fetchone():
            raise already_seen(*once)
        owner = change.owner or 0
        if owner not in self._owners:
            if not connection.execute("SELECT 1 FROM owners WHERE number = ?", (owner,)).fetchone():
                raise unknown_owner(owner)
            self._owners.add(owner)
        rows = list(encode_rows(events, self._database.contents))
        end = events[-1] if isinstance(events[-1], WorkflowCompleted) else None
        named = {name: self._document(connection, other) for name, other in (change.named or {}).items()}
        values = (
            execution_id,
            workflow.id,
            self._document(connection, workflow),
            write_json(named) if named else "{}",
            end.status if end else change.status if owner else "pending",
            events[-1].seq,
            events[0].at_us,
            end.at_us if end else None,
            0 if end else owner,
            1 if owner else 0,
            change.recovery,
        )
        made = connection.execute(_BEGIN, values)
        if not made.rowcount:
            raise exists(execution_id)
        number = cast("int", made.lastrowid)
        connection.executemany(_KEEP, [(number, *row) for row in rows])
        if once is not None:
            connection.execute("INSERT INTO seen (scope, key, execution) VALUES (?, ?, ?)", (*once, number))
        if end is None:
            self._numbers[execution_id] = number

    def _go_on(self, connection: sqlite3.Connection, change: Change) -> None:
        execution_id, events, token = change.execution_id, change.events, change.token
        number = self._number(connection, execution_id)
        rows = list(encode_rows(events, self._database.contents))
        answers = encode_answers(change.answers) if change.answers else None
        end = events[-1] if events and isinstance(events[-1], WorkflowCompleted) else None
        if end is not None:
            values = (end.seq, end.status, end.at_us, number, token, events[0].seq - 1)
            updated = connection.execute(_END, values)
        elif events:
            updated = connection.execute(_GO_ON, (events[-1].seq, change.status, number, token, events[0].seq - 1))
        else:
            updated = connection.execute(_BESIDE, (change.status, number, token))
        if not updated.rowcount:
            self._numbers.pop(execution_id, None)
            _check(connection, change, number)
            return
        if rows:
            connection.executemany(_KEEP, [(number, *row) for row in rows])
        if change.cancel and end is None:
            connection.execute("UPDATE executions SET cancel_requested = 1 WHERE number = ?", (number,))
        if answers:
            answer(connection, number, answers, self._database.now_us())
        if end is None:
            self._numbers[execution_id] = number
            return
        if self._has_requests is None:
            self._has_requests = some_wait(connection)
        if self._has_requests:
            refuse_waiting(connection, number, execution_id, end.status, self._database.now_us())
        self._numbers.pop(execution_id, None)
        if not self._numbers:
            self._database.contents.forget()

    def _number(self, connection: sqlite3.Connection, execution_id: ExecutionId) -> int:
        number = self._numbers.get(execution_id)
        if number is None:
            row = connection.execute("SELECT number FROM executions WHERE id = ?", (execution_id,)).fetchone()
            if row is None:
                raise unknown(execution_id)
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


def _check(connection: sqlite3.Connection, change: Change, number: int) -> None:
    """Raise StoreError, saying why a change was not written: what stands in the file is not what it says."""
    execution_id = change.execution_id
    status, seq, owner, token, ended_us = connection.execute(
        "SELECT status, seq, owner, token, ended_us FROM executions WHERE number = ?", (number,)
    ).fetchone()
    if token != change.token:
        raise is_lost(execution_id)
    if ended_us is not None:
        if change.events:
            raise has_ended(execution_id, status)
        return  # its last change has settled what this one would
    if token and not owner:
        raise is_lost(execution_id)
    raise does_not_follow(execution_id, change.events[0].seq, seq)
