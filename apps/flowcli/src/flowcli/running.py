"""Runs one workflow to its end while somebody watches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

import anyio
from flowcore.errors import ExecutionError
from flowcore.events import TOP, NodeFailed
from flowcore.executions import ExecutionResult
from flowcore.values import Value
from flowcore.workflows import Workflow
from flowruntime.runtime import Runtime

from flowcli.interrupts import cancelling_on_signals
from flowcli.terminal import say
from flowcli.watching import Told, Watcher

__all__ = ["Ended", "run_workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run came to, and every failure in it, those included that the workflow outlived."""

    result: ExecutionResult
    failures: tuple[NodeFailed, ...]


async def run_workflow(
    runtime: Runtime,
    workflow: Workflow,
    inputs: dict[str, Value],
    trigger: str | None,
    watcher: Watcher,
) -> Ended:
    """Run to the end; Ctrl-C, SIGTERM and a watcher that leaves before it cancel the execution.

    Raises WorkflowInvalid for a document, inputs or a trigger that do not fit.
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
        await watcher.watch(execution_id, _remembering(runtime.follow(execution_id), failures))
        stop()

    with cancelling_on_signals(interrupt):
        async with runtime:
            execution_id = await runtime.submit(workflow, inputs, trigger=trigger)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(show)
                # Asked for at once: later the memory journal may have moved on.
                result = await runtime.wait(execution_id)
    return Ended(result=result, failures=tuple(failures))


async def _remembering(events: AsyncIterable[Told], failures: list[NodeFailed]) -> AsyncIterator[Told]:
    async for event in events:
        if isinstance(event, NodeFailed) and event.path == TOP:  # what containers do about theirs, they say
            failures.append(event)
        yield event
