"""`flow executions events`: the log of one execution, and with `--follow` what it goes on with in another process."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

from flowcore.contracts import Store
from flowcore.events import Event, ExecutionId, WorkflowCompleted, timestamp_text, to_wire
from flowcore.values import write_json

from flowcli.databases import open_database
from flowcli.exit_codes import SUCCESS
from flowcli.node_paths import place_text
from flowcli.stored_executions import all_events, find_execution, summary_of
from flowcli.terminal import printable, say, wait_for_readers, write_data

__all__ = ["run"]

#: How often a database is asked for what is new.
_POLL_SECONDS: Final = 0.2
#: Databases have 64-bit integers.
_LARGEST: Final = 2**63 - 1
#: How many times in a row nothing new must have come before it is asked who runs the execution.
_SILENT_POLLS: Final = 5


def run(arguments: argparse.Namespace) -> int:
    """Write them."""
    with open_database(arguments.db, read_only=True) as store:
        execution_id = find_execution(store, arguments.words[0]).execution_id
        after = min(max(arguments.after or 0, 0), _LARGEST)
        events = _follow(store, execution_id, after) if arguments.follow else all_events(store, execution_id, after)
        for event in events:
            line = write_json(to_wire(event, execution_id)) if arguments.json else printable(_line(event))
            if not write_data(f"{line}\n"):
                break  # nobody reads any more
    return SUCCESS


def _follow(store: Store, execution_id: ExecutionId, after: int) -> Iterator[Event]:
    """All events until the execution has ended, as they are kept."""
    silent, is_told = 0, False
    while True:
        silent += 1
        for event in all_events(store, execution_id, after):
            after, silent = event.seq, 0
            yield event
            if isinstance(event, WorkflowCompleted):
                return
        if silent == 1 or (silent and silent % _SILENT_POLLS == 0):
            summary = summary_of(store, execution_id)
            if summary.ended_us is not None and summary.seq <= after:
                return  # its end is before the seq that was asked for
            if summary.owner is None and not is_told:
                is_told = True
                say(f"Nobody runs it now; it goes on after: flow executions resume {execution_id}")
        if not wait_for_readers(_POLL_SECONDS):
            return


def _line(event: Event) -> str:
    kind = type(event).__name__
    place = place_text(getattr(event, "path", ()), getattr(event, "node_id", ""))
    error = getattr(event, "error", None) or {}
    said = getattr(event, "content", {})
    why = getattr(event, "why", None) or getattr(event, "reason", None)
    detail = error.get("message") or said.get("message") or said.get("line") or why or ""
    return f"{event.seq:>6}  {timestamp_text(event.at_us)}  {kind:17}  {place}  {detail}".rstrip().replace("\n", "\n  ")
