"""`flow executions show`: one execution as it stands, who runs it, and what it waits for."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from flowcore.contracts import ExecutionRecord, ExecutionSummary, Store
from flowcore.events import timestamp_text
from flowcore.executions import FINAL_STATUSES, NodeView
from flowcore.values import write_json

from flowcli.databases import open_database
from flowcli.durations import duration_text
from flowcli.exit_codes import SUCCESS
from flowcli.node_paths import place_text
from flowcli.snapshots import fold, snapshot_json, status_of
from flowcli.stored_executions import find_execution, is_interrupted, summary_of
from flowcli.terminal import printable, say, write_data
from flowcli.waits import options_like, wait_lines

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    with open_database(arguments.db, read_only=True) as store:
        record = find_execution(store, arguments.words[0])
        if arguments.json:
            write_data(write_json(snapshot_json(store, record, options_like(arguments)), indent=2) + "\n")
        else:
            _show(store, record, options_like(arguments))
    return SUCCESS


def _show(store: Store, record: ExecutionRecord, options: Sequence[str]) -> None:
    execution, waits = fold(store, record.execution_id)
    summary = summary_of(store, record.execution_id)
    is_final = execution.status in FINAL_STATUSES
    lines = [
        f"execution  {record.execution_id}",
        f"workflow   {execution.workflow_id}",
        f"status     {status_of(execution, record)}{_who(summary)}",
        f"started    {timestamp_text(execution.started_us)}",
    ]
    if execution.duration_ms is not None:
        lines.append(f"duration   {duration_text(execution.duration_ms)}")
    if execution.error is not None:
        lines.append(f"error      {execution.error.get('message')} [{execution.error.get('code')}]")
    if record.quarantine is not None:
        lines.append(f"set aside  {record.quarantine}")
    lines += ["", *_node_lines(tuple(execution.nodes.values()))]
    if is_final and execution.outputs is not None:
        lines += ["", write_json(execution.outputs, indent=2)]
    write_data("".join(f"{printable(line)}\n" for line in lines))
    for node in waits.nodes:
        for line in wait_lines(record.execution_id, node, options):
            say(printable(line))
    if not is_final and summary.owner is None and not waits.of("answer"):
        command = shlex.join(["flow", "executions", "resume", record.execution_id, *options])
        say(f"Nobody runs it: {command}")


def _who(summary: ExecutionSummary) -> str:
    if summary.owner is not None:
        owner = summary.owner
        return f", run by {owner.name} (process {owner.pid} on {owner.host})"
    return ", interrupted: nobody runs it" if is_interrupted(summary) else ""


def _node_lines(views: Sequence[NodeView]) -> list[str]:
    rows = [
        (
            place_text(view.path, view.node_id),
            view.status,
            "" if view.duration_ms is None else duration_text(view.duration_ms),
            f"attempt {view.attempt}" if view.attempt > 1 else "",
            view.why or str((view.error or {}).get("message") or ""),
        )
        for view in views
    ]
    places, statuses, times, attempts = (max((len(row[at]) for row in rows), default=0) for at in range(4))
    return [
        "  ".join(
            (f"{place:{places}}", f"{status:{statuses}}", f"{took:>{times}}", f"{attempt:{attempts}}", cause)
            if attempts
            else (f"{place:{places}}", f"{status:{statuses}}", f"{took:>{times}}", cause)
        ).rstrip()
        for place, status, took, attempt, cause in rows
    ]
