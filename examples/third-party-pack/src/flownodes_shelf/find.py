"""The node type `shelf.find`: looks for books in a database."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any, Final

from flowruntime.authoring import Context, FatalNodeError, InstanceContext, Node, Port, node

from flownodes_shelf.pool import Pool

__all__ = ["Find"]

_CONNECTIONS: Final = 4
_CONFIG: Final = {
    "type": "object",
    "properties": {
        "database": {
            "type": "string",
            "minLength": 1,
            "description": "The SQLite file; its table is called books.",
            "x-static": True,
        },
        "limit": {"type": "integer", "minimum": 1, "default": 100, "description": "How many books at most."},
    },
    "required": ["database"],
    "additionalProperties": False,
}


@node(
    "shelf.find",
    title="Find books",
    category="Shelf",
    description="Looks for books by a part of their title.",
    inputs=[Port(name="title", schema={"type": "string"}, description="A part of the title.", required=True)],
    outputs=[Port(name="books", schema={"type": "array"}, description="The books, as objects, by title.")],
    config=_CONFIG,
    effects="read",
    examples=[
        {
            "title": "Books about the sea",
            "config": {"database": "shelf.db", "limit": 10},
            "inputs": {"title": "sea"},
            "needs": "a database",
        },
        {
            "title": "No such file",
            "config": {"database": "there-is-no-such-file.db"},
            "inputs": {"title": "sea"},
            "error": "shelf.find.database",
        },
    ],
)
class Find(Node):
    """Keeps its connections for all executions of a workflow."""

    def __init__(self) -> None:
        self.pool: Pool | None = None

    async def initialize(self, ctx: InstanceContext) -> None:
        """Know the file; it is opened when somebody looks for a book."""
        self.pool = Pool(ctx.config["database"], _CONNECTIONS)

    async def execute(self, ctx: Context) -> dict[str, Any]:
        """Look for the books, on a thread."""
        pool, title, limit = self.pool, str(ctx.inputs["title"]), ctx.config["limit"]
        assert pool is not None
        try:
            return {"books": await asyncio.to_thread(_find, pool, title, limit)}
        except sqlite3.OperationalError as error:
            raise FatalNodeError(
                f"The books in {ctx.config['database']!r} cannot be read: {error}.",
                code="shelf.find.database",
                remedy="Name an SQLite file with a table `books` that has a column `title`.",
            ) from error

    async def shutdown(self) -> None:
        """Close the connections."""
        if self.pool is not None:
            self.pool.close()


def _find(pool: Pool, title: str, limit: int) -> list[dict[str, Any]]:
    with pool.connection() as connection:
        found = connection.execute(
            "SELECT * FROM books WHERE instr(lower(title), lower(?)) ORDER BY title LIMIT ?", (title, limit)
        )
        return [dict(row) for row in found]
