"""The plugin of the pack: each hook of Flownodes, used for something small."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flowcore.events import Event, ExecutionId, WorkflowCompleted
from flowcore.nodes import NodeType
from flowruntime.authoring import Context
from flowruntime.hooks import ExpressionFunction, hookimpl

from flownodes_shelf.isbn import is_isbn
from flownodes_shelf.tables import table_readers

__all__ = ["FolderSecrets", "Ledger"]

_log = logging.getLogger("flownodes_shelf")


@hookimpl
def node_specs() -> list[Callable[..., Any]]:
    """A node type for each table of the database in `SHELF_DATABASE`."""
    return list(table_readers())


@hookimpl
def expression_functions() -> list[ExpressionFunction]:
    """`is_isbn(text)`."""
    return [ExpressionFunction(name="is_isbn", function=is_isbn, arguments=(("string",),))]


@hookimpl
def secret_providers() -> list[FolderSecrets]:
    """The files in `SHELF_SECRETS`."""
    folder = os.environ.get("SHELF_SECRETS")
    return [FolderSecrets(Path(folder))] if folder else []


@hookimpl
@asynccontextmanager
async def around_attempt(ctx: Context, node_type: NodeType) -> AsyncIterator[None]:
    """Warns of attempts that take longer than `SHELF_SLOW_MS`."""
    limit_ms = float(os.environ.get("SHELF_SLOW_MS", "inf"))
    began = time.perf_counter()
    try:
        yield
    finally:
        took_ms = (time.perf_counter() - began) * 1000
        if took_ms > limit_ms:
            _log.warning("Node %s (%s) took %.0f ms.", ctx.node_id, node_type.id, took_ms)


@hookimpl
def observers() -> list[Ledger]:
    """A line in the file `SHELF_LEDGER` for each execution that ends."""
    file = os.environ.get("SHELF_LEDGER")
    return [Ledger(Path(file))] if file else []


class FolderSecrets:
    """Secrets as files of one folder, one each, as containers get them."""

    name = "shelf folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> str | None:
        """The content of the file of that name. A name is what a workflow says, and must not lead out of the folder."""
        if name not in self.names():
            return None
        return (self._folder / name).read_text(encoding="utf-8").rstrip("\n")

    def names(self) -> list[str]:
        """The names of the files."""
        return [file.name for file in self._folder.iterdir() if file.is_file()]


class Ledger:
    """Writes down how executions end."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def observe(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Called on a thread of its own, which may wait for the disk."""
        for event in events:
            if isinstance(event, WorkflowCompleted):
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(f"{execution_id} {event.status}\n")
