"""Node types that are made at run time: `shelf.read_TABLE` for each table of the database in `SHELF_DATABASE`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Annotated, Any, Final

from flowruntime.authoring import node

from flownodes_shelf.pool import connect

__all__ = ["table_readers"]

#: What can be part of an id of a node type, without the tables that SQLite makes for itself.
_NAME: Final = re.compile(r"(?!sqlite_)[A-Za-z0-9_]+")


def table_readers() -> Iterator[Callable[..., Any]]:
    """A node for each table whose name can be part of an id. None without the variable."""
    database = os.environ.get("SHELF_DATABASE")
    if database:
        with closing(connect(database)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        yield from (_reader(database, name) for name in sorted(names) if _NAME.fullmatch(name))


def _reader(database: str, table: str) -> Callable[..., Any]:
    @node(
        f"shelf.read_{table}",
        title=f"Read {table}",
        category="Shelf",
        description=f"Reads rows of the table {table!r}.",
        effects="read",
    )
    def read(*, limit: Annotated[int, "How many rows at most."] = 100) -> Annotated[list[Any], "Rows, as objects."]:
        with closing(connect(database)) as connection:
            # The name comes from the database itself, and has no quotes in it.
            return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" LIMIT ?', (limit,))]  # noqa: S608

    return read
