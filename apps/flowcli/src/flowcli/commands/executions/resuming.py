"""`flow executions resume`: takes up what nobody runs any more, and runs it to its end or its rest."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TextIO

import anyio
import anyio.to_thread
from flowcore.contracts import ExecutionRecord
from flowcore.errors import FlowError, StoreError
from flowcore.events import ExecutionId
from flowcore.executions import ExecutionResult
from flowcore.values import write_json
from flowruntime.runtime import Runtime
from flowruntime.stores import default_url

from flowcli.databases import open_database
from flowcli.durations import duration_text
from flowcli.errors import tell
from flowcli.exit_codes import AT_REST, FAILED, INTERRUPTED, SUCCESS, WRONG
from flowcli.interrupts import cancelling_on_signals
from flowcli.local_nodes import read_nodes
from flowcli.outcome import tell_outcome
from flowcli.running import Run, own_name, resume_execution
from flowcli.snapshots import snapshot_json
from flowcli.stored_executions import all_events, find_execution, summary_of
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError
from flowcli.waits import Waits, options_like, wait_lines
from flowcli.watching import Form, watcher_for

__all__ = ["REFUSED", "form_of", "run", "runtime_for", "take_up"]

#: So many are taken up by one command.
_MOST: Final = 10_000
#: An execution that cannot be taken up: there is none, it has ended, or somebody runs it.
REFUSED: Final = frozenset({"execution.unknown", "execution.final", "lease.held"})


def run(arguments: argparse.Namespace) -> int:
    """Take them up."""
    with open_database(arguments.db, read_only=True) as store:
        if arguments.words:
            found = [find_execution(store, word) for word in arguments.words]
        else:
            ids = store.unowned(limit=_MOST)
            found = [record for record in map(store.record, ids) if record is not None]
    records = list({record.execution_id: record for record in found}.values())
    if len(arguments.words) == 1:
        return take_up(arguments, records[0], accept_packs=arguments.accept_packs, resumed=_at_once)
    return _resume_all(arguments, records)


def form_of(arguments: argparse.Namespace) -> Form:
    """What is to be written to stdout."""
    return "json" if arguments.json else "events" if arguments.events else "outputs"


def runtime_for(arguments: argparse.Namespace) -> Runtime:
    """The runtime in which executions go on; when it is left, it leaves them as they stand."""
    return Runtime(
        arguments.db or default_url(),
        name=own_name(),
        allow_net=arguments.allow_net or (),
        nodes=read_nodes(arguments.nodes),
    )


def take_up(
    arguments: argparse.Namespace,
    record: ExecutionRecord,
    *,
    accept_packs: bool,
    resumed: Callable[[], Awaitable[None]],
) -> int:
    """Run one execution on, as `flow run` does; `resumed` as in `resume_execution`.

    Raises UsageError with one of the codes `REFUSED` when it cannot be taken up.
    """
    form, data = form_of(arguments), sys.stdout
    seq = _seq_of(arguments, record.execution_id)
    with contextlib.redirect_stdout(sys.stderr):
        watcher = watcher_for(form, record.workflow, data)
        resume = functools.partial(
            resume_execution,
            runtime_for(arguments),
            record.execution_id,
            watcher,
            after=0 if watcher.shows_the_past else seq,
            accept_packs=accept_packs,
            resumed=resumed,
        )
        try:
            ended = anyio.run(resume)
        except StoreError as error:
            if error.code not in REFUSED:
                raise
            raise _refusal(error, record.execution_id) from error
    return tell_outcome(ended, form, arguments)


def _refusal(error: StoreError, execution_id: str) -> UsageError:
    remedy = error.remedy
    if error.code == "lease.held":
        remedy = f"See what it does: flow executions events {execution_id} --follow"
    return UsageError(error.message, code=error.code, remedy=remedy)


def _seq_of(arguments: argparse.Namespace, execution_id: ExecutionId) -> int:
    """The latest event that is kept."""
    with open_database(arguments.db, read_only=True) as store:
        return summary_of(store, execution_id).seq


async def _at_once() -> None:
    """Nothing is to be done before it goes on."""


# --- several at once ------------------------------------------------------------------------------------


def _resume_all(arguments: argparse.Namespace, records: Sequence[ExecutionRecord]) -> int:
    several = _Several(arguments, sys.stdout)
    if records:
        say(f"Resuming {len(records):,} execution{'' if len(records) == 1 else 's'}; Ctrl-C leaves what has not ended.")
        with contextlib.redirect_stdout(sys.stderr):
            anyio.run(several.run, records)
    else:
        say("There is nothing to resume.")
    codes = several.tell()
    if several.is_left:
        say("They are left as they stand; the same command takes them up again.")
        return INTERRUPTED
    return next((code for code in (WRONG, FAILED, AT_REST) if code in codes), SUCCESS)


class _Several:
    """Executions that go on at the same time. Ctrl-C leaves them as they stand."""

    def __init__(self, arguments: argparse.Namespace, data: TextIO) -> None:
        self._arguments = arguments
        self._form = form_of(arguments)
        self._data = data
        self._scope: anyio.CancelScope | None = None
        #: What became of each, and the exit code of one alone.
        self._outcomes: dict[str, tuple[int, ExecutionResult | FlowError | None]] = {}
        self.is_left = False

    async def run(self, records: Sequence[ExecutionRecord]) -> None:
        """Run them on, until all have ended or are at rest."""
        runtime = runtime_for(self._arguments)
        with cancelling_on_signals(self._leave):
            async with runtime:
                with anyio.CancelScope() as self._scope:
                    async with anyio.create_task_group() as tasks:
                        for record in records:
                            tasks.start_soon(self._resume, runtime, record, len(records) == 1)

    def tell(self) -> set[int]:
        """Tell what is left to be told; the exit codes."""
        options = options_like(self._arguments)
        rests = [execution_id for execution_id, (_, outcome) in self._outcomes.items() if outcome is None]
        with open_database(self._arguments.db, read_only=True) as store:
            resting = {execution_id: find_execution(store, execution_id) for execution_id in rests}
            if self._form == "json":
                shown = [
                    snapshot_json(store, resting[execution_id], options)
                    if outcome is None
                    else {"execution_id": execution_id, "error": outcome.to_json()}
                    if isinstance(outcome, FlowError)
                    else outcome.to_json()
                    for execution_id, (_, outcome) in self._outcomes.items()
                ]
                write_data(write_json(shown, indent=2) + "\n")
            for execution_id in rests:
                say(f"Execution {execution_id} is at rest: it goes on once somebody answers.")
                for node in Waits(all_events(store, resting[execution_id].execution_id)).of("answer"):
                    for line in wait_lines(execution_id, node, options):
                        say(printable(line))
        return {code for code, _ in self._outcomes.values()}

    def _leave(self) -> None:
        self.is_left = True
        if self._scope is not None:
            self._scope.cancel()

    async def _resume(self, runtime: Runtime, record: ExecutionRecord, is_alone: bool) -> None:  # noqa: FBT001
        execution_id = record.execution_id
        try:
            result = await self._run_on(runtime, record, is_alone=is_alone)
        except FlowError as error:
            if error.code in REFUSED and not self._arguments.words:
                say(f"{error.message} It is left to whoever was quicker.")
                return
            tell("error", "red", error.message, code=error.code, remedy=error.remedy)
            self._outcomes[execution_id] = WRONG if error.code in REFUSED else FAILED, error
            return
        status = "at rest" if result is None else result.status
        code = AT_REST if result is None else SUCCESS if result.status == "succeeded" else FAILED
        self._outcomes[execution_id] = code, result
        if self._form == "outputs":
            took = "" if result is None else duration_text(result.duration_ms)
            cause = "" if result is None or result.error is None else f"  {result.error['message']}"
            line = f"{execution_id}  {status:11}  {took:>10}  {record.workflow.id}{cause}"
            write_data(printable(line) + "\n", self._data)

    async def _run_on(self, runtime: Runtime, record: ExecutionRecord, *, is_alone: bool) -> ExecutionResult | None:
        execution_id, accept_packs = record.execution_id, self._arguments.accept_packs
        if self._form != "events" and not is_alone:
            await runtime.resume(execution_id, accept_packs=accept_packs)
            return await runtime.wait_for_rest(execution_id)
        watcher = watcher_for(self._form, record.workflow, self._data)
        seq = await anyio.to_thread.run_sync(_seq_of, self._arguments, execution_id)
        await runtime.resume(execution_id, accept_packs=accept_packs)
        run = Run(runtime, leave=self._leave)
        return (await run.see_through(execution_id, watcher, after=0 if watcher.shows_the_past else seq)).result
