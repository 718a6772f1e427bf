"""The node type `sql.execute`: changes a database."""

from __future__ import annotations

from flowruntime.authoring import Context, Port, Value, node

from flownodes_sql.connected import Connected
from flownodes_sql.rows import Limits
from flownodes_sql.settings import ExecuteConfig
from flownodes_sql.writing import KEY, Step, write

__all__ = ["Execute"]


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
        (statement,) = self.statements
        given = ctx.inputs.get("parameters")
        key = {KEY: ctx.idempotency_key}
        if isinstance(given, list):
            sets = [statement.values(key | item, f"'parameters/{i}'") for i, item in enumerate(given)]
        else:
            sets = [statement.values(key | (given or {}))]
        limits = Limits(max_rows=config.max_rows, max_bytes=config.max_bytes)
        work = write([Step(statement=statement, sets=sets)], bind=self.bind, limits=limits)
        (done,) = await self.database.run(work)
        return {"row_count": done.row_count, "rows": done.rows, "last_id": done.last_id}
