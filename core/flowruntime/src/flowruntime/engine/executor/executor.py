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

from flowruntime.authoring import Context, Handler
from flowruntime.bus import Bell
from flowruntime.engine.attempt import (
    AttemptTimeoutError,
    ExecutionRun,
    Instances,
    SecretTexts,
    check_outputs,
    error_object,
    is_retryable,
)
from flowruntime.engine.executor.recording import Recorder
from flowruntime.engine.executor.worker import Worker, self_cancelled
from flowruntime.engine.inputs import complete_inputs, referenced_nodes
from flowruntime.engine.machine import CANCELLED, COMPLETED, FAILED, RETRYING, RUNNING, SKIPPED, Machine
from flowruntime.engine.watchdog import NEVER_US, Watchdog
from flowruntime.plan.model import PlannedNode

__all__ = ["Executor"]

_INLINE_NODES: Final = 64
#: The limit for an execution's active time where the workflow says none: one hour.
DEFAULT_EXECUTION_TIME_MS: Final = 3_600_000
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
        #: (time in microseconds, node) of nodes in backoff, the earliest first.
        self._delays: list[tuple[int, int]] = []
        limit_ms = self._plan.workflow.settings.max_execution_time_ms or DEFAULT_EXECUTION_TIME_MS
        self._deadline_us = started_us + round(limit_ms * 1000)
        #: Rings for the first worker, which stays when all others have gone and only backoffs are left.
        self._delay_over = Bell()
        self._run_attempt = 1
        self._nap: anyio.CancelScope | None = None
        self._secrets = SecretTexts(run.secrets)
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
                    while self._delays and self._machine.stopped is None:
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

    async def _attempt(self, index: int, worker: Worker) -> None:
        machine, log, now = self._machine, self._log, self._now
        node = self._plan.nodes[index]
        attempt = machine.attempts[index]
        started_us = now()
        log.append(_new(NodeStarted, (log.seq + 1, started_us, self._path, node.id, attempt, node.type_id)))
        worker.index, worker.started_us = index, started_us
        worker.deadline_us = deadline_us = started_us + node.timeout_us
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
                inputs, config = self._resolve(node, attempt, handler, inputs, config)
            ctx = Context(self._run, self._path, node.id, attempt, inputs, config)
            if handler.mode == "async":
                outputs = await handler.call(ctx)
            else:
                outputs = handler.call(ctx) if handler.mode == "inline" else await _on_thread(handler, ctx)
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
            if worker.index == index:  # else its timeout was recorded, and the first outcome stands
                ended_us = now()
                duration_ms = (ended_us - started_us) / 1000
                fields = (log.seq + 1, ended_us, self._path, node.id, attempt, outputs, duration_ms, None, None)
                log.append(_new(NodeCompleted, fields))
                machine.completed(index, outputs)
        worker.index = -1
        if machine.skips:
            self._recorder.skips()

    def _resolve(
        self, node: PlannedNode, attempt: int, handler: Handler, wired: dict[str, Value], config: Any
    ) -> tuple[dict[str, Value], Any]:
        """Inputs and config of an attempt whose node has more than wires and a constant config."""
        run = self._run
        roots: dict[str, Any] = {}
        if node.fixed is not None or node.static_config is None:
            roots = {
                "input": run.inputs,
                "vars": run.workflow.vars,
                "run": {**run.info, "attempt": attempt},
                "secrets": self._secrets,
            }
            if node.referenced:
                machine = self._machine
                roots["nodes"] = referenced_nodes(node.referenced, machine.outputs, machine.completed_flags)
        inputs = complete_inputs(node, wired, run.inputs, roots)
        if node.static_config is None:
            roots["inputs"] = inputs
            resolved = node.config.resolve(roots)
            if node.check_config is not None:
                node.check_config(resolved)
            config = resolved if handler.read_config is None else handler.read_config(resolved)
        return inputs, config

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
            heapq.heappush(self._delays, (retry_at_us, index))
            if retry_at_us < self._armed_us:
                self._arm(retry_at_us)
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
        while self._delays and self._delays[0][0] <= now_us:
            machine.due(heapq.heappop(self._delays)[1])
        if machine.stopped is None and self._deadline_us <= now_us:
            self._time_out_execution()
        if machine.skips:
            self._recorder.skips()
        if self._delay_over.waited_for:
            self._delay_over.ring()
        elif not self._spare_scheduled and machine.has_ready():
            self._schedule_spare()
        times = [worker.deadline_us for worker in self._workers if worker.index >= 0]
        times.append(self._delays[0][0] if self._delays else NEVER_US)
        self._armed_us = NEVER_US if machine.stopped is not None else min(*times, self._deadline_us)
        return self._armed_us

    def _arm(self, at_us: int) -> None:
        self._armed_us = min(at_us, self._deadline_us)
        self._watchdog.arm(self._armed_us, self)

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
            for index in machine.nodes_with(RETRYING):
                machine.due(index)
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
        with anyio.CancelScope() as self._nap:
            if retry_at_us >= self._deadline_us:
                await self._clock.sleep_until(self._deadline_us)
                self._time_out_execution()
            else:
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
                outputs = self._outputs()
            except NodeError as raised:
                status = "failed"
                error = error_object(raised, node_id=None, path=TOP, attempt=0)
        nodes, by_status = self._plan.nodes, machine.status
        ended: dict[int, list[str]] = {COMPLETED: [], SKIPPED: [], FAILED: [], CANCELLED: []}
        node_outputs: dict[str, dict[str, Value]] = {}
        for index in machine.ended:
            node_id = nodes[index].id
            ended[by_status[index]].append(node_id)
            if by_status[index] == COMPLETED:
                node_outputs[node_id] = machine.outputs[index] or {}
        shown = None
        if error is not None and status == "failed":
            shown = {**error, "completed": ended[COMPLETED]}
        now_us = self._now()
        duration_ms = (now_us - self._started_us) / 1000
        log.append(WorkflowCompleted(log.seq + 1, now_us, status, outputs, shown, duration_ms))
        log.flush()
        self.result = ExecutionResult(
            execution_id=log.execution_id,
            workflow_id=self._plan.workflow.id,
            status=status,
            outputs=outputs,
            node_outputs=node_outputs,
            completed_nodes=tuple(ended[COMPLETED]),
            skipped_nodes=tuple(ended[SKIPPED]),
            failed_nodes=tuple(ended[FAILED]),
            total_nodes=len(nodes),
            error=shown,
            started_at=timestamp_text(self._started_us),
            duration_ms=duration_ms,
        )
        self.ended.ring()
        return self.result

    def _outputs(self) -> Value:
        plan, machine = self._plan, self._machine
        if plan.outputs is None:
            return {
                plan.nodes[index].id: machine.outputs[index] for index in plan.ends if machine.completed_flags[index]
            }
        roots: dict[str, Any] = {
            "input": self._run.inputs,
            "vars": self._run.workflow.vars,
            "run": {**self._run.info, "attempt": self._run_attempt},
            "nodes": referenced_nodes(plan.output_references, machine.outputs, machine.completed_flags),
        }
        return plan.outputs.resolve(roots)


async def _on_thread(handler: Handler, ctx: Context) -> Any:
    return await anyio.to_thread.run_sync(handler.call, ctx, abandon_on_cancel=True)


def _is_retried(raised: BaseException, policy: RetryPolicy, failures: int) -> bool:
    if failures >= policy.max_attempts or not is_retryable(raised):
        return False
    return policy.retry_on_timeout or not isinstance(raised, AttemptTimeoutError)
