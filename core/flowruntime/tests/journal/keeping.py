"""A database whose disk a test can hold up or break, and executions to keep in it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
from flowcore.contracts import Change, StoreUnavailable
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.events import TOP, Event, ExecutionId, NodeStarted, WorkflowCompleted, WorkflowStarted
from flowruntime.journal import ExecutionLog, Journal
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore

__all__ = ["ONE", "WORKFLOW", "Disk", "begin", "completed", "journal_on", "started", "turns_until"]

WORKFLOW = parse_workflow({"name": "kept", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
ONE = ExecutionId("one")


class Disk(SqliteStore):
    """A real database. While `held` no commit gets to the disk; while `full` each one fails."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.full = False
        self.commits: list[int] = []
        self._free = threading.Event()
        self._free.set()

    def hold(self) -> None:
        """Let no commit through from now on."""
        self._free.clear()

    def let_go(self) -> None:
        """Let them through."""
        self._free.set()

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        """Keep all changes, when the disk does."""
        self._free.wait()
        if self.full:
            raise StoreUnavailable("The disk is full.", code="store.full")
        self.commits.append(sum(len(change.events) for change in changes))
        return super().commit(changes)


@asynccontextmanager
async def journal_on(disk: Disk) -> AsyncIterator[Journal]:
    """A journal that is open."""
    journal = Journal(disk)
    await journal.open(this_process())
    try:
        yield journal
    finally:
        disk.let_go()
        disk.full = False
        await journal.close()


def begin(journal: Journal, execution_id: str = ONE) -> ExecutionLog:
    """A new execution."""
    first = WorkflowStarted(1, 1_000, "kept", None, {}, {"type": "Manual"}, {"debug.noop": 1})
    return journal.create(ExecutionId(execution_id), WORKFLOW, first)


def started(seq: int) -> Event:
    """An event in the middle."""
    return NodeStarted(seq, 1_000 + seq, TOP, "a", seq, "debug.noop")


def completed(seq: int) -> Event:
    """The last event."""
    return WorkflowCompleted(seq, 9_000, "succeeded", {}, None, 1.0)


async def turns_until(is_so: Callable[[], bool]) -> None:
    """Give the loop its turn until something is so."""
    with anyio.fail_after(30):
        while not is_so():
            await anyio.lowlevel.checkpoint()
