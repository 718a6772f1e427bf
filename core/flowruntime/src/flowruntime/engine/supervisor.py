"""Starts executions, knows the running ones, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
from flowcore.contracts import Clock, Request
from flowcore.errors import ExecutionError, StoreError
from flowcore.events import TOP, ErrorObject, ExecutionId, Path, WorkflowStarted
from flowcore.executions import ExecutionResult
from flowcore.values import NotAValue, Value
from flowcore.workflows import Workflow

from flowruntime.authoring import Secret
from flowruntime.engine.admission import Admission
from flowruntime.engine.attempt import ExecutionRun, Instances, Surroundings, Threads
from flowruntime.engine.blocking import LoopWatch
from flowruntime.engine.executor import INLINE_NODES, Executor, Frame
from flowruntime.engine.machine import Answer, Machine
from flowruntime.engine.watchdog import Watchdog
from flowruntime.journal import DurableLog, ExecutionLog, Journal
from flowruntime.plan import SchemaCache
from flowruntime.plan.model import Plan

if TYPE_CHECKING:
    import httpx

__all__ = ["Supervisor"]

_log = logging.getLogger("flowruntime")
#: How long closing waits for attempts that timed out or were given up, and have not ended since.
_LEFTOVER_SECONDS: Final = 1


class Supervisor:
    """The executions of one runtime. Used from the loop's thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        secrets: Mapping[str, Secret],
        schemas: SchemaCache,
        max_executions: int | None = None,
        seed: int | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._secrets = secrets
        self._schemas = schemas
        #: Spreads load, hides nothing.
        self._random = random.Random(seed)  # noqa: S311
        self._threads = Threads()
        self._leftovers: set[asyncio.Task[None]] = set()
        self._admission = Admission(max_executions)
        #: Keeps the time of all executions; somebody must run it.
        self.watchdog = Watchdog(clock)
        #: What runs, waits or is pending, with what is to be done at its end.
        self._open: dict[ExecutionId, tuple[Executor, Callable[[ExecutionResult | None], None]]] = {}
        self._pending: set[ExecutionId] = set()
        #: What others want of executions that await their turn.
        self._held: dict[ExecutionId, list[Request]] = {}
        #: Nodes of executions that ran in their callers' tasks, since the loop had its turn.
        self._inline_nodes = 0
        self._loop_watch = LoopWatch(lambda: bool(self._open))

    def create(
        self,
        plan: Plan,
        instances: Instances,
        inputs: dict[str, Value],
        *,
        fired: int | None,
        on_end: Callable[[ExecutionResult | None], None],
        origin: dict[str, Any],
        named: Mapping[str, Workflow] | None = None,
        version: int | None = None,
        recovery: str | None = None,
        once: tuple[str, str] | None = None,
        leader: ExecutionLog | None = None,
        http: Callable[[], httpx.AsyncClient],
        on_failing: Callable[[ExecutionResult, ExecutionLog], None] | None = None,
    ) -> Executor:
        """Make event 1 durable; `run` or `start` the executor then.

        `fired` is the trigger's number; `named` are the workflows that it may run by name. `origin` says what started
        the execution; `version` is that of the workflow in the library. `recovery` and `once` as in
        `flowcore.contracts.Change`, `leader` as in `Journal.create`, `on_failing` as in `Executor`.
        """
        now_us = self._clock.now_us()
        execution_id = _new_execution_id(now_us)
        first = WorkflowStarted(1, now_us, plan.workflow.id, version, inputs, origin, dict(plan.types))
        log = self._journal.create(
            execution_id, plan.workflow, first, named, recovery=recovery, once=once, leader=leader
        )
        return self._open_executor(log, plan, instances, inputs, fired, now_us, http, on_end, on_failing)

    def reopen(
        self,
        log: ExecutionLog,
        plan: Plan,
        instances: Instances,
        started: WorkflowStarted,
        *,
        on_end: Callable[[ExecutionResult | None], None],
        http: Callable[[], httpx.AsyncClient],
        on_failing: Callable[[ExecutionResult, ExecutionLog], None] | None = None,
    ) -> Executor:
        """An executor for an execution that began elsewhere, where nothing has run yet; `unfold` brings it on."""
        fired = plan.index.get(started.origin.get("node", "")) if started.origin.get("type") == "Node" else None
        executor = self._open_executor(
            log, plan, instances, started.inputs, fired, started.at_us, http, on_end, on_failing
        )
        executor.awaits_turn = True
        self._pending.add(log.execution_id)
        return executor

    def drop(self, executor: Executor) -> None:
        """Forget an executor that has not begun and shall not."""
        execution_id = executor.log.execution_id
        self._open.pop(execution_id, None)
        self._pending.discard(execution_id)
        self._held.pop(execution_id, None)
        if isinstance(executor.log, DurableLog):
            executor.log.on_refused = None  # its lease is about to be given back
        self._journal.close_log(executor.log)

    def _open_executor(  # noqa: PLR0917 - called in two places
        self,
        log: ExecutionLog,
        plan: Plan,
        instances: Instances,
        inputs: dict[str, Value],
        fired: int | None,
        started_us: int,
        http: Callable[[], httpx.AsyncClient],
        on_end: Callable[[ExecutionResult | None], None],
        on_failing: Callable[[ExecutionResult, ExecutionLog], None] | None,
    ) -> Executor:
        machine = Machine(plan, fired=fired)
        shared = Surroundings(
            log=log,
            clock=self._clock,
            values=self._journal.store.values,
            workflow_id=plan.workflow.id,
            started_us=started_us,
            secrets=self._secrets,
            http=http,
        )
        executor = Executor(
            top=Frame(ExecutionRun(shared, machine, TOP, inputs), instances, self._clock.now_us),
            clock=self._clock,
            watchdog=self.watchdog,
            threads=self._threads,
            schemas=self._schemas,
            leftovers=self._leftovers,
            started_us=started_us,
            jitter=self._jitter,
            on_end=self._ended,
            on_failing=on_failing,
        )
        if isinstance(log, DurableLog):
            log.on_refused = executor.abandon
        self._open[log.execution_id] = executor, on_end
        if not self._loop_watch.awake:
            self._loop_watch.wake()
        return executor

    def start(self, executor: Executor) -> None:
        """Run an execution in the background, as soon as it may; one that is to end does so now."""
        if executor.past is not None and (executor.past.is_cancelled or executor.unwanted is not None):
            executor.cancel(executor.unwanted or "the execution was cancelled")
        elif self._may_begin(executor):
            executor.start()

    async def run(self, executor: Executor) -> ExecutionResult:
        """Run an execution to its end, in the calling task as far as that goes. Cancelling the caller cancels it."""
        try:
            if self._may_begin(executor):
                await executor.work()
                self._inline_nodes += len(executor.top.machine.ended)
                if self._inline_nodes >= INLINE_NODES:
                    # Short runs one after the other would never let the loop have its turn.
                    self._inline_nodes = 0
                    await anyio.lowlevel.checkpoint()
            if executor.result is None:
                await _until_over(executor)
        except BaseException:
            executor.cancel()
            await self._wait_shielded(executor)
            raise
        return executor.result  # type: ignore[return-value] # there is one now

    async def _wait_shielded(self, executor: Executor) -> None:
        """Wait for the end whoever cancels the caller, which takes no longer than the grace of running attempts."""
        with anyio.CancelScope(shield=True):
            while not executor.over:
                with contextlib.suppress(asyncio.CancelledError):
                    await executor.ended.wait()

    async def wait(self, execution_id: str) -> ExecutionResult | None:
        """The result of an execution that runs here, once it has ended; None when it does not run here.

        Raises StoreError when it stops running here without having ended.
        """
        executor, _ = self._open.get(ExecutionId(execution_id), (None, None))
        return None if executor is None else await _until_over(executor)

    async def until_rest(self, execution_id: str) -> bool:
        """Return when an execution has ended, or waits for nothing but an answer: whether it does that.

        Raises StoreError when it stops running here without having ended.
        """
        executor, _ = self._open.get(ExecutionId(execution_id), (None, None))
        while executor is not None and not executor.over:
            if executor.awaits_answer:
                return True
            await executor.ended.wait()
        if executor is not None and executor.lost is not None:
            raise executor.lost
        return False

    def has(self, execution_id: str) -> bool:
        """Whether the execution runs here."""
        return execution_id in self._open

    def cancel(self, execution_id: str) -> None:
        """Cancel an execution. Raises ExecutionError when none of that id runs here."""
        self._get(execution_id).cancel()

    def signal(self, execution_id: str, name: str, value: Value) -> None:
        """Wake the nodes that wait for a signal. Raises ExecutionError when none of this execution does."""
        if not self._get(execution_id, its_turn=True).signal(name, value):
            raise ExecutionError(
                f"No node of execution {execution_id!r} waits for the signal {name!r}.",
                code="execution.no_such_wait",
                remedy="Send it once a node waits; events of the type NodeWaiting say so.",
            )

    def answer(self, execution_id: str, node_id: str, path: Path, answer: Answer, value: Value) -> None:
        """Say what becomes of a node that must not be repeated. Raises ExecutionError when none waits for that."""
        if not self._get(execution_id, its_turn=True).answer(node_id, path, answer, value):
            raise ExecutionError(
                f"Node {node_id!r} of execution {execution_id!r} does not wait for an answer.",
                code="execution.no_such_wait",
                remedy="`flow executions show` lists the nodes that do; inside loops and subflows, give their --path.",
            )

    def take_requests(self, requests: Iterable[Request]) -> None:
        """Do what others ask of executions that run here, and have the store tell them what came of it."""
        for request in requests:
            executor, _ = self._open.get(request.execution_id, (None, None))
            if executor is None or executor.log.has_answered(request.number):
                continue  # it ended, and the store has told them so; or it is looked for when it has been taken up
            if executor.awaits_turn and request.kind != "cancel":
                self._held.setdefault(request.execution_id, []).append(request)
                continue
            error: ErrorObject | None = None
            executor.log.begin_answer(request.number)
            try:
                self._take(executor, request)
            except (ExecutionError, NotAValue) as refused:
                told = refused if isinstance(refused, ExecutionError) else ExecutionError(str(refused))
                error = {"code": told.code, "message": told.message, "remedy": told.remedy}
            executor.log.answer(request.number, error)

    def _take(self, executor: Executor, request: Request) -> None:
        body = request.body
        match request.kind:
            case "cancel":
                executor.cancel(body.get("why") or "the execution was cancelled")
            case "signal":
                self.signal(request.execution_id, body["name"], body.get("value"))
            case "answer":
                path: Path = tuple((step[0], step[1], 0) for step in body.get("path", ()))
                self.answer(request.execution_id, body["node_id"], path, body["answer"], body.get("value"))

    async def close(self, *, leave: bool = False) -> None:
        """Cancel whatever runs; return when all has ended, which takes no longer than the grace of running attempts.

        With `leave` executions that are in a database are left as they stand instead, for somebody else to resume.
        """
        self._loop_watch.close()
        while self._open:
            for executor, _ in list(self._open.values()):
                if leave and executor.log.is_blocking:
                    executor.abandon(
                        StoreError("The runtime was closed; the execution is left to the next one of its name.")
                    )
                else:
                    executor.cancel("the runtime was closed")
            if self._open:  # some may begin meanwhile, because others fail
                await next(iter(self._open.values()))[0].ended.wait()
        if self._leftovers:
            await asyncio.wait(self._leftovers, timeout=_LEFTOVER_SECONDS)
        for task in self._leftovers:
            # Whoever closes the loop would wait for it, and it does not end.
            _log.warning("An attempt that refuses to be cancelled is left behind: %s.", task.get_coro())
            asyncio._unregister_task(task)  # noqa: SLF001 - documented for those who extend asyncio
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - it was just told

    # --- inside -------------------------------------------------------------------------------------

    def _jitter(self) -> float:
        return self._random.uniform(-1, 1)

    def _get(self, execution_id: str, *, its_turn: bool = False) -> Executor:
        executor, _ = self._open.get(ExecutionId(execution_id), (None, None))
        if executor is None:
            status = self._journal.record(execution_id).status
            raise ExecutionError(
                f"Execution {execution_id!r} does not run here: it is {status}.", code="execution.final"
            )
        if its_turn and executor.awaits_turn:
            raise ExecutionError(
                f"Execution {execution_id!r} does not go on here yet: it is being taken up, or others come first.",
                code="execution.pending",
                remedy="Ask again once it does; its event WorkflowResumed says so.",
            )
        return executor

    def _may_begin(self, executor: Executor) -> bool:
        if not self._admission.admit(executor):
            self._pending.add(executor.log.execution_id)
            return False
        self._begin(executor)
        return True

    def _begin(self, executor: Executor) -> None:
        execution_id = executor.log.execution_id
        self._pending.discard(execution_id)
        executor.log.wake()
        executor.begin()
        if execution_id in self._held:
            self.take_requests(self._held.pop(execution_id))

    def _ended(self, executor: Executor) -> None:
        execution_id = executor.log.execution_id
        _, on_end = self._open.pop(execution_id)
        self._held.pop(execution_id, None)
        self._journal.close_log(executor.log)
        on_end(executor.result)
        if execution_id in self._pending:
            self._pending.discard(execution_id)
            return
        for following in self._admission.release(executor):
            self._begin(following)
            following.start()


async def _until_over(executor: Executor) -> ExecutionResult:
    while executor.result is None:
        if executor.lost is not None:
            raise executor.lost
        await executor.ended.wait()
    return executor.result


def _new_execution_id(now_us: int) -> ExecutionId:
    """A UUID of version 7 (RFC 9562), so that ids sort by time: 48 bits of milliseconds, 74 random bits."""
    time_ms, number = now_us // 1000, int.from_bytes(os.urandom(10), "big")
    return ExecutionId(
        "%08x-%04x-7%03x-%04x-%012x"  # noqa: UP031 - the quickest way to write it
        % (
            time_ms >> 16,
            time_ms & 0xFFFF,
            number & 0xFFF,
            0x8000 | number >> 12 & 0x3FFF,
            number >> 26 & 0xFFFF_FFFF_FFFF,
        )
    )
