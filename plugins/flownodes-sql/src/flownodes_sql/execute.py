"""The node type `sql.execute`: changes a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowruntime.authoring import Context, Port, Value, node
from sqlalchemy import Connection

from flownodes_sql.connected import Connected
from flownodes_sql.database import Job
from flownodes_sql.failures import DatabaseError, commit_unknown, failure, is_lost
from flownodes_sql.parameters import bound
from flownodes_sql.rows import Limits, RowList
from flownodes_sql.settings import ExecuteConfig

__all__ = ["Execute"]

#: The parameter that is there by itself: the same in every attempt.
_KEY: Final = "idempotency_key"
#: How many sets of values go to the driver at a time.
_BATCH: Final = 1000


#: Statements after which SQLite knows a rowid.
_INSERTS: Final = frozenset({"INSERT", "REPLACE"})


@node(
    "sql.execute",
    title="SQL Execute",
    description="Changes a SQLite or PostgreSQL database: one statement, once or for each of many sets of values, in "
    "one transaction. Values are bound to the parameters of the statement and never become part of its text.",
    category="Databases",
    inputs=[
        Port(
            name="parameters",
            schema={"type": ["object", "array", "null"], "items": {"type": "object"}},
            description="Values for the parameters `:name` of the statement, by name; an array of such objects "
            "executes it for each, all or none. Others are passed over. `:idempotency_key` has a value by itself, the "
            "same in every attempt of this node in this execution.",
        )
    ],
    outputs=[
        Port(
            name="row_count",
            schema={"type": "integer"},
            description="How many rows were inserted, updated or deleted; 0 for statements that change none.",
        ),
        Port(
            name="rows",
            schema={"type": "array", "items": {"type": "object"}},
            description="What RETURNING gives, as objects by column.",
        ),
        Port(
            name="last_id",
            schema={"type": ["integer", "null"]},
            description="Of SQLite the rowid of the row inserted last; null for other databases, which have RETURNING.",
        ),
    ],
    config=ExecuteConfig,
    retry_policy={"max_attempts": 3},
    effects="write",
    examples=[
        {
            "title": "Make a table unless there is one",
            "config": {
                "url": "sqlite://",
                "statement": "CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
            },
            "outputs": {"row_count": 0, "rows": [], "last_id": None},
        },
        {
            "title": "Insert what comes in, once however often it is tried",
            "config": {
                "url": "${{ secrets.DB }}",
                "statement": "INSERT INTO orders (key, article, quantity) VALUES (:idempotency_key, :article, "
                ":quantity) ON CONFLICT (key) DO NOTHING RETURNING id",
            },
            "inputs": {"parameters": {"article": "A-1", "quantity": 3}},
            "needs": "a PostgreSQL server",
        },
        {
            "title": "Many rows, all or none",
            "config": {
                "url": "sqlite:///people.db",
                "statement": "INSERT INTO people (name) VALUES (:name)",
            },
            "inputs": {"parameters": [{"name": "Ada"}, {"name": "Grace"}]},
            "needs": "a file people.db",
        },
    ],
)
class Execute(Connected):
    """One statement that writes."""

    writes = True

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Execute, and commit. Raises NodeError with a code of `sql.…`; then nothing has been changed.

        With the code `sql.commit_unknown` something may have been.
        """
        config: ExecuteConfig = ctx.config
        given = ctx.inputs.get("parameters")
        key = {_KEY: ctx.idempotency_key}
        if isinstance(given, list):
            sets = [self.statement.values(key | item, f"'parameters/{i}'") for i, item in enumerate(given)]
        else:
            sets = [self.statement.values(key | (given or {}))]
        repeatable = _KEY in self.statement.names

        limits = Limits(max_rows=config.max_rows, max_bytes=config.max_bytes)

        def work(connection: Connection, job: Job[dict[str, Value]]) -> dict[str, Value]:
            transaction = connection.begin()
            outputs = self._execute(connection, sets, RowList(limits), job.check)
            job.check()
            try:
                transaction.commit()
            except DatabaseError as error:
                if not is_lost(error):
                    raise
                raise failure(error) if repeatable else commit_unknown() from None
            return outputs

        return await self.database.run(work)

    def _execute(
        self, connection: Connection, sets: list[dict[str, Any]], rows: RowList, check: Callable[[], None]
    ) -> dict[str, Value]:
        """Execute for each set: one by one when that gives rows, else in batches once that is known."""
        count, at, batch = 0, 0, 1
        while at < len(sets):
            check()
            values = [bound(one, self.bind) for one in sets[at : at + batch]]
            at += len(values)
            with connection.execute(self.statement.clause, values if len(values) > 1 else values[0]) as result:
                if result.returns_rows:
                    taken = len(rows.rows)
                    rows.take(result, check)
                    count += len(rows.rows) - taken
                else:
                    count += max(0, result.rowcount)  # -1: the statement counts nothing
                    batch = _BATCH
        last_id = None
        if self.kind == "sqlite" and count and self.statement.verb in _INSERTS:
            last_id = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
        return {"row_count": count, "rows": rows.rows, "last_id": last_id}
