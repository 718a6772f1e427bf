"""The part of the pack's nodes that lives longer than an attempt: their statements and their database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from flowruntime.authoring import InstanceContext, Node

from flownodes_sql.allowed import require_allowed
from flownodes_sql.database import Database
from flownodes_sql.engines import make_engine
from flownodes_sql.parameters import Bind, bind_for_postgresql, bind_for_sqlite
from flownodes_sql.statements import Statement, read_statement, require_in_transaction
from flownodes_sql.urls import Kind, read_url

__all__ = ["Connected"]


class Connected(Node):
    """A node with statements of its own and a pool of connections."""

    #: Whether it changes databases.
    writes: bool

    def __init__(self, written: tuple[str, ...]) -> None:
        self.statements: tuple[Statement, ...] = tuple(map(read_statement, written))
        self._written = written
        self.kind: Kind = "sqlite"
        self._database: Database | None = None

    @classmethod
    def create(cls, config: Mapping[str, Any]) -> Self:
        """Read the statements, which have no expressions, but may have what is written to have none."""
        written = [config["statement"]] if "statement" in config else config["statements"]
        return cls(tuple(text.replace("$${{", "${{") for text in written))

    async def initialize(self, ctx: InstanceContext) -> None:
        """Make the pool; nothing is connected yet.

        Raises FatalNodeError for a URL that is none or not allowed, and for statements that no transaction can hold.
        """
        for statement in self._written:
            require_in_transaction(statement)
        address = read_url(ctx.config["url"])
        require_allowed(address)
        size = int(ctx.config["pool_size"])
        if not (address.kind == "postgresql" or address.path):
            size = 1
        engine = make_engine(
            address,
            writes=self.writes,
            pool_size=size,
            connect_timeout_ms=ctx.config["connect_timeout_ms"],
            lock_timeout_ms=ctx.config["lock_timeout_ms"],
        )
        self.kind = address.kind
        self._database = Database(engine, size=size)

    async def shutdown(self) -> None:
        """Close the pool."""
        if self._database is not None:
            await self._database.close()

    @property
    def database(self) -> Database:
        """The database; there once `initialize` was through."""
        assert self._database is not None  # noqa: S101 - the engine calls in this order
        return self._database

    @property
    def bind(self) -> Bind:
        """How values are bound there."""
        return bind_for_postgresql if self.kind == "postgresql" else bind_for_sqlite
