"""Executes statements in one transaction and commits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from flownodes_sql.database import Job
from flownodes_sql.failures import DatabaseError, commit_unknown, failure, is_lost
from flownodes_sql.parameters import Bind, bound
from flownodes_sql.rows import Limits, RowList
from flownodes_sql.statements import Statement

__all__ = ["KEY", "Done", "Step", "write"]

#: The parameter that is there by itself: the same in every attempt.
KEY: Final = "idempotency_key"
#: How many sets of values go to the driver at a time.
_BATCH: Final = 1000
#: Statements after which SQLite knows a rowid.
_INSERTS: Final = frozenset({"INSERT", "REPLACE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A statement, and the sets of values with which it is executed."""

    statement: Statement
    sets: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a step has done: how many rows it changed, what RETURNING gave, and of SQLite the last rowid."""

    row_count: int
    rows: list[dict[str, Any]]
    last_id: int | None


def write(steps: Sequence[Step], *, bind: Bind, limits: Limits) -> Callable[[Connection, Job[list[Done]]], list[Done]]:
    """The work of executing all steps, or none, for `Database.run`; `limits` hold for all their rows together.

    A commit that nobody answered may be repeated when each step has the idempotency key; else it is fatal.
    """
    repeatable = all(KEY in step.statement.names for step in steps)

    def work(connection: Connection, job: Job[list[Done]]) -> list[Done]:
        transaction = connection.begin()
        rows = RowList(limits)
        done = [_execute(connection, step, bind, rows, job.check) for step in steps]
        job.check()
        try:
            transaction.commit()
        except DatabaseError as error:
            if not is_lost(error):
                raise
            raise failure(error) if repeatable else commit_unknown() from None
        return done

    return work


def _execute(connection: Connection, step: Step, bind: Bind, rows: RowList, check: Callable[[], None]) -> Done:
    """Execute for each set: one by one when that gives rows, else in batches once that is known."""
    count, at, batch, first = 0, 0, 1, len(rows.rows)
    while at < len(step.sets):
        check()
        values = [bound(one, bind) for one in step.sets[at : at + batch]]
        at += len(values)
        with connection.execute(step.statement.clause, values if len(values) > 1 else values[0]) as result:
            if result.returns_rows:
                before = len(rows.rows)
                rows.take(result, check)
                count += len(rows.rows) - before
            else:
                count += max(0, result.rowcount)  # -1: the statement counts nothing
                batch = _BATCH
    last_id = None
    if connection.dialect.name == "sqlite" and count and step.statement.verb in _INSERTS:
        last_id = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
    return Done(row_count=count, rows=rows.rows[first:], last_id=last_id)
