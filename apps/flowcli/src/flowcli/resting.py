"""Tells of an execution that is at rest which nodes wait for an answer, and how one is given."""

from __future__ import annotations

import argparse

from flowcore.values import write_json
from flowruntime.stores import MEMORY

from flowcli.databases import open_database
from flowcli.exit_codes import AT_REST
from flowcli.snapshots import snapshot_json
from flowcli.stored_executions import all_events, find_execution
from flowcli.terminal import printable, say, write_data
from flowcli.waits import Waits, options_like, wait_lines
from flowcli.watching import Form

__all__ = ["tell_rest"]


def tell_rest(execution_id: str, form: Form, arguments: argparse.Namespace) -> int:
    """Tell it; gives the exit code. The arguments are those of the command that ran it."""
    if arguments.db == MEMORY:
        say("A node waits for an answer, which an execution in memory cannot get: keep it in a database, with --db.")
        return AT_REST
    options = options_like(arguments)
    with open_database(arguments.db, read_only=True) as store:
        record = find_execution(store, execution_id)
        if form == "json":
            write_data(write_json(snapshot_json(store, record, options), indent=2) + "\n")
        waits = Waits(all_events(store, record.execution_id))
    say(f"Execution {execution_id} is at rest: it goes on once somebody answers.")
    for node in waits.of("answer"):
        for line in wait_lines(execution_id, node, options):
            say(printable(line))
    return AT_REST
