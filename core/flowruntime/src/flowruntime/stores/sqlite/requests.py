"""Requests to executions, in the database. `flowcore.contracts.RequestStore`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from flowcore.contracts import Request, RequestKind
from flowcore.events import ErrorObject, ExecutionId
from flowcore.executions import Status
from flowcore.values import write_json

from flowruntime.stores.refusals import has_ended, unknown, unknown_request
from flowruntime.stores.sqlite.contents import Reading
from flowruntime.stores.sqlite.database import Database

__all__ = ["SqliteRequests", "answer", "encode_answers", "refuse_waiting", "some_wait"]

#: Answers that nobody has come for are kept so long.
_ANSWERS_US: Final = 24 * 3600 * 1_000_000
#: The index is named, because else all requests are read, in the order that is asked for.
_WAITING: Final = """
    SELECT requests.number, executions.id, requests.kind, requests.body
    FROM requests INDEXED BY requests_waiting JOIN executions ON executions.number = requests.execution
    WHERE requests.answer IS NULL
"""


class SqliteRequests:
    """What is wanted of executions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, execution_id: ExecutionId, kind: RequestKind, body: Mapping[str, Any]) -> int:
        """Write a request down."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT number, status, ended_us FROM executions WHERE id = ?", (execution_id,)
            ).fetchone()
            if row is None:
                raise unknown(execution_id)
            execution, status, ended_us = row
            if ended_us is not None:
                raise has_ended(execution_id, status)
            if kind == "cancel":
                connection.execute("UPDATE executions SET cancel_requested = 1 WHERE number = ?", (execution,))
            long_ago = self._database.now_us() - _ANSWERS_US
            connection.execute("DELETE FROM requests WHERE answered_us < ?", (long_ago,))
            made = connection.execute(
                "INSERT INTO requests (execution, kind, body) VALUES (?, ?, ?)",
                (execution, kind, self._database.contents.encode(body).decode()),
            )
            return made.lastrowid or 0

    def waiting(self, owner: int) -> list[Request]:
        """Requests to what this owner runs. Without requests, an empty index is all that is read."""
        with self._database.snapshot() as reader:
            rows = reader.execute(f"{_WAITING} AND executions.owner = ? ORDER BY requests.number", (owner,)).fetchall()
            return _requests(rows, self._database.contents_of(reader))

    def waiting_for(self, execution_id: ExecutionId) -> list[Request]:
        """Requests to one execution."""
        with self._database.snapshot() as reader:
            rows = reader.execute(f"{_WAITING} AND executions.id = ? ORDER BY requests.number", (execution_id,))
            return _requests(rows, self._database.contents_of(reader))

    def answered(self, number: int) -> Mapping[str, Any] | None:
        """What came of a request."""
        with self._database.snapshot() as reader:
            row = reader.execute("SELECT answer FROM requests WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise unknown_request(number)
        answered: Mapping[str, Any] | None = None if row[0] is None else msgspec.json.decode(row[0])
        return answered

    def forget(self, number: int) -> None:
        """Remove a request with its answer."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM requests WHERE number = ?", (number,))


def encode_answers(answers: Mapping[int, ErrorObject | None]) -> list[tuple[str, int]]:
    """Answers as they are kept, with the numbers of their requests."""
    return [(write_json({"error": error}), number) for number, error in answers.items()]


def answer(connection: sqlite3.Connection, execution: int, answers: Sequence[tuple[str, int]], now_us: int) -> None:
    """Answer requests to an execution, by its number, in the transaction of the events that came of them."""
    connection.executemany(
        "UPDATE requests SET answer = ?, answered_us = ? WHERE number = ? AND execution = ? AND answer IS NULL",
        [(encoded, now_us, number, execution) for encoded, number in answers],
    )


def some_wait(connection: sqlite3.Connection) -> bool:
    """Whether any request waits, for whatever execution."""
    query = "SELECT 1 FROM requests INDEXED BY requests_waiting WHERE answer IS NULL LIMIT 1"
    return connection.execute(query).fetchone() is not None


def refuse_waiting(
    connection: sqlite3.Connection, execution: int, execution_id: ExecutionId, status: Status, now_us: int
) -> None:
    """Answer all requests that wait for an execution, which ends in this transaction, with this status.

    It has come too late for them, but for those to cancel what was cancelled.
    """
    rows = connection.execute(
        "SELECT number, kind FROM requests WHERE execution = ? AND answer IS NULL", (execution,)
    ).fetchall()
    if rows:
        error = has_ended(execution_id, status).to_json()
        answers = {number: None if (kind, status) == ("cancel", "cancelled") else error for number, kind in rows}
        answer(connection, execution, encode_answers(answers), now_us)


def _requests(rows: Iterable[tuple[int, str, RequestKind, str]], reading: Reading) -> list[Request]:
    return [
        Request(number, ExecutionId(execution_id), kind, reading.resolve(msgspec.json.decode(body)))
        for number, execution_id, kind, body in rows
    ]
