"""Runs one execution to its end, or to its rest, while somebody watches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from flowcore.errors import ExecutionError, StoreError, WorkflowInvalid
from flowcore.events import TOP, NodeFailed
from flowcore.executions import ExecutionResult
from flowcore.values import Value
from flowcore.workflows import Workflow
from flowruntime.journal import HistoryGap
from flowruntime.journal.following import Batch
from flowruntime.runtime import Runtime

from flowcli.errors import InputsInvalid
from flowcli.interrupts import cancelling_on_signals
from flowcli.terminal import say
from flowcli.usage import UsageError
from flowcli.watching import Told, Watcher

__all__ = ["Chosen", "Ended", "Run", "own_name", "resume_execution", "run_workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is to be run, a document or a name in the library, and who watches it."""

    workflow: Workflow | str
    watcher: Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run came to, and every failure in it, those included that the workflow outlived.

    Without a result it is at rest: nothing is left to run until somebody answers. `failures_told` says that the
    watcher has told of the failures.
    """

    execution_id: str
    result: ExecutionResult | None
    failures: tuple[NodeFailed, ...]
    failures_told: bool


def own_name() -> str:
    """A name for the runtime of this process. One with a name leaves what is at rest as it is when it is closed."""
    return f"flow-{os.getpid()}-{os.urandom(2).hex()}"


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
    run = Run(runtime)
    with cancelling_on_signals(run.interrupt):
        async with runtime:
            chosen = choose()
            try:
                execution_id = await runtime.submit(chosen.workflow, inputs, trigger=trigger)
            except WorkflowInvalid as error:
                raise _start_error(error) from error
            return await run.see_through(execution_id, chosen.watcher)


async def resume_execution(
    runtime: Runtime,
    execution_id: str,
    watcher: Watcher,
    *,
    after: int,
    accept_packs: bool,
    resumed: Callable[[], Awaitable[None]],
) -> Ended:
    """Take an execution up and run it to its end, as `run_workflow` does; the watcher sees events after `after`.

    `resumed` is called once it has been taken up; when that raises, the execution is left as it stands. Raises what
    `Runtime.resume` raises.
    """
    run = Run(runtime)
    with cancelling_on_signals(run.interrupt):
        async with runtime:
            await runtime.resume(execution_id, accept_packs=accept_packs)
            await resumed()
            return await run.see_through(execution_id, watcher, after=after)


class Run:
    """One execution that is seen through, and cancelled when somebody wants that.

    With `leave`, that is called instead when the watcher leaves early.
    """

    def __init__(self, runtime: Runtime, *, leave: Callable[[], None] | None = None) -> None:
        self._runtime = runtime
        self._leave = leave
        self._execution_id: str | None = None
        self._is_unwanted = False
        self._failures: list[NodeFailed] = []
        #: The latest event that was handed on, and the one after which no more are.
        self._seq = 0
        self._last_seq: int | None = None
        #: Whether the watcher was handed all there is.
        self._has_all = False

    def interrupt(self) -> None:
        """Somebody has pressed Ctrl-C."""
        say("Cancelling the execution; a second Ctrl-C ends at once.")
        self._stop()

    async def see_through(self, execution_id: str, watcher: Watcher, *, after: int = 0) -> Ended:
        """Return when it has ended or is at rest, and the watcher has seen all of it."""
        self._execution_id, self._seq = execution_id, after
        if self._is_unwanted:
            self._stop()
        send, receive = anyio.create_memory_object_stream[Batch](0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._show, execution_id, watcher, receive)
            hand_on = anyio.CancelScope()
            batches = self._runtime.follow(execution_id, after).batches()
            tasks.start_soon(self._hand_on, batches, send, hand_on)
            # Asked for at once: later the memory journal may have moved on.
            result = await self._runtime.wait_for_rest(execution_id)
            if result is None:
                self._last_seq = (await anyio.to_thread.run_sync(self._runtime.snapshot, execution_id)).seq
                if self._seq >= self._last_seq:
                    hand_on.cancel()
        return Ended(
            execution_id=execution_id,
            result=result,
            failures=tuple(self._failures),
            failures_told=watcher.tells_failures,
        )

    def _stop(self) -> None:
        self._is_unwanted = True
        if self._leave is not None:
            self._leave()
        elif self._execution_id is not None:
            with contextlib.suppress(ExecutionError, StoreError):  # it has ended already
                self._runtime.cancel(self._execution_id)

    async def _show(self, execution_id: str, watcher: Watcher, batches: MemoryObjectReceiveStream[Batch]) -> None:
        with batches:
            await watcher.watch(execution_id, _each(batches))
        if not self._has_all:  # nobody looks any more
            self._stop()

    async def _hand_on(
        self, batches: AsyncIterator[Batch], send: MemoryObjectSendStream[Batch], scope: anyio.CancelScope
    ) -> None:
        """Hand all events on to the watcher, which sees their end when the execution has ended, or is at rest."""
        try:
            with scope, send:
                async for batch in batches:
                    await send.send(batch)
                    for event in batch:
                        self._note(event)
                    if self._last_seq is not None and self._seq >= self._last_seq:
                        break
        except anyio.BrokenResourceError:
            return  # the watcher has left
        self._has_all = True

    def _note(self, event: Told) -> None:
        if isinstance(event, HistoryGap):
            self._seq = event.last
            return
        self._seq = event.seq
        if isinstance(event, NodeFailed) and event.path == TOP:  # what containers do about theirs, they say
            self._failures.append(event)


async def _each(batches: MemoryObjectReceiveStream[Batch]) -> AsyncIterator[Told]:
    async for batch in batches:
        for event in batch:
            yield event


def _start_error(error: WorkflowInvalid) -> Exception:
    """Why a workflow that is valid could not be started: an unknown trigger, or inputs that do not fit it."""
    for problem in error.problems:
        if problem.code.startswith("trigger."):
            return UsageError(problem.message, code=problem.code, remedy=problem.remedy)
        if problem.code.startswith("workflow."):  # it has just left the library
            return error
    return InputsInvalid(error.problems)
