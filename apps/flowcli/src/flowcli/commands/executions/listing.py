"""`flow executions list`: the executions of a database, and which of them nobody runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from flowcore.contracts import ExecutionSummary, Store
from flowcore.events import timestamp_text
from flowcore.executions import FINAL_STATUSES
from flowcore.values import write_json

from flowcli.databases import open_database
from flowcli.durations import duration_text
from flowcli.exit_codes import SUCCESS
from flowcli.stored_executions import find_execution, is_interrupted, summary_json
from flowcli.terminal import data_width, printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["run"]

_LIMIT = 20
_MOST = 1_000_000
#: So many characters of an id are the moment at which the execution began.
_SHORTEST = 13


def run(arguments: argparse.Namespace) -> int:
    """List them."""
    limit = _LIMIT if arguments.limit is None else min(arguments.limit, _MOST)
    if limit < 1:
        raise UsageError("--limit takes a number from 1 on.", remedy=f"Leave it out for {_LIMIT}.")
    with open_database(arguments.db, read_only=True) as store:
        return _list(arguments, store, limit)


def _list(arguments: argparse.Namespace, store: Store, limit: int) -> int:
    before = None if arguments.before is None else find_execution(store, arguments.before).execution_id
    # One more than asked for tells whether there are more.
    found = store.executions(before=before, status=arguments.status, limit=limit + 1)
    listed = found[:limit]
    following = listed[-1].execution_id if len(found) > len(listed) else None
    if arguments.json:
        answer = {"executions": [summary_json(summary) for summary in listed], "next": following}
        write_data(write_json(answer, indent=2) + "\n")
        return SUCCESS
    write_data("".join(f"{line}\n" for line in _lines(listed, data_width())))
    if not listed:
        is_filtered = arguments.status is not None or before is not None
        say("There are no such executions." if is_filtered else "There are no executions here. `flow run` keeps them.")
    count = sum(is_interrupted(summary) for summary in listed)
    if count:
        subject = "One of them is" if count == 1 else f"{count} of them are"
        say(f"{subject} interrupted: `flow executions resume` takes up what nobody runs.")
    if following is not None:
        say(f"There are more: flow executions list --before {following}")
    return SUCCESS


def _lines(listed: Sequence[ExecutionSummary], width: int | None) -> list[str]:
    """A line for each; where they are wider than the terminal, ids are as short as tells them apart."""
    size = max((len(summary.execution_id) for summary in listed), default=0)
    lines = [_line(summary, size) for summary in listed]
    if width is None or max(map(len, lines), default=0) <= width:
        return lines
    sizes = range(_SHORTEST, size)
    size = next((few for few in sizes if len({one.execution_id[:few] for one in listed}) == len(listed)), size)
    lines = [_line(summary, size) for summary in listed]
    return [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]


def _line(summary: ExecutionSummary, size: int) -> str:
    started = timestamp_text(summary.started_us)[:19] + "Z"
    if summary.ended_us is not None:
        took = duration_text((summary.ended_us - summary.started_us) / 1000)
    else:
        took = "interrupted" if is_interrupted(summary) else ""
    runs = "" if summary.owner is None or summary.status in FINAL_STATUSES else f"  run by {summary.owner.name}"
    line = (
        f"{summary.execution_id[:size]:{size}}  {summary.status:11}  {started}  {took:>12}  {summary.workflow_id}{runs}"
    )
    return printable(line)
