"""Executions for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowcore.documents import parse_workflow
from flowcore.events import TOP, Event, ExecutionId, NodeCompleted, WorkflowStarted
from flowruntime.stores.sqlite import SqliteStore

__all__ = ["ONE", "TWO", "WORKFLOW", "carrying", "first", "opened"]

WORKFLOW = parse_workflow({"name": "kept", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
ONE, TWO = ExecutionId("one"), ExecutionId("two")


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[SqliteStore]:
    """The store in this file."""
    store = SqliteStore(path, **options)
    store.open()
    try:
        yield store
    finally:
        store.close()


def first() -> WorkflowStarted:
    """Event 1."""
    return WorkflowStarted(1, 1_000, "kept", None, {}, {"type": "Manual"}, {"debug.noop": 1})


def carrying(seq: int, value: Any = None) -> Event:
    """An event with this value."""
    return NodeCompleted(seq, 1_000 + seq, TOP, "a", 1, {"result": value}, 0.5, None, None)
