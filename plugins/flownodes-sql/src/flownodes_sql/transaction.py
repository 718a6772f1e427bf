"""The node type `sql.transaction`: changes a database by several statements, all or none."""

from __future__ import annotations

from flowruntime.authoring import Context, Port, Value, node

from flownodes_sql.connected import Connected
from flownodes_sql.rows import Limits
from flownodes_sql.settings import TransactionConfig
from flownodes_sql.writing import KEY, Step, write

__all__ = ["Transaction"]


@node(
    "sql.transaction",
    title="SQL Transaction",
    description="Changes a SQLite or PostgreSQL database by several statements in one transaction: all of them, or "
    "none. Values are bound to the parameters of the statements and never become part of their text.",
    category="Databases",
    inputs=[
        Port(
            name="parameters",
            schema={"type": ["object", "null"]},
            description="Values for the parameters `:name` of all statements, by name. Others are passed over. "
            "`:idempotency_key` has a value by itself, the same in every attempt of this node in this execution.",
        )
    ],
    outputs=[
        Port(
            name="results",
            schema={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "row_count": {"type": "integer"},
                        "rows": {"type": "array", "items": {"type": "object"}},
                    },
                    "required": ["row_count", "rows"],
                },
            },
            description="Of each statement: how many rows it changed, and the rows that it or its RETURNING gives.",
        )
    ],
    config=TransactionConfig,
    retry_policy={"max_attempts": 3},
    effects="write",
    examples=[
        {
            "title": "Statements that see what those before them did",
            "config": {
                "url": "sqlite://",
                "statements": [
                    "CREATE TABLE IF NOT EXISTS accounts (owner TEXT PRIMARY KEY, amount INTEGER)",
                    "REPLACE INTO accounts VALUES (:owner, :amount)",
                    "SELECT sum(amount) AS total FROM accounts",
                ],
            },
            "inputs": {"parameters": {"owner": "Ada", "amount": 5}},
            "outputs": {
                "results": [
                    {"row_count": 0, "rows": []},
                    {"row_count": 1, "rows": []},
                    {"row_count": 1, "rows": [{"total": 5}]},
                ]
            },
        },
        {
            "title": "Move money from one account to another",
            "config": {
                "url": "${{ secrets.DB }}",
                "statements": [
                    "UPDATE accounts SET amount = amount - :amount WHERE owner = :from",
                    "UPDATE accounts SET amount = amount + :amount WHERE owner = :to",
                ],
            },
            "inputs": {"parameters": {"from": "Ada", "to": "Grace", "amount": 100}},
            "needs": "a PostgreSQL server",
        },
    ],
)
class Transaction(Connected):
    """Several statements that write."""

    writes = True

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Execute all, and commit. Raises NodeError with a code of `sql.…`; then nothing has been changed.

        With the code `sql.commit_unknown` something may have been.
        """
        config: TransactionConfig = ctx.config
        values = {KEY: ctx.idempotency_key} | (ctx.inputs.get("parameters") or {})
        steps = [Step(statement=statement, sets=[statement.values(values)]) for statement in self.statements]
        limits = Limits(max_rows=config.max_rows, max_bytes=config.max_bytes)
        done = await self.database.run(write(steps, bind=self.bind, limits=limits))
        return {"results": [{"row_count": step.row_count, "rows": step.rows} for step in done]}
