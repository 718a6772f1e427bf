"""Runs one execution: worker tasks that make attempts, and the little around them that the machine must not know.

**Lazy spare worker.** A worker takes ready nodes and awaits them directly. While more are ready, exactly one spare
worker is scheduled; it only gets to run when the current node really suspends, takes the next node and schedules the
next spare. Nodes that finish without suspending never cost a task, nodes that suspend cost one, and every attempt runs
wholly inside one task, so cancel scopes hold. Each worker has one cancel scope; after `_INLINE_NODES` attempts without
a pause the loop gets its turn.

Driving coroutines by `send` from the scheduler's own task looks as fast and is wrong: cancel scopes would be left in
another task than they were entered in.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
from flowcore.contracts import Clock
from flowcore.errors import FatalNodeError, InternalError, NodeError
from flowcore.events import TOP, ErrorObject, NodeCompleted, NodeStarted, Path, WorkflowCompleted, timestamp_text
from flowcore.executions import ExecutionResult, FinalStatus
from flowcore.policies import DEFAULT_RETRY_POLICY, RetryPolicy, RetryWorkflow
from flowcore.values import Value

from flowruntime.authoring import Context, Handler, Wait, Woken
from flowruntime.bus import Bell
from flowruntime.engine.attempt import (
    AttemptTimeoutError,
    ExecutionRun,
    Instances,
    check_outputs,
    error_object,
    is_retryable,
    resolve,
)
from flowruntime.engine.executor.ending import Ends, workflow_outputs
from flowruntime.engine.executor.recording import Recorder
from flowruntime.engine.executor.worker import Worker, self_cancelled
from flowruntime.engine.machine import RETRYING, RUNNING, Machine
from flowruntime.engine.watchdog import NEVER_US, Watchdog

__all__ = ["Executor"]

_INLINE_NODES: Final = 64
#: The limit for an execution's active time where the workflow says none: one hour.
DEFAULT_EXECUTION_TIME_MS: Final = 3_600_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: Makes the two events that every node has; calling their classes would take twice as long.
_new: Final = tuple.__new__
_NO_VALUES: Final[dict[str, Any]] = {}


class Executor:
    """One execution from where its machine stands to its end. `execute` is called once."""

    def __init__(
        self,
        *,
        run: ExecutionRun,
        machine: Machine,
        instances: Instances,
        clock: Clock,
        watchdog: Watchdog,
        started_us: int,
        jitter: Callable[[], float],
    ) -> None:
        self._run = run
        self._machine = machine
        self._plan = machine.plan
        self.log = self._log = run.log
        self._instances = instances
        self._handlers = instances.handlers
        self._now = clock.now_us
        self._clock = clock
        self._started_us = started_us
        self._jitter = jitter
        self._path: Path = TOP
        self._recorder = Recorder(machine, run.log, clock.now_us)
        self._workers: set[Worker] = set()
        self._spare_scheduled = False
        self._inline_nodes = 0
        self._watchdog = watchdog
        #: When the watchdog is to call: no later than the earliest deadline.
        self._armed_us = NEVER_US
        #: (time in microseconds, node) of nodes in backoff and of waiting ones, the earliest first. An entry counts
        #: only while the machine has that time for the node.
        self._delays: list[tuple[int, int]] = []
        #: Of waiting nodes: when the attempt began, and how long it has been active, in microseconds.
        self._suspended: dict[int, tuple[int, int]] = {}
        #: Since when nothing runs, None while something does.
        self._idle_since_us: int | None = None
        limit_ms = self._plan.workflow.settings.max_execution_time_ms or DEFAULT_EXECUTION_TIME_MS
        self._deadline_us = started_us + round(limit_ms * 1000)
        #: Rings for the first worker, which stays when all others have gone and only backoffs are left.
        self._delay_over = Bell()
        self._run_attempt = 1
        self._nap: anyio.CancelScope | None = None
        #: What the execution came to, once it has ended; `ended` rings then.
        self.result: ExecutionResult | None = None
        self.ended = Bell()

    async def execute(self) -> ExecutionResult:
        """Run to the end; the last event is in the log when this returns.

        When the calling task is cancelled, the execution is cancelled, and the cancellation goes on.
        """
        try:
            self._after_restart()
            while True:
                async with anyio.create_task_group() as self._tasks:
                    await self._work()
                    while self._waits():
                        await self._delay_over.wait()
                        await self._work()
                if not self._may_restart():
                    break
                await self._restart()
        except BaseException as error:
            self._machine.cancel()
            if isinstance(error, Exception):
                return self._break_down(error)
            self._recorder.end_the_rest()
            self._complete()
            raise
        if not self._machine.finished:
            return self._break_down(InternalError("The engine came to rest with nodes left to run."))
        self._recorder.end_the_rest()
        return self._complete()

    def cancel(self) -> None:
        """Start nothing more and cancel what runs. Ends soon after, with status `cancelled`."""
        self._machine.cancel()
        self._stop_workers(None)

    # --- workers ------------------------------------------------------------------------------------

    async def _work(self) -> None:
        worker = Worker()
        self._workers.add(worker)
        if self._idle_since_us is not None:
            self._count_idle_time(self._now())
            self._idle_since_us = None
        try:
            while True:
                with worker.scope:
                    await self._drain(worker)
                if not worker.scope.cancel_called or self._machine.stopped is not None:
                    return
                worker.renew()  # it was cancelled for the timeout of one attempt
        finally:
            self._workers.discard(worker)

    async def _drain(self, worker: Worker) -> None:
        machine, scope = self._machine, worker.scope
        while not scope.cancel_called:
            self._inline_nodes += 1
            if self._inline_nodes >= _INLINE_NODES:
                self._inline_nodes = 0
                await anyio.lowlevel.checkpoint()
            node = machine.take()
            if node is None:
                if not machine.running and self._idle_since_us is None:
                    self._idle_since_us = self._now()
                return
            if not self._spare_scheduled and machine.has_ready():
                self._schedule_spare()
            await self._attempt(node, worker)

    async def _spare(self) -> None:
        self._spare_scheduled = False
        self._inline_nodes = 0
        await self._work()

    def _schedule_spare(self) -> None:
        self._spare_scheduled = True
        self._tasks.start_soon(self._spare)

    def _stop_workers(self, current: Worker | None) -> None:
        for worker in list(self._workers):
            if worker is not current:
                worker.scope.cancel()
        self._delay_over.ring()
        if self._nap is not None:
            self._nap.cancel()

    # --- one attempt --------------------------------------------------------------------------------

    async def _attempt(self, index: int, worker: Worker) -> None:  # noqa: C901, PLR0912, PLR0915 - one function: it is the hot path
        machine, log, now = self._machine, self._log, self._now
        node = self._plan.nodes[index]
        attempt = machine.attempts[index]
        started_us = now()
        deadline_us = started_us + node.timeout_us
        if index in machine.continuing:
            machine.continuing.discard(index)
            started_us, active_us = self._suspended.pop(index, (started_us, 0))
            deadline_us -= active_us
        else:
            log.append(_new(NodeStarted, (log.seq + 1, started_us, self._path, node.id, attempt, node.type_id)))
        worker.index, worker.started_us, worker.deadline_us = index, started_us, deadline_us
        if deadline_us < self._armed_us:
            self._arm(deadline_us)
        if index in machine.contested:
            self._recorder.warn_of_contest(node, attempt)
        try:
            handler = self._handlers[index]
            if handler is None:
                handler = await self._instances.prepare(index)
            wired = machine.wired[index]
            inputs: dict[str, Value] = _NO_VALUES if wired is None else wired
            config = self._instances.configs[index]
            if not node.direct:
                inputs, config = resolve(node, attempt, handler, inputs, config, self._run)
            ctx = Context(self._run, self._path, node.id, attempt, inputs, config)
            if machine.woken:
                ctx.woken = machine.woken.get(index)
            if handler.mode == "async":
                outputs = await handler.call(ctx)
            else:
                outputs = handler.call(ctx) if handler.mode == "inline" else await _on_thread(handler, ctx)
            if type(outputs) is not Wait:
                outputs = check_outputs(node, outputs, inputs)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to the nodes' code
            if worker.index == index:
                self._failed(index, started_us, error, worker)
        except anyio.get_cancelled_exc_class() as error:
            if not worker.is_cancelled():
                self._failed(index, started_us, self_cancelled(error), worker)
            else:
                if worker.index == index:
                    machine.cancel()
                    self._recorder.cancelled(index)
                raise
        else:
            if worker.index != index:
                pass  # its timeout was recorded, and the first outcome stands
            elif type(outputs) is Wait:
                self._suspend(index, outputs, worker)
            else:
                ended_us = now()
                duration_ms = (ended_us - started_us) / 1000
                fields = (log.seq + 1, ended_us, self._path, node.id, attempt, outputs, duration_ms, None, None)
                log.append(_new(NodeCompleted, fields))
                machine.completed(index, outputs)
        worker.index = -1
        if machine.skips:
            self._recorder.skips()

    def _failed(self, index: int, started_us: int, raised: BaseException, worker: Worker) -> None:
        machine, node = self._machine, self._plan.nodes[index]
        now_us = self._now()
        error = error_object(raised, node_id=node.id, path=self._path, attempt=machine.attempts[index])
        failures = machine.failures.get(index, 0) + 1
        if machine.stopped is None and _is_retried(raised, node.retry_policy, failures):
            wish_seconds = raised.retry_after_seconds if isinstance(raised, NodeError) else None
            delay_ms = node.retry_policy.delay_after(
                failures, self._jitter(), None if wish_seconds is None else wish_seconds * 1000
            )
            retry_at_us = now_us + round(delay_ms * 1000)
            self._recorder.retrying(index, error, now_us, delay_ms, retry_at_us)
            self._sleep_until(retry_at_us, index)
            return
        self._recorder.failed(index, error, now_us, (now_us - started_us) / 1000)
        if node.then == "stop":
            self._recorder.why_cancelled = f"the workflow failed at node {node.id!r}"
            self._stop_workers(worker)

    # --- time ---------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the execution has ended; the watchdog forgets it then."""
        return self.result is not None

    def on_time(self, now_us: int) -> int:
        """Called by the watchdog: end attempts that took too long, start nodes whose delay is over."""
        machine = self._machine
        if machine.stopped is None:
            for worker in list(self._workers):
                if worker.index >= 0 and worker.deadline_us <= now_us:
                    self._time_out(worker)
        self._count_idle_time(now_us)
        while self._delays and self._delays[0][0] <= now_us:
            due_us, index = heapq.heappop(self._delays)
            if machine.until_us.get(index) != due_us:
                continue  # the node was woken before by something else
            if machine.status[index] == RETRYING:
                machine.due(index)
            else:
                self._recorder.woken(index, Woken(reason="due"))
        if machine.stopped is None and self._deadline_us <= now_us:
            self._time_out_execution()
        if machine.skips:
            self._recorder.skips()
        self._go_on()
        times = [worker.deadline_us for worker in self._workers if worker.index >= 0]
        times.append(self._delays[0][0] if self._delays else NEVER_US)
        if self._idle_since_us is None:
            times.append(self._deadline_us)
        self._armed_us = NEVER_US if machine.stopped is not None else min(times)
        return self._armed_us

    def _arm(self, at_us: int) -> None:
        self._armed_us = min(at_us, self._deadline_us)
        self._watchdog.arm(self._armed_us, self)

    def signal(self, name: str, value: Value) -> int:
        """Wake all nodes that wait for this signal; how many there were."""
        machine = self._machine
        waiting = [index for index, signal in machine.signals.items() if signal == name]
        if waiting:
            self._count_idle_time(self._now())
        for index in waiting:
            self._recorder.woken(index, Woken(reason="signal", value=value))
        self._go_on()
        return len(waiting)

    def _waits(self) -> bool:
        """Whether anything is left that will go on later."""
        machine = self._machine
        return machine.stopped is None and bool(machine.until_us or machine.signals)

    def _go_on(self) -> None:
        """Let somebody take what is ready now: the first worker when it waits, else a spare one."""
        if not self._machine.has_ready():
            return
        self._idle_since_us = None
        if self._delay_over.waited_for:
            self._delay_over.ring()
        elif not self._spare_scheduled:
            self._schedule_spare()

    def _suspend(self, index: int, wait: Wait, worker: Worker) -> None:
        """The attempt waits: it holds nothing from here on but its inputs."""
        now_us = self._now()
        begun_us = worker.deadline_us - self._plan.nodes[index].timeout_us  # moved back by what was active before
        self._suspended[index] = (worker.started_us, now_us - begun_us)
        until_us = None if wait.until is None else (wait.until - _EPOCH) // _MICROSECOND
        self._recorder.waiting(index, now_us, until_us, wait)
        if until_us is not None:
            self._sleep_until(until_us, index)

    def _sleep_until(self, due_us: int, index: int) -> None:
        heapq.heappush(self._delays, (due_us, index))
        if due_us < self._armed_us:
            self._arm(due_us)

    def _count_idle_time(self, now_us: int) -> None:
        """Time in which nothing runs does not count against the execution's limit."""
        if self._idle_since_us is not None:
            self._deadline_us += now_us - self._idle_since_us
            self._idle_since_us = now_us

    def _time_out(self, worker: Worker) -> None:
        index = worker.index
        worker.index = -1  # whatever the attempt gives from now on is dropped
        timeout_ms = self._plan.nodes[index].timeout_us / 1000
        error = AttemptTimeoutError(f"The attempt took longer than its timeout of {timeout_ms:g} ms.")
        self._failed(index, worker.started_us, error, worker)
        worker.scope.cancel()

    def _time_out_execution(self) -> None:
        limit_ms = (self._deadline_us - self._started_us) / 1000
        raised = FatalNodeError(
            f"The execution took longer than its limit of {limit_ms:g} ms.",
            code="execution.timeout",
            remedy="Raise settings.max_execution_time_ms, or split the workflow.",
        )
        self._machine.fail(error_object(raised, node_id=None, path=TOP, attempt=0))
        self._recorder.why_cancelled = "the execution took too long"
        self._stop_workers(None)

    # --- starting again -----------------------------------------------------------------------------

    def _after_restart(self) -> None:
        """Bring a machine that was folded from a log to where attempts can start."""
        machine = self._machine
        if machine.has_unfinished:
            for index in machine.nodes_with(RUNNING):
                self._recorder.interrupted(index)
            for index, due_us in machine.until_us.items():
                self._sleep_until(due_us, index)
        if machine.skips:
            self._recorder.skips()

    def _may_restart(self) -> bool:
        """Whether the workflow's own policy answers the failure that stopped it."""
        policy = self._plan.workflow.settings.on_error
        error = self._machine.error
        return (
            isinstance(policy, RetryWorkflow)
            and self._machine.stopped == "failed"
            and error is not None
            and bool(error["retryable"])
            and self._run_attempt < policy.max_attempts
        )

    async def _restart(self) -> None:
        machine = self._machine
        self._recorder.end_the_rest()
        self._delays.clear()
        delay_ms = DEFAULT_RETRY_POLICY.delay_after(self._run_attempt, self._jitter())
        self._run_attempt += 1
        retry_at_us = self._recorder.restarting(self._run_attempt, delay_ms)
        self._suspended.clear()
        with anyio.CancelScope() as self._nap:
            await self._clock.sleep_until(retry_at_us)
        self._nap = None
        if machine.skips and machine.stopped is None:
            self._recorder.skips()

    # --- the end ------------------------------------------------------------------------------------

    def _break_down(self, error: Exception) -> ExecutionResult:
        """A fault of the engine itself: the execution fails and says so."""
        made = error_object(error, node_id=None, path=TOP, attempt=0)
        if not isinstance(error, InternalError):
            made["message"] = f"The engine failed: {type(error).__name__}: {error}"
            made["code"], made["remedy"] = InternalError.default_code, InternalError.default_remedy
        self._recorder.why_cancelled = "the engine failed"
        self._recorder.end_the_rest()
        return self._complete(made)

    def _complete(self, broken: ErrorObject | None = None) -> ExecutionResult:
        machine, log = self._machine, self._log
        status: FinalStatus = "failed" if broken is not None else machine.stopped or "succeeded"
        outputs: Value = None
        error = broken or machine.error
        if status == "succeeded":
            try:
                outputs = workflow_outputs(machine, self._run, self._run_attempt)
            except NodeError as raised:
                status = "failed"
                error = error_object(raised, node_id=None, path=TOP, attempt=0)
        ends = Ends.of(machine)
        shown = {**error, "completed": list(ends.completed)} if error is not None and status == "failed" else None
        now_us = self._now()
        duration_ms = (now_us - self._started_us) / 1000
        log.append(WorkflowCompleted(log.seq + 1, now_us, status, outputs, shown, duration_ms))
        log.flush()
        self.result = ExecutionResult(
            execution_id=log.execution_id,
            workflow_id=self._plan.workflow.id,
            status=status,
            outputs=outputs,
            node_outputs=ends.node_outputs,
            completed_nodes=ends.completed,
            skipped_nodes=ends.skipped,
            failed_nodes=ends.failed,
            total_nodes=len(self._plan.nodes),
            error=shown,
            started_at=timestamp_text(self._started_us),
            duration_ms=duration_ms,
        )
        self.ended.ring()
        return self.result


async def _on_thread(handler: Handler, ctx: Context) -> Any:
    return await anyio.to_thread.run_sync(handler.call, ctx, abandon_on_cancel=True)


def _is_retried(raised: BaseException, policy: RetryPolicy, failures: int) -> bool:
    if failures >= policy.max_attempts or not is_retryable(raised):
        return False
    return policy.retry_on_timeout or not isinstance(raised, AttemptTimeoutError)
