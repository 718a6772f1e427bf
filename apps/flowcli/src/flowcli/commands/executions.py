"""`flow executions list|show|events`: reads what a database keeps of executions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from flowcore.contracts import ExecutionSummary, Store
from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId, timestamp_text, to_wire
from flowcore.executions import FINAL_STATUSES, Execution, NodeView
from flowcore.values import write_json
from flowruntime.stores import default_url, store_for

from flowcli.durations import duration_text
from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

_STATUSES = ("pending", "running", "waiting", "quarantined", "succeeded", "failed", "cancelled")
#: How many events are read at once.
_PAGE = 1000


def add_arguments(parser: Parser) -> None:
    """Add what `flow executions` takes."""
    parser.usage = (
        "flow executions list [--status STATUS] [--limit N] [--before ID] [--db URL] [--json]\n"
        "       flow executions show ID [--db URL] [--json]\n"
        "       flow executions events ID [--after SEQ] [--db URL] [--json]"
    )
    parser.add_argument("task", choices=("list", "show", "events"), help="what to read")
    parser.add_argument("id", nargs="?", metavar="ID", help="the execution to show")
    parser.add_argument("--status", choices=_STATUSES, help="list only executions with this status")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="list at most so many (20)")
    parser.add_argument("--before", metavar="ID", help="list those that began before this one")
    parser.add_argument("--after", metavar="SEQ", type=int, default=0, help="events with a greater seq")
    parser.add_argument("--db", metavar="URL", help=f"the database ({default_url().replace('%', '%%')})")
    parser.add_argument("--json", action="store_true", help="write JSON; events as a line each")


def run(arguments: argparse.Namespace) -> int:
    """Read and write it."""
    task: Callable[[argparse.Namespace, Store], int]
    task = {"list": _list, "show": _show, "events": _events}[arguments.task]
    if (arguments.id is None) != (arguments.task == "list"):
        what = "does not take" if arguments.task == "list" else "needs"
        raise UsageError(
            f"`flow executions {arguments.task}` {what} the id of an execution.",
            remedy="`flow executions list` shows all, `flow executions show ID` one.",
        )
    if arguments.limit < 1:
        raise UsageError("--limit takes a number from 1 on.", remedy="Leave it out for 20.")
    store = store_for(arguments.db or default_url(), read_only=True)
    store.open()
    try:
        return task(arguments, store)
    except StoreError as error:
        if error.code == "execution.unknown":
            raise UsageError(error.message, code=error.code, remedy=error.remedy) from error
        raise
    finally:
        store.close()


def _list(arguments: argparse.Namespace, store: Store) -> int:
    before = None if arguments.before is None else ExecutionId(arguments.before)
    # One more than asked for tells whether there are more.
    found = store.executions(before=before, status=arguments.status, limit=arguments.limit + 1)
    listed = found[: arguments.limit]
    following = listed[-1].execution_id if len(found) > len(listed) else None
    if arguments.json:
        answer = {"executions": [_summary(summary) for summary in listed], "next": following}
        write_data(write_json(answer, indent=2) + "\n")
        return SUCCESS
    write_data("".join(f"{_line(summary)}\n" for summary in listed))
    if not listed:
        say("There are no such executions.")
    elif following is not None:
        say(f"There are more: flow executions list --before {following}")
    return SUCCESS


def _show(arguments: argparse.Namespace, store: Store) -> int:
    execution_id = ExecutionId(arguments.id)
    execution = Execution.fold(execution_id, _all_events(store, execution_id))
    record = store.record(execution_id)
    nodes = 0 if record is None else len(record.workflow.nodes)
    is_final = execution.status in FINAL_STATUSES
    if arguments.json:
        shown = {**execution.to_json(), **(execution.result(nodes).to_json() if is_final else {})}
        write_data(write_json(shown, indent=2) + "\n")
        return SUCCESS
    lines = [
        f"execution  {execution_id}",
        f"workflow   {execution.workflow_id}",
        f"status     {execution.status}",
        f"started    {timestamp_text(execution.started_us)}",
    ]
    if execution.duration_ms is not None:
        lines.append(f"duration   {duration_text(execution.duration_ms)}")
    if execution.error is not None:
        lines.append(f"error      {execution.error.get('message')} [{execution.error.get('code')}]")
    lines += ["", *(_node_line(view) for view in execution.nodes.values())]
    if is_final and execution.outputs is not None:
        lines += ["", write_json(execution.outputs, indent=2)]
    write_data("".join(f"{printable(line)}\n" for line in lines))
    return SUCCESS


def _events(arguments: argparse.Namespace, store: Store) -> int:
    execution_id = ExecutionId(arguments.id)
    for event in _all_events(store, execution_id, arguments.after):
        wire = to_wire(event, execution_id)
        line = write_json(wire) if arguments.json else printable(_event_line(event))
        if not write_data(f"{line}\n"):
            break  # nobody reads any more
    return SUCCESS


def _all_events(store: Store, execution_id: ExecutionId, after: int = 0) -> Iterator[Event]:
    while events := store.read(execution_id, after, _PAGE).events:
        after = events[-1].seq
        yield from events


def _summary(summary: ExecutionSummary) -> dict[str, object]:
    return {
        "execution_id": summary.execution_id,
        "workflow_id": summary.workflow_id,
        "status": summary.status,
        "seq": summary.seq,
        "started_at": timestamp_text(summary.started_us),
        "ended_at": None if summary.ended_us is None else timestamp_text(summary.ended_us),
    }


def _line(summary: ExecutionSummary) -> str:
    started = timestamp_text(summary.started_us)[:19] + "Z"
    took = "" if summary.ended_us is None else duration_text((summary.ended_us - summary.started_us) / 1000)
    line = f"{summary.execution_id}  {summary.status:11}  {started}  {took:>12}  {summary.workflow_id}"
    return printable(line)


def _node_line(view: NodeView) -> str:
    name = _place(view.path, view.node_id)
    took = "" if view.duration_ms is None else duration_text(view.duration_ms)
    attempts = f"attempt {view.attempt}" if view.attempt > 1 else ""
    cause = view.why or (view.error or {}).get("message") or ""
    return f"{name:30}  {view.status:11}  {took:>10}  {attempts:10}  {cause}".rstrip()


def _event_line(event: Event) -> str:
    kind = type(event).__name__
    node_id = getattr(event, "node_id", "")
    place = _place(getattr(event, "path", ()), node_id)
    error = getattr(event, "error", None) or {}
    said = getattr(event, "content", {})
    detail = error.get("message") or said.get("message") or said.get("line") or getattr(event, "why", None) or ""
    return f"{event.seq:>6}  {timestamp_text(event.at_us)}  {kind:17}  {place}  {detail}".rstrip().replace("\n", "\n  ")


def _place(path: tuple[tuple[str, int | None, int], ...], node_id: str) -> str:
    """A node with the loops and subflows that it is in: `loop[3]/fetch`."""
    steps = [name if index is None else f"{name}[{index}]" for name, index, _ in path]
    return "/".join([*steps, node_id] if node_id else steps)
