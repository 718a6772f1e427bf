"""The node type `sql.query`: asks a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowruntime.authoring import Context, FatalNodeError, Port, Value, node
from sqlalchemy import Connection, CursorResult

from flownodes_sql.connected import Connected
from flownodes_sql.database import Job
from flownodes_sql.parameters import bound
from flownodes_sql.rows import Limits, RowList, columns_of, take_lines
from flownodes_sql.settings import QueryConfig, RowsFormat

__all__ = ["Query"]

#: Statements that PostgreSQL can give part by part; others (SHOW, EXPLAIN, …) come as a whole.
_STREAMED: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})


@node(
    "sql.query",
    title="SQL Query",
    description="Asks a SQLite or PostgreSQL database and gives the rows. Values are bound to the parameters of the "
    "statement and never become part of its text. The database is only read: one that would be changed refuses it.",
    category="Databases",
    inputs=[
        Port(
            name="parameters",
            schema={"type": ["object", "null"]},
            description="Values for the parameters `:name` of the statement, by name. Others are passed over.",
        )
    ],
    outputs=[
        Port(
            name="rows",
            schema={"type": ["array", "object"], "items": {"type": "object"}},
            description="The rows as objects by column, or a Blob of JSON lines, as `format` says.",
        ),
        Port(name="row_count", schema={"type": "integer"}, description="How many they are."),
        Port(
            name="columns",
            schema={"type": "array", "items": {"type": "string"}},
            description="The names of the columns, in their order.",
        ),
        Port(name="truncated", schema={"type": "boolean"}, description="Whether there were more than `max_rows`."),
    ],
    config=QueryConfig,
    retry_policy={"max_attempts": 3},
    effects="read",
    examples=[
        {
            "title": "A database in memory, and nothing in it",
            "config": {"url": "sqlite://", "statement": "SELECT :first || ' ' || :last AS name"},
            "inputs": {"parameters": {"first": "Ada", "last": "Lovelace"}},
            "outputs": {"rows": [{"name": "Ada Lovelace"}], "row_count": 1, "columns": ["name"], "truncated": False},
        },
        {
            "title": "Who has ordered what is at the input, newest first",
            "config": {
                "url": "${{ secrets.DB }}",
                "statement": "SELECT id, placed_at, total FROM orders WHERE article = ANY(:articles) "
                "ORDER BY placed_at DESC",
                "max_rows": 100,
                "on_more": "truncate",
            },
            "inputs": {"parameters": {"articles": ["A-1", "B-7"]}},
            "needs": "a PostgreSQL server",
        },
        {
            "title": "A whole table as JSON lines",
            "config": {
                "url": "${{ secrets.DB }}",
                "statement": "SELECT * FROM measurements",
                "format": "json_lines",
                "max_rows": None,
            },
            "needs": "a PostgreSQL server",
        },
    ],
)
class Query(Connected):
    """One statement that reads."""

    writes = False

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Ask, and take the rows. Raises NodeError with a code of `sql.…`."""
        config: QueryConfig = ctx.config
        (statement,) = self.statements
        values = statement.values(ctx.inputs.get("parameters") or {})
        streamed = statement.verb in _STREAMED

        limits = Limits(max_rows=config.max_rows, max_bytes=config.max_bytes, truncate=config.on_more == "truncate")

        def work(connection: Connection, job: Job[dict[str, Value]]) -> dict[str, Value]:
            with connection.execute(
                statement.clause, bound(values, self.bind), execution_options={"stream_results": streamed}
            ) as result:
                return _taken(result, limits, config.format, job.check)

        return await self.database.run(work)


def _taken(
    result: CursorResult[Any], limits: Limits, rows_format: RowsFormat, check: Callable[[], None]
) -> dict[str, Value]:
    if not result.returns_rows:
        raise FatalNodeError(
            "The statement is none that gives rows.", code="sql.no_rows", remedy="Execute it with sql.execute."
        )
    columns = columns_of(result)
    rows: Value
    if rows_format == "json_lines":
        rows, count, truncated = take_lines(result, limits, check)
    else:
        taken = RowList(limits)
        truncated = taken.take(result, check)
        rows, count = taken.rows, len(taken.rows)
    return {"rows": rows, "row_count": count, "columns": columns, "truncated": truncated}
