"""`flow executions cancel`: ends executions, whoever runs them, or nobody."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from typing import Any, Final

import anyio
from flowcore.contracts import ExecutionRecord, Store
from flowcore.errors import StoreError
from flowcore.executions import FINAL_STATUSES
from flowcore.values import write_json

from flowcli.asking import Done, Nobody, ask
from flowcli.databases import open_database
from flowcli.errors import tell
from flowcli.exit_codes import FAILED, SUCCESS, WRONG
from flowcli.stored_executions import find_execution
from flowcli.terminal import say, write_data
from flowcli.usage import UsageError

__all__ = ["run"]

_POLL_SECONDS: Final = 0.05


def run(arguments: argparse.Namespace) -> int:
    """Cancel them."""
    with open_database(arguments.db) as store:
        found = [find_execution(store, word) for word in arguments.words]
        records = list({record.execution_id: record for record in found}.values())
        outcomes = [_cancel(arguments, store, record) for record in records]
    if arguments.json:
        write_data(write_json([shown for _, shown in outcomes], indent=2) + "\n")
    return max((code for code, _ in outcomes), default=SUCCESS)


def _cancel(arguments: argparse.Namespace, store: Store, record: ExecutionRecord) -> tuple[int, dict[str, Any]]:
    """The exit code of one alone, and what to write."""
    execution_id = record.execution_id
    try:
        asked = ask(
            store,
            execution_id,
            "cancel",
            {"why": "the execution was cancelled"},
            timeout_seconds=arguments.timeout,
        )
        if isinstance(asked, Nobody):
            status = _end_here(arguments, record)
        else:
            status = _wait_for_end(store, record, arguments.timeout)
    except UsageError as refused:
        tell("error", "red", refused.message, code=refused.code, remedy=refused.remedy)
        return WRONG, {"execution_id": execution_id, "error": refused.to_json()}
    shown = {"execution_id": execution_id, "status": status}
    if status in FINAL_STATUSES:
        if not arguments.json:
            write_data(f"{execution_id}  {status}\n")
        return SUCCESS if status == "cancelled" else FAILED, shown
    is_heard = isinstance(asked, Done)
    say(
        f"Execution {execution_id} has been told to end, and has not ended in {arguments.timeout:g} s."
        if is_heard
        else f"It is written down that execution {execution_id} is to end, but its process has not come for that "
        f"in {arguments.timeout:g} s."
    )
    return FAILED, shown


def _wait_for_end(store: Store, record: ExecutionRecord, timeout_seconds: float) -> str:
    ends_at = time.monotonic() + timeout_seconds
    while True:
        now = store.record(record.execution_id)
        status = record.status if now is None else now.status
        if status in FINAL_STATUSES or time.monotonic() > ends_at:
            return status
        time.sleep(_POLL_SECONDS)


def _end_here(arguments: argparse.Namespace, record: ExecutionRecord) -> str:
    """Take it up, which ends it."""
    from flowcli.commands.executions.resuming import REFUSED, runtime_for

    async def end() -> str:
        async with runtime_for(arguments) as runtime:
            # Nothing will run, so it does not matter which versions of node types are here.
            await runtime.resume(record.execution_id, accept_packs=True)
            return (await runtime.wait(record.execution_id)).status

    with contextlib.redirect_stdout(sys.stderr):
        try:
            return anyio.run(end)
        except StoreError as error:
            if error.code not in REFUSED:
                raise
            raise UsageError(error.message, code=error.code, remedy=error.remedy) from error
