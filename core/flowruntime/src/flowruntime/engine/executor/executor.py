"""Runs one execution: worker tasks that make attempts, and the little around them that the machine must not know.

**Lazy spare worker.** A worker takes ready nodes and awaits them directly. While more are ready, exactly one spare
worker is scheduled; it only gets to run when the current node really suspends, takes the next node and schedules the
next spare. Nodes that finish without suspending never cost a task, nodes that suspend cost one, and every attempt runs
wholly inside one task, so an author's cancel scopes and timeouts hold. After `INLINE_NODES` attempts the loop gets its
turn.

**No task at rest.** Workers leave when there is nothing to take. An execution in which all waits (for a time, a signal,
a backoff) has no task at all; whatever wakes it brings a spare worker.

**Stopping.** Coroutines are cancelled at once; they and threads have `GRACE_US` to end, and what they give in it
counts. Then the execution ends without them.

Driving coroutines by `send` from the scheduler's own task looks as fast and is wrong: cancel scopes would be left in
another task than they were entered in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from flowcore.contracts import Clock
from flowcore.errors import FatalNodeError, FlowError, InternalError, NodeError
from flowcore.events import TOP, ErrorObject, WorkflowCompleted
from flowcore.executions import ExecutionResult, FinalStatus
from flowcore.policies import DEFAULT_RETRY_POLICY, RetryWorkflow
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.authoring import Woken
from flowruntime.bus import Bell
from flowruntime.engine.attempt import AttemptTimeoutError, Threads, error_object
from flowruntime.engine.executor.ending import Ends, workflow_outputs
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.making import attempt_failed, make_attempts, state_left
from flowruntime.engine.executor.timetable import Timetable
from flowruntime.engine.executor.worker import Worker
from flowruntime.engine.machine import RETRYING, RUNNING, WAITING
from flowruntime.engine.watchdog import NEVER_US, Watchdog

__all__ = ["DEFAULT_EXECUTION_TIME_MS", "GRACE_US", "Executor"]

#: What running attempts get when the execution is stopped: ten seconds.
GRACE_US: Final = 10_000_000
#: The limit for an execution's active time where the workflow says none: one hour.
DEFAULT_EXECUTION_TIME_MS: Final = 3_600_000
_MAX_EVENTS: Final = 1_000_000


class Executor:
    """One execution from where its machine stands to its end. `on_end` is called once, when `result` is there."""

    __slots__ = (
        "_clock",
        "_grace_until_us",
        "_leftovers",
        "_limit_ms",
        "_on_end",
        "_started_us",
        "_workers",
        "ended",
        "jitter",
        "log",
        "now",
        "result",
        "runnable",
        "spare",
        "threads",
        "times",
        "top",
        "why_stopped",
    )

    def __init__(
        self,
        *,
        top: Frame,
        clock: Clock,
        watchdog: Watchdog,
        threads: Threads,
        leftovers: set[asyncio.Task[None]],
        started_us: int,
        jitter: Callable[[], float],
        on_end: Callable[[Executor], None],
    ) -> None:
        self.top = top
        self.log = top.run.log
        self._clock = clock
        self.now = clock.now_us
        self.threads = threads
        #: Tasks of attempts that the runtime no longer waits for.
        self._leftovers = leftovers
        self._started_us = started_us
        self.jitter = jitter
        self._on_end = on_end
        #: Frames in which nodes may be ready; the first one is worked on.
        self.runnable: list[Frame] = []
        self._workers: set[Worker] = set()
        #: The worker that is scheduled and has not run yet.
        self.spare: Worker | None = None
        self._limit_ms = top.machine.plan.workflow.settings.max_execution_time_ms or DEFAULT_EXECUTION_TIME_MS
        self.times = Timetable(self._on_time, watchdog, started_us + round(self._limit_ms * 1000))
        #: When attempts that do not end after a stop are given up.
        self._grace_until_us = NEVER_US
        #: What the events of cancelled nodes say.
        self.why_stopped = "the execution was cancelled"
        #: What the execution came to, once it has ended; `ended` rings then.
        self.result: ExecutionResult | None = None
        self.ended = Bell()
        top.run.on_held(self._held)

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return self.log.execution_id

    @property
    def workflow(self) -> Workflow:
        """The document that is run."""
        return self.top.run.workflow

    # --- from outside -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Bring the machine, which may be folded from a log, to where attempts can start. Called once, before work."""
        frame = self.top
        machine = frame.machine
        if machine.has_unfinished:
            for index in machine.nodes_with(RUNNING):
                frame.recorder.interrupted(index)
            for index, due_us in machine.until_us.items():
                self.times.add(due_us, frame, index)
        if machine.skips:
            frame.recorder.skips()
        self.enqueue(frame)

    def start(self) -> None:
        """Have a task of its own work on the execution."""
        if self.spare is None and self.result is None:
            self.schedule_spare()

    async def work(self) -> None:
        """Work in the calling task until nothing is left to take; others may still run then, or all may wait."""
        await self._work(Worker(self.top))

    def cancel(self, why: str = "the execution was cancelled") -> None:
        """Start nothing more and cancel what runs. Ends soon after, with status `cancelled`."""
        if self.result is None and self.top.machine.stopped is None:
            self.top.machine.cancel()
            self.stop(why, None)
            self._leave_if_at_rest()

    def signal(self, name: str, value: Value) -> int:
        """Wake all nodes that wait for this signal; how many there were."""
        frame = self.top
        waiting = [index for index, signal in frame.machine.signals.items() if signal == name]
        for index in waiting:
            frame.recorder.woken(index, Woken(reason="signal", value=value))
        self._go_on()
        return len(waiting)

    # --- workers ------------------------------------------------------------------------------------

    async def _work(self, worker: Worker) -> None:
        worker.enter(asyncio.current_task())
        self._workers.add(worker)
        if self.times.idle_since_us is not None:
            self.times.busy(self.now())
        try:
            await make_attempts(self, worker)
        except Exception as error:  # noqa: BLE001 - a fault of the engine ends this execution and no other
            self._break_down(error)
        except asyncio.CancelledError:
            if worker.is_cancelled_by_others():
                self._abort(worker)
                raise
        except BaseException:
            self._abort(worker)
            raise
        finally:
            worker.leave()
            self._workers.discard(worker)
            self._leave_if_at_rest()

    async def _work_as_spare(self, worker: Worker) -> None:
        self.spare = None
        try:
            await self._work(worker)
        except asyncio.CancelledError:
            pass  # the loop is going down; the execution has been ended by `_work`
        finally:
            worker.task = None

    def _abort(self, worker: Worker) -> None:
        """The task that works was ended by something that is not the execution's."""
        if self.result is None:
            self.top.machine.cancel()
            self.stop("the execution was cancelled", worker)

    def schedule_spare(self) -> None:
        worker = self.spare = Worker(self.top)
        worker.task = asyncio.get_running_loop().create_task(self._work_as_spare(worker))

    def enqueue(self, frame: Frame) -> None:
        if not frame.queued:
            frame.queued = True
            self.runnable.append(frame)

    def _go_on(self) -> None:
        """Let a spare worker take what is ready now."""
        frame = self.top
        if frame.restart_at_us is None and frame.machine.has_ready():
            self.enqueue(frame)
            if self.spare is None:
                self.schedule_spare()

    def before_pause(self) -> None:
        """Look at what need not be looked at for every node; the loop gets its turn next."""
        if len(self.runnable) > 1:
            self.runnable.append(self.runnable.pop(0))
        if self.log.seq > _MAX_EVENTS and self.top.machine.stopped is None:
            self._fail(
                FatalNodeError(
                    f"The execution has more than {_MAX_EVENTS:,} events.",
                    code="execution.too_many_events",
                    remedy="Split the workflow, or let its nodes say less.",
                ),
                "the execution has too many events",
            )

    def _leave_if_at_rest(self) -> None:
        """Called when a worker has left: the last one finds out what the rest means."""
        if self._workers or self.spare is not None or self.result is not None:
            return
        frame = self.top
        machine = frame.machine
        if machine.stopped is not None or machine.finished:
            if self._may_restart(frame):
                self._restart(frame)
            else:
                self._complete()
        elif frame.restart_at_us is None and not machine.until_us and not machine.signals:
            self._break_down(InternalError("The engine came to rest with nodes left to run."))
        else:
            self.times.idle(self.now())
            self._rearm()

    # --- time ---------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the execution has ended."""
        return self.result is not None

    def _on_time(self, now_us: int) -> int:
        """End attempts that took too long, start nodes whose delay is over; when something is due next."""
        stopped = self.top.machine.stopped is not None
        for worker in list(self._workers):
            if worker.index >= 0 and (self._grace_until_us if stopped else _deadline_us(worker)) <= now_us:
                if stopped:
                    self._give_up(worker)
                else:
                    self._time_out(worker)
        for due_us, frame, index in self.times.take_due(now_us):
            self._due(due_us, frame, index)
        if self.top.restart_at_us is not None and self.top.restart_at_us <= now_us:
            self.top.restart_at_us = None
            self.top.recorder.skips()
        if not stopped and self.times.is_exceeded(now_us):
            self._time_out_execution()
        self.top.recorder.skips()
        self._go_on()
        self._leave_if_at_rest()
        return self._next_us()

    def _due(self, due_us: int, frame: Frame, index: int) -> None:
        machine = frame.machine
        if frame.run.sayings:
            frame.run.flush(index)
        if machine.stopped is None and machine.until_us.get(index) == due_us:
            if machine.status[index] == RETRYING:
                machine.due(index)
            elif machine.status[index] == WAITING:
                frame.recorder.woken(index, Woken(reason="due"))

    def _next_us(self) -> int:
        if self.top.machine.stopped is not None:
            return self._grace_until_us
        next_us = self.times.next_us()
        if self.top.restart_at_us is not None:
            next_us = min(next_us, self.top.restart_at_us)
        return min((next_us, *(_deadline_us(worker) for worker in self._workers if worker.index >= 0)))

    def _rearm(self) -> None:
        next_us = self._next_us()
        if next_us < self.times.armed_us:
            self.times.arm(next_us)

    def _held(self, due_us: int, index: int) -> None:
        self.times.add(due_us, self.top, index)

    def _time_out(self, worker: Worker) -> None:
        timeout_ms = worker.frame.machine.plan.nodes[worker.index].timeout_us / 1000
        attempt_failed(
            self, worker, AttemptTimeoutError(f"The attempt took longer than its timeout of {timeout_ms:g} ms.")
        )
        self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        """Go on without a worker: whatever its attempt gives from now on is dropped."""
        worker.index = -1
        worker.cancel()
        self._workers.discard(worker)
        if worker.task is not None:
            self._leftovers.add(worker.task)
            worker.task.add_done_callback(self._leftovers.discard)

    def _time_out_execution(self) -> None:
        self._fail(
            FatalNodeError(
                f"The execution took longer than its limit of {self._limit_ms:g} ms.",
                code="execution.timeout",
                remedy="Raise settings.max_execution_time_ms, or split the workflow.",
            ),
            "the execution took too long",
        )

    # --- stopping and starting again ----------------------------------------------------------------

    def _fail(self, raised: NodeError, why: str) -> None:
        self.top.machine.fail(error_object(raised, node_id=None, path=TOP, attempt=0))
        self.stop(why, None)

    def stop(self, why: str, current: Worker | None) -> None:
        """The machine was stopped: end what waits, cancel what runs, and give it some time."""
        self.why_stopped = why
        self.top.restart_at_us = None
        self.top.recorder.end_waiting(why)
        for worker in self._workers:
            if worker is not current and not worker.on_thread:
                worker.cancel()
        if self._workers:
            self._grace_until_us = self.now() + GRACE_US
            self.times.armed_us = NEVER_US
            self._rearm()

    def _give_up(self, worker: Worker) -> None:
        why = f"{self.why_stopped}, and the attempt did not end"
        worker.frame.recorder.cancelled(worker.index, why, state_left(worker))
        self._dismiss(worker)

    def _may_restart(self, frame: Frame) -> bool:
        """Whether the workflow's own policy answers the failure that stopped it."""
        policy = frame.machine.plan.workflow.settings.on_error
        error = frame.machine.error
        return (
            isinstance(policy, RetryWorkflow)
            and frame.machine.stopped == "failed"
            and error is not None
            and bool(error["retryable"])
            and frame.run_attempt < policy.max_attempts
        )

    def _restart(self, frame: Frame) -> None:
        self.times.clear()
        self._grace_until_us = NEVER_US
        frame.suspended.clear()
        delay_ms = DEFAULT_RETRY_POLICY.delay_after(frame.run_attempt, self.jitter())
        frame.run_attempt += 1
        frame.restart_at_us = frame.recorder.restarting(frame.run_attempt, delay_ms)
        self.times.idle(self.now())
        self._rearm()

    # --- the end ------------------------------------------------------------------------------------

    def _break_down(self, error: Exception) -> None:
        """A fault of the engine itself: the execution fails and says so."""
        if self.result is not None:
            return
        made = error_object(error, node_id=None, path=TOP, attempt=0)
        if not isinstance(error, FlowError):
            made["message"] = f"The engine failed: {type(error).__name__}: {error}"
            made["code"], made["remedy"] = InternalError.default_code, InternalError.default_remedy
        self.top.machine.fail(made)
        self.stop("the engine failed", None)
        for worker in self._workers:
            worker.index = -1
        self._workers.clear()
        self._complete(made)

    def _complete(self, broken: ErrorObject | None = None) -> None:
        frame, log = self.top, self.log
        machine = frame.machine
        frame.recorder.end_waiting(self.why_stopped)
        frame.recorder.end_running(self.why_stopped)
        status: FinalStatus = "failed" if broken is not None else machine.stopped or "succeeded"
        outputs: Value = None
        error = broken or machine.error
        if status == "succeeded":
            try:
                outputs = workflow_outputs(machine, frame.run, frame.run_attempt)
            except NodeError as raised:
                status = "failed"
                error = error_object(raised, node_id=None, path=TOP, attempt=0)
        ends = Ends.of(machine)
        shown = {**error, "completed": list(ends.completed)} if error is not None and status == "failed" else None
        now_us = self.now()
        duration_ms = (now_us - self._started_us) / 1000
        log.append(WorkflowCompleted(log.seq + 1, now_us, status, outputs, shown, duration_ms))
        log.flush()
        self.result = ends.result(
            machine,
            log.execution_id,
            status=status,
            outputs=outputs,
            error=shown,
            started_us=self._started_us,
            duration_ms=duration_ms,
        )
        self.times.close()
        frame.run.on_held(None)
        self.ended.ring()
        self._on_end(self)


def _deadline_us(worker: Worker) -> int:
    return worker.begun_us + worker.frame.machine.plan.nodes[worker.index].timeout_us
