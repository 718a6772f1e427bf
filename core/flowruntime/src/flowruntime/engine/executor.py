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

import asyncio
import heapq
from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
from flowcore.contracts import Clock
from flowcore.errors import FatalNodeError, InternalError, NodeError
from flowcore.events import (
    TOP,
    ErrorObject,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    Path,
    WorkflowCompleted,
    timestamp_text,
)
from flowcore.executions import ExecutionResult, FinalStatus
from flowcore.values import Value

from flowruntime.authoring import Context, Handler
from flowruntime.bus import Bell
from flowruntime.engine.attempt import (
    ExecutionRun,
    Instances,
    SecretTexts,
    check_outputs,
    error_object,
    is_retryable,
)
from flowruntime.engine.inputs import complete_inputs, referenced_nodes
from flowruntime.engine.machine import COMPLETED, FAILED, RETRYING, RUNNING, SKIPPED, Machine
from flowruntime.plan.model import PlannedNode

__all__ = ["Executor"]

_INLINE_NODES: Final = 64
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
        self._workers: set[anyio.CancelScope] = set()
        self._spare_scheduled = False
        self._inline_nodes = 0
        self._why_cancelled = "the execution was cancelled"
        #: (time in microseconds, node) of nodes in backoff, the earliest first.
        self._delays: list[tuple[int, int]] = []
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
            async with anyio.create_task_group() as self._tasks:
                await self._work()
        except BaseException as error:
            self._machine.cancel()
            if isinstance(error, Exception):
                return self._break_down(error)
            self._end_the_rest()
            self._complete()
            raise
        if not self._machine.finished:
            return self._break_down(InternalError("The engine came to rest with nodes left to run."))
        self._end_the_rest()
        return self._complete()

    def cancel(self) -> None:
        """Start nothing more and cancel what runs. Ends soon after, with status `cancelled`."""
        self._machine.cancel()
        self._stop_workers(None)

    # --- workers ------------------------------------------------------------------------------------

    async def _work(self) -> None:
        machine = self._machine
        with anyio.CancelScope() as scope:
            self._workers.add(scope)
            try:
                while (node := machine.take()) is not None:
                    if not self._spare_scheduled and machine.has_ready():
                        self._schedule_spare()
                    self._inline_nodes += 1
                    if self._inline_nodes >= _INLINE_NODES:
                        self._inline_nodes = 0
                        await anyio.lowlevel.cancel_shielded_checkpoint()
                    await self._attempt(node, scope)
            finally:
                self._workers.discard(scope)

    async def _spare(self) -> None:
        self._spare_scheduled = False
        self._inline_nodes = 0
        await self._work()

    def _schedule_spare(self) -> None:
        self._spare_scheduled = True
        self._tasks.start_soon(self._spare)

    def _stop_workers(self, current: anyio.CancelScope | None) -> None:
        for scope in list(self._workers):
            if scope is not current:
                scope.cancel()
        if self._nap is not None:
            self._nap.cancel()

    # --- one attempt --------------------------------------------------------------------------------

    async def _attempt(self, index: int, scope: anyio.CancelScope) -> None:
        machine, log, now = self._machine, self._log, self._now
        node = self._plan.nodes[index]
        attempt = machine.attempts[index]
        started_us = now()
        log.append(_new(NodeStarted, (log.seq + 1, started_us, self._path, node.id, attempt, node.type_id)))
        if index in machine.contested:
            self._warn_of_contest(node, attempt)
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
            elif handler.mode == "inline":
                outputs = handler.call(ctx)
            else:
                outputs = await anyio.to_thread.run_sync(handler.call, ctx, abandon_on_cancel=True)
            outputs = check_outputs(node, outputs, inputs)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border to the nodes' code
            self._failed(index, attempt, started_us, error, scope)
        except anyio.get_cancelled_exc_class() as error:
            if not _is_cancelled(scope):
                self._failed(index, attempt, started_us, _self_cancelled(error), scope)
            else:
                machine.cancel()
                self._record_cancelled(index)
                raise
        else:
            ended_us = now()
            duration_ms = (ended_us - started_us) / 1000
            fields = (log.seq + 1, ended_us, self._path, node.id, attempt, outputs, duration_ms, None, None)
            log.append(_new(NodeCompleted, fields))
            machine.completed(index, outputs)
        if machine.skips:
            self._record_skips()

    def _resolve(
        self, node: PlannedNode, attempt: int, handler: Handler, wired: dict[str, Value], config: Any
    ) -> tuple[dict[str, Value], Any]:
        """Inputs and config of an attempt whose node has more than wires and a constant config."""
        run = self._run
        roots: dict[str, Any] = {
            "input": run.inputs,
            "vars": run.workflow.vars,
            "run": {**run.info, "attempt": attempt},
            "secrets": self._secrets,
        }
        if node.referenced:
            roots["nodes"] = referenced_nodes(node.referenced, self._machine.outputs, self._machine.completed_flags)
        inputs = complete_inputs(node, wired, run.inputs, roots)
        if node.static_config is None:
            roots["inputs"] = inputs
            resolved = node.config.resolve(roots)
            if node.check_config is not None:
                node.check_config(resolved)
            config = resolved if handler.read_config is None else handler.read_config(resolved)
        return inputs, config

    def _failed(
        self, index: int, attempt: int, started_us: int, raised: BaseException, scope: anyio.CancelScope
    ) -> None:
        machine, log, node = self._machine, self._log, self._plan.nodes[index]
        now_us = self._now()
        error = error_object(raised, node_id=node.id, path=self._path, attempt=attempt)
        failures = machine.failures.get(index, 0) + 1
        if machine.stopped is None and is_retryable(raised) and failures < node.retry_policy.max_attempts:
            wish_ms = raised.retry_after_seconds if isinstance(raised, NodeError) else None
            delay_ms = node.retry_policy.delay_after(
                failures, self._jitter(), None if wish_ms is None else wish_ms * 1000
            )
            retry_at_us = now_us + round(delay_ms * 1000)
            log.append(
                NodeRetrying(log.seq + 1, now_us, self._path, node.id, attempt, error, delay_ms, retry_at_us, None)
            )
            machine.retrying(index)
            self._delay(index, retry_at_us)
            return
        duration_ms = (now_us - started_us) / 1000
        log.append(NodeFailed(log.seq + 1, now_us, self._path, node.id, attempt, error, node.then, duration_ms, None))
        machine.failed(index, error, node.then)
        if node.then == "stop":
            self._why_cancelled = f"the workflow failed at node {node.id!r}"
            self._stop_workers(scope)

    # --- backoff ------------------------------------------------------------------------------------

    def _delay(self, index: int, due_us: int) -> None:
        heapq.heappush(self._delays, (due_us, index))
        if len(self._delays) == 1:
            self._tasks.start_soon(self._keep_time)
        elif self._delays[0][1] == index and self._nap is not None:
            self._nap.cancel()  # sleep for the new, earlier one instead

    async def _keep_time(self) -> None:
        """One task for all backoffs of the execution; lives while there are any."""
        machine = self._machine
        while self._delays and machine.stopped is None:
            with anyio.CancelScope() as self._nap:
                await self._clock.sleep_until(self._delays[0][0])
            now_us = self._now()
            while self._delays and self._delays[0][0] <= now_us:
                machine.due(heapq.heappop(self._delays)[1])
            if not self._spare_scheduled and machine.has_ready():
                self._schedule_spare()
        self._nap = None

    # --- events that are not an attempt's own -------------------------------------------------------

    def _after_restart(self) -> None:
        """Bring a machine that was folded from a log to where attempts can start."""
        machine, log = self._machine, self._log
        for index in machine.nodes_with(RUNNING):
            node = self._plan.nodes[index]
            log.append(NodeInterrupted(log.seq + 1, self._now(), self._path, node.id, machine.attempts[index]))
            machine.interrupted(index)
        for index in machine.nodes_with(RETRYING):
            machine.due(index)
        if machine.skips:
            self._record_skips()

    def _record_skips(self) -> None:
        machine, log = self._machine, self._log
        while machine.skips:
            index, why = machine.skips[0]
            node = self._plan.nodes[index]
            log.append(NodeSkipped(log.seq + 1, self._now(), self._path, node.id, 0, why))
            machine.skipped(index)

    def _record_cancelled(self, index: int) -> None:
        machine, log, node = self._machine, self._log, self._plan.nodes[index]
        log.append(
            NodeCancelled(
                log.seq + 1,
                self._now(),
                self._path,
                node.id,
                machine.attempts[index],
                self._why_cancelled,
                None,
            )
        )
        machine.cancelled(index)

    def _warn_of_contest(self, node: PlannedNode, attempt: int) -> None:
        log = self._log
        for port in self._machine.contested[node.index]:
            message = f"Several values reached port {port!r}; the last connection in the document counts."
            log.append(
                NodeEvent(log.seq + 1, self._now(), self._path, node.id, attempt, "Warning", {"message": message})
            )

    # --- the end ------------------------------------------------------------------------------------

    def _end_the_rest(self) -> None:
        """What still runs or waits when the run was stopped gets its event."""
        for index in self._machine.nodes_with(RUNNING, RETRYING):
            self._record_cancelled(index)

    def _break_down(self, error: Exception) -> ExecutionResult:
        """A fault of the engine itself: the execution fails and says so."""
        made = error_object(error, node_id=None, path=TOP, attempt=0)
        if not isinstance(error, InternalError):
            made["message"] = f"The engine failed: {type(error).__name__}: {error}"
            made["code"], made["remedy"] = InternalError.default_code, InternalError.default_remedy
        self._why_cancelled = "the engine failed"
        self._end_the_rest()
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
        if error is not None and status == "failed":
            error = {**error, "completed": self._ids(COMPLETED)}
        now_us = self._now()
        duration_ms = (now_us - self._started_us) / 1000
        shown = error if status == "failed" else None
        log.append(WorkflowCompleted(log.seq + 1, now_us, status, outputs, shown, duration_ms))
        log.flush()
        self.result = ExecutionResult(
            execution_id=log.execution_id,
            workflow_id=self._plan.workflow.id,
            status=status,
            outputs=outputs,
            node_outputs=self._node_outputs(),
            completed_nodes=tuple(self._ids(COMPLETED)),
            skipped_nodes=tuple(self._ids(SKIPPED)),
            failed_nodes=tuple(self._ids(FAILED)),
            total_nodes=len(self._plan.nodes),
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
            "run": {**self._run.info, "attempt": 1},
            "nodes": referenced_nodes(plan.output_references, machine.outputs, machine.completed_flags),
        }
        return plan.outputs.resolve(roots)

    def _ids(self, status: int) -> list[str]:
        machine, nodes = self._machine, self._plan.nodes
        return [nodes[index].id for index in machine.ended if machine.status[index] == status]

    def _node_outputs(self) -> dict[str, dict[str, Value]]:
        machine, nodes = self._machine, self._plan.nodes
        return {
            nodes[index].id: given
            for index in machine.ended
            if machine.status[index] == COMPLETED and (given := machine.outputs[index]) is not None
        }


def _self_cancelled(error: BaseException) -> BaseException:
    made = FatalNodeError(
        "The node cancelled itself: a cancellation came out of it that nobody had asked for.",
        code="node.cancelled_itself",
        remedy="Do not let the cancellation of an inner task escape from the node.",
    )
    return made.with_traceback(error.__traceback__)


def _is_cancelled(scope: anyio.CancelScope) -> bool:
    """Whether a cancellation reaches this worker from outside: from the executor, or from the host's own task."""
    if scope.cancel_called or anyio.current_effective_deadline() == float("-inf"):
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # another event loop than asyncio's: the scopes say all
        return False
    return task is not None and task.cancelling() > 0
