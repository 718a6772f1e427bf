"""Runs one workflow to its end while somebody watches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass

import anyio
from flowcore.errors import ExecutionError, WorkflowInvalid
from flowcore.events import TOP, NodeFailed
from flowcore.executions import ExecutionResult
from flowcore.values import Value
from flowcore.workflows import Workflow
from flowruntime.runtime import Runtime

from flowcli.errors import InputsInvalid
from flowcli.interrupts import cancelling_on_signals
from flowcli.terminal import say
from flowcli.usage import UsageError
from flowcli.watching import Told, Watcher

__all__ = ["Chosen", "Ended", "run_workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is to be run, a document or a name in the library, and who watches it."""

    workflow: Workflow | str
    watcher: Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run came to, and every failure in it, those included that the workflow outlived.

    `failures_told` says that the watcher has told of them.
    """

    result: ExecutionResult
    failures: tuple[NodeFailed, ...]
    failures_told: bool


async def run_workflow(
    runtime: Runtime,
    choose: Callable[[], Chosen],
    inputs: dict[str, Value],
    trigger: str | None,
) -> Ended:
    """Run to the end; Ctrl-C, SIGTERM and a watcher that leaves before it cancel the execution.

    `choose` is called once the database is open. Raises what it raises, InputsInvalid for inputs that do not fit, and
    UsageError for an unknown trigger.
    """
    execution_id = ""
    failures: list[NodeFailed] = []

    def stop() -> None:
        with contextlib.suppress(ExecutionError):  # it has ended already
            runtime.cancel(execution_id)

    def interrupt() -> None:
        say("Cancelling the execution; a second Ctrl-C ends at once.")
        stop()

    async def show() -> None:
        await chosen.watcher.watch(execution_id, _remembering(runtime.follow(execution_id), failures))
        stop()

    with cancelling_on_signals(interrupt):
        async with runtime:
            chosen = choose()
            try:
                execution_id = await runtime.submit(chosen.workflow, inputs, trigger=trigger)
            except WorkflowInvalid as error:
                raise _start_error(error) from error
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(show)
                # Asked for at once: later the memory journal may have moved on.
                result = await runtime.wait(execution_id)
    return Ended(result=result, failures=tuple(failures), failures_told=chosen.watcher.tells_failures)


def _start_error(error: WorkflowInvalid) -> Exception:
    """Why a workflow that is valid could not be started: an unknown trigger, or inputs that do not fit it."""
    for problem in error.problems:
        if problem.code.startswith("trigger."):
            return UsageError(problem.message, code=problem.code, remedy=problem.remedy)
        if problem.code.startswith("workflow."):  # it has just left the library
            return error
    return InputsInvalid(error.problems)


async def _remembering(events: AsyncIterable[Told], failures: list[NodeFailed]) -> AsyncIterator[Told]:
    async for event in events:
        if isinstance(event, NodeFailed) and event.path == TOP:  # what containers do about theirs, they say
            failures.append(event)
        yield event
