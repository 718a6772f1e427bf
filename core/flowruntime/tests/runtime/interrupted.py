"""Executions in a database as a process leaves them that is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.contracts import Change, Owner
from flowcore.documents import parse_workflow
from flowcore.errors import ExecutionError, StoreError
from flowcore.events import TOP, Event, ExecutionId, NodeInterrupted, NodeStarted, WorkflowResumed, WorkflowStarted
from flowcore.workflows import Workflow
from flowruntime import Runtime
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore

from tests.engine_nodes import ALL, workflow

__all__ = [
    "BEGAN_US",
    "GIVE",
    "TWO",
    "WAIT",
    "begun",
    "ended",
    "interruptions",
    "kinds",
    "leave",
    "numbered",
    "on",
    "record_of",
    "refusal",
    "resumptions",
    "started",
    "until_status",
]

BEGAN_US = 1_700_000_000_000_000
GIVE = workflow({"g": "give"}, outputs={"gave": "${{ nodes.g.result }}"})
TWO = workflow({"g": "give", "h": "give"}, outputs={"gave": "${{ nodes.h.result }}"})
WAIT: dict[str, Any] = {"name": "wait", "nodes": [{"id": "w", "node_type": "control.wait", "config": {"signal": "go"}}]}


def begun(types: Mapping[str, int] | None = None, *, net: str = "open") -> WorkflowStarted:
    """Event 1."""
    return WorkflowStarted(1, BEGAN_US, "test", None, {}, {"type": "Manual", "net": net}, dict(types or {}))


def started(node_id: str, attempt: int = 1, path: Any = TOP) -> NodeStarted:
    """An attempt begins."""
    return NodeStarted(0, BEGAN_US, path, node_id, attempt, "local.any")


def resumptions(count: int) -> list[Event]:
    """So many processes took it up and came to nothing."""
    return [WorkflowResumed(0, BEGAN_US, "the process that ran it is gone")] * count


def interruptions(node_id: str, count: int) -> list[Event]:
    """The node was begun, and interrupted so often, and is running again."""
    events: list[Event] = [started(node_id)]
    for attempt in range(1, count + 1):
        events += resumptions(1)
        events += [NodeInterrupted(0, BEGAN_US, TOP, node_id, attempt), started(node_id, attempt + 1)]
    return events


def numbered(*events: Event) -> list[Event]:
    """With their seqs."""
    return [event._replace(seq=seq) for seq, event in enumerate(events, start=1)]


def leave(
    database: Path,
    document: dict[str, Any],
    log: Sequence[Event],
    *,
    execution_id: str = "one",
    recovery: str | None = None,
    named: Mapping[str, Workflow] | None = None,
) -> str:
    """Keep an execution whose process is gone; its id."""
    store = SqliteStore(database)
    store.open()
    here = this_process()
    gone = Owner(
        name="gone", is_given=False, host=here.host, boot_id=here.boot_id, pid=2**22, process_start=here.process_start
    )
    number = store.register(gone, lease_seconds=1_000).number
    refusals = store.commit(
        [
            Change(
                ExecutionId(execution_id),
                log,
                parse_workflow(document),
                named,
                status="running" if len(log) > 1 else "pending",
                owner=number,
                recovery=recovery,
            )
        ]
    )
    store.close()
    assert refusals == [None]
    return execution_id


def record_of(database: Path, execution_id: str = "one") -> Any:
    """What stands beside its log."""
    store = SqliteStore(database)
    store.open()
    record = store.record(ExecutionId(execution_id))
    store.close()
    return record


def on(database: Path, **options: Any) -> Runtime:
    """A runtime on it."""
    return Runtime(f"sqlite:///{database}", nodes=options.pop("nodes", ALL), **options)


async def ended(database: Path, execution_id: str = "one", **options: Any) -> tuple[Any, list[Any]]:
    """The result and the log of what is taken up."""
    accept_packs = options.pop("accept_packs", False)
    async with on(database, **options) as runtime:
        await runtime.resume(execution_id, accept_packs=accept_packs)
        with anyio.fail_after(30):
            return await runtime.wait(execution_id), [event async for event in runtime.follow(execution_id)]


async def refusal(database: Path, execution_id: str = "one", **options: Any) -> Any:
    """The error of somebody who wants to take it up."""
    async with on(database, **options) as runtime:
        with pytest.raises((ExecutionError, StoreError)) as caught:
            await runtime.resume(execution_id)
        return caught.value


def kinds(events: Sequence[Event]) -> list[str]:
    """What happened, without when and to whom."""
    return [type(event).__name__ for event in events]


async def until_status(runtime: Runtime, execution_id: str, status: str) -> None:
    """Wait for it."""
    with anyio.fail_after(30):
        while runtime._journal.record(execution_id).status != status:
            await anyio.lowlevel.checkpoint()
