"""An execution as it stands in a database: its nodes, who runs it, what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowcore.contracts import ExecutionRecord, Store
from flowcore.events import ExecutionId
from flowcore.executions import FINAL_STATUSES, Execution, Status

from flowcli.stored_executions import all_events, is_interrupted, owner_json, summary_of
from flowcli.waits import Waits, wait_json

__all__ = ["fold", "snapshot_json", "status_of"]


def snapshot_json(store: Store, record: ExecutionRecord, options: Sequence[str]) -> dict[str, Any]:
    """An execution as it stands, with the fields of its result once it has ended.

    `options` are for the commands in it.
    """
    execution, waits = fold(store, record.execution_id)
    shown = execution.to_json()
    if execution.status in FINAL_STATUSES:
        shown |= execution.result(len(record.workflow.nodes)).to_json()
    summary = summary_of(store, record.execution_id)
    return shown | {
        "status": status_of(execution, record),
        "owner": owner_json(summary.owner),
        "interrupted": is_interrupted(summary),
        "quarantine": record.quarantine,
        "waits": [wait_json(record.execution_id, node, options) for node in waits.nodes],
    }


def fold(store: Store, execution_id: ExecutionId) -> tuple[Execution, Waits]:
    """The execution, and what waits in it."""
    execution, waits = Execution(execution_id=execution_id), Waits()
    for event in all_events(store, execution_id):
        execution.apply(event)
        waits.take(event)
    return execution, waits


def status_of(execution: Execution, record: ExecutionRecord) -> Status:
    """What the log says, but that it was set aside stands beside it."""
    if execution.status not in FINAL_STATUSES and record.status == "quarantined":
        return "quarantined"
    return execution.status
