"""Runs one execution: worker tasks that make attempts, and the little around them that the machine must not know.

**Lazy spare worker.** A worker takes ready nodes and awaits them directly. While more are ready, exactly one spare
worker is scheduled; it only gets to run when the current node really suspends, takes the next node and schedules the
next spare. Nodes that finish without suspending never cost a task, nodes that suspend cost one, and every attempt runs
wholly inside one task, so an author's cancel scopes and timeouts hold. After `INLINE_NODES` attempts the loop gets its
turn.

**No task at rest.** Workers leave when there is nothing to take. An execution in which all waits (for a time, a signal,
a backoff) has no task at all; whatever wakes it brings a spare worker.

**Frames.** `runnable` holds the documents in which something may be to do. A worker that finds nothing to take in one
removes it, and looks whether the document has come to its end (`rest`).

Driving coroutines by `send` from the scheduler's own task looks as fast and is wrong: cancel scopes would be left in
another task than they were entered in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from flowcore.contracts import Clock
from flowcore.errors import FlowError, InternalError, StoreError
from flowcore.events import TOP, ErrorObject, Path, WorkflowCompleted
from flowcore.executions import ExecutionResult, FinalStatus
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.authoring import Woken
from flowruntime.bus import Bell
from flowruntime.engine.attempt import ExecutionRun, Threads, error_object
from flowruntime.engine.executor.answering import answered, same_place
from flowruntime.engine.executor.containing import child_ended
from flowruntime.engine.executor.ending import Ends, outcome
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.limits import MAX_EVENTS, too_many_events
from flowruntime.engine.executor.making import make_attempts
from flowruntime.engine.executor.restarting import begin_again, may_begin_again
from flowruntime.engine.executor.resuming import Resumption, go_on_from
from flowruntime.engine.executor.stopping import ENGINE_FAILED, TOO_MANY_EVENTS, stop
from flowruntime.engine.executor.timetable import Timetable
from flowruntime.engine.executor.timing import next_us, on_time
from flowruntime.engine.executor.worker import Worker
from flowruntime.engine.machine import Answer
from flowruntime.engine.watchdog import Watchdog
from flowruntime.journal import ExecutionLog
from flowruntime.plan import SchemaCache

__all__ = ["DEFAULT_EXECUTION_TIME_MS", "Executor"]

#: The limit for an execution's active time where the workflow says none: one hour.
DEFAULT_EXECUTION_TIME_MS: Final = 3_600_000


class Executor:
    """One execution from where its machine stands to its end. `on_end` is called once, when `result` is there.

    `on_failing` is called before that with the result of one that fails, when its end is not in the log yet.

    What has no underscore is for the other modules of this package.
    """

    __slots__ = (
        "_on_end",
        "_on_failing",
        "_resumed_seq",
        "_started_us",
        "awaits_turn",
        "ended",
        "jitter",
        "leftovers",
        "limit_ms",
        "log",
        "lost",
        "now",
        "over",
        "past",
        "result",
        "runnable",
        "schemas",
        "spare",
        "threads",
        "times",
        "top",
        "unwanted",
        "workers",
    )

    def __init__(
        self,
        *,
        top: Frame,
        clock: Clock,
        watchdog: Watchdog,
        threads: Threads,
        schemas: SchemaCache,
        leftovers: set[asyncio.Task[None]],
        started_us: int,
        jitter: Callable[[], float],
        on_end: Callable[[Executor], None],
        on_failing: Callable[[ExecutionResult, ExecutionLog], None] | None = None,
    ) -> None:
        self.top = top
        self.log = top.run.shared.log
        self.now = clock.now_us
        self.threads = threads
        self.schemas = schemas
        #: Tasks of attempts that the runtime no longer waits for.
        self.leftovers = leftovers
        self._started_us = started_us
        self.jitter = jitter
        self._on_end = on_end
        self._on_failing = on_failing
        #: Documents in which there may be something to do; the first one is worked on.
        self.runnable: deque[Frame] = deque()
        #: In the order in which they began, which is a set's only by chance: the same seed gives the same log.
        self.workers: dict[Worker, None] = {}
        #: The worker that is scheduled and has not run yet.
        self.spare: Worker | None = None
        self.limit_ms = top.machine.plan.workflow.settings.max_execution_time_ms or DEFAULT_EXECUTION_TIME_MS
        self.times = Timetable(self._on_time, watchdog, started_us + round(self.limit_ms * 1000))
        #: Whether the execution has ended, or does not run here any more; `ended` rings then.
        self.over = False
        #: What it came to, once it has ended.
        self.result: ExecutionResult | None = None
        self.ended = Bell()
        #: Why the execution does not run here any more, though it has not ended.
        self.lost: StoreError | None = None
        #: Whether it began elsewhere and does not go on here yet: it is unfolded, or others come first. Nothing may be
        #: done with it meanwhile, but end it.
        self.awaits_turn = False
        #: Why somebody wants it to end who came before its turn.
        self.unwanted: str | None = None
        #: What the log says of such an execution, once it is unfolded.
        self.past: Resumption | None = None
        #: What must be durable before anything runs here: that it was taken up, lest it ends process after process.
        self._resumed_seq = 0
        top.run.shared.later = self._held

    @property
    def workflow(self) -> Workflow:
        """The document that is run."""
        return self.top.run.workflow

    @property
    def awaits_answer(self) -> bool:
        """Whether nothing runs, and nothing will unless somebody answers."""
        if self.over or self.workers or self.spare is not None:
            return False
        frames = list(self.top.walk())
        is_timed = any(frame.machine.until_us or frame.restart_at_us is not None for frame in frames)
        return not is_timed and any(frame.machine.parked for frame in frames)

    # --- from outside -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Bring the machine to where attempts can start. Called once, before work."""
        past, self.past = self.past, None
        self.awaits_turn = False
        if past is not None:
            go_on_from(self, past)
            self._resumed_seq = self.log.seq
            return
        self.times.limit_us += self.now() - self._started_us  # it may have been pending for long
        if self.top.machine.skips:
            self.top.recorder.skips()
        self.enqueue(self.top)

    def start(self) -> None:
        """Have a task of its own work on the execution."""
        if self.spare is None and not self.over:
            self.schedule_spare()

    def cancel(self, why: str = "the execution was cancelled") -> None:
        """Start nothing more and cancel what runs. Ends soon after, with status `cancelled`."""
        if self.awaits_turn:
            self.log.cancel()
            self.unwanted = why
            if self.past is not None:
                self.begin()
                self.go_on()
            return
        self.top.is_final = True
        if not self.over and (self.top.machine.stopped is None or self.top.restart_at_us is not None):
            self.log.cancel()
            self.top.machine.cancel()
            stop(self, self.top, why, None)
            self.go_on()

    def abandon(self, lost: StoreError) -> None:
        """Somebody else runs the execution by now, or nobody can: cancel what runs, and write nothing any more."""
        if self.over:
            return
        self.lost = lost
        for frame in self.top.walk():
            frame.machine.cancel()
        for worker in list(self.workers):
            if worker.index >= 0:
                worker.index = -1
                worker.cancel()
                if worker.task is not None and not worker.is_guest:
                    self.leftovers.add(worker.task)
                    worker.task.add_done_callback(self.leftovers.discard)
        self._leave()

    def answer(self, node_id: str, path: Path, answer: Answer, value: Value) -> bool:
        """Say what becomes of a node that must not be repeated; False when none at that path waits for an answer."""
        for frame in self.top.walk():
            index = frame.machine.plan.index.get(node_id)
            if index is not None and index in frame.machine.parked and same_place(frame.path, path):
                answered(self, frame, index, answer, value)
                self.go_on()
                return True
        return False

    def signal(self, name: str, value: Value) -> int:
        """Wake all nodes that wait for this signal; how many there were."""
        count = 0
        for frame in list(self.top.walk()):
            for index in [index for index, signal in frame.machine.signals.items() if signal == name]:
                frame.recorder.woken(index, Woken(reason="signal", value=value))
                self.enqueue(frame)
                count += 1
        self.go_on()
        return count

    # --- workers ------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Work in the calling task until nothing is left to take; others may still run then, or all may wait."""
        await self._work(Worker(self.top), is_guest=True)

    async def _work(self, worker: Worker, *, is_guest: bool) -> None:
        worker.enter(asyncio.current_task(), is_guest=is_guest)
        if not is_guest:
            self.spare = None
        self.workers[worker] = None
        if self.times.idle_since_us is not None:
            if self.log.is_blocking:
                self.log.wake()
            self.times.busy(self.now())
            self.rearm()  # for the limit, which holds again
        try:
            if self._resumed_seq:
                await self.log.until_durable(self._resumed_seq)
                self._resumed_seq = 0
            await make_attempts(self, worker)
        except Exception as error:  # noqa: BLE001 - a fault of the engine ends this execution and no other
            self.break_down(error)
        except asyncio.CancelledError:
            if worker.is_cancelled_by_others():
                self._abort(worker)
                if is_guest:
                    raise
        except BaseException:
            self._abort(worker)
            raise
        finally:
            self.workers.pop(worker, None)
            worker.leave()
            if worker.cancelled or not self.workers:
                self.go_on()

    def _abort(self, worker: Worker) -> None:
        """The task that works was ended by something that is not the execution's."""
        if not self.over:
            self.top.machine.cancel()
            stop(self, self.top, "the execution was cancelled", worker)

    def schedule_spare(self) -> None:
        """Have another worker look for something to do as soon as the loop turns."""
        worker = self.spare = Worker(self.top)
        worker.task = asyncio.get_running_loop().create_task(self._work(worker, is_guest=False))

    def enqueue(self, frame: Frame) -> None:
        """There may be something to do in this document: something to take, or its end."""
        if not frame.queued and frame.restart_at_us is None:
            frame.queued = True
            self.runnable.append(frame)

    def moved(self, frame: Frame) -> None:
        """A node of this document has come to something. A child that has ended is told of at once.

        Children so end in the order of their last events, which is what the log says to whoever resumes it.
        """
        if frame.owner is None or not frame.machine.finished:
            self.enqueue(frame)
            return
        if self.runnable and self.runnable[0] is frame:
            self.runnable.popleft()
            frame.queued = False
        self.rest(frame)

    def go_on(self) -> None:
        """Called when something has changed outside of a worker, or when one leaves."""
        if self.over or self.spare is not None:
            return
        self._settle()
        if self.over:
            return
        if self.runnable and self.top.machine.has_room():
            self.schedule_spare()
        elif not self.workers:
            self._idle()

    def _settle(self) -> None:
        """Look at the documents in which nothing can be taken: they may have come to their ends. Needs no slot."""
        blocked = 0
        try:
            while blocked < len(self.runnable):
                frame = self.runnable[0]
                if frame.machine.ready and frame.machine.stopped is None:
                    blocked += 1
                    self.runnable.rotate(-1)
                    continue
                blocked = 0
                self.runnable.popleft()
                frame.queued = False
                self.rest(frame)
        except Exception as error:  # noqa: BLE001 - as in `_work`
            self.break_down(error)

    def _idle(self) -> None:
        machine = self.top.machine
        waits = bool(machine.until_us or machine.signals or machine.parked or machine.contained)
        waits = waits or self.top.restart_at_us is not None
        if not waits and machine.stopped is None:
            self.break_down(InternalError("The engine came to rest with nodes left to run."))
            return
        self.times.idle(self.now())
        self.rearm()
        if self.log.is_blocking:
            self.log.rest()
        if self.awaits_answer:
            self.ended.ring()  # for those who wait for that, too

    def before_pause(self) -> None:
        """Look at what need not be looked at for every node; the loop gets its turn next."""
        self.runnable.rotate(-1)
        if self.log.seq > MAX_EVENTS and self.top.machine.stopped is None:
            self.fail(too_many_events(), TOO_MANY_EVENTS)

    def rest(self, frame: Frame) -> None:
        """Called when nothing can be taken in a document: it may have come to its end."""
        machine = frame.machine
        if machine.skips:
            frame.recorder.skips()
        if self.over or not machine.finished or (frame.owner is not None and frame.is_left):
            return
        if may_begin_again(self, frame):
            begin_again(self, frame)
        elif frame.owner is None:
            self._complete()
        else:
            child_ended(self, frame, frame.owner)

    # --- time ---------------------------------------------------------------------------------------

    def _on_time(self, now_us: int) -> int:
        try:
            on_time(self, now_us)
            self.go_on()
        except Exception as error:  # noqa: BLE001 - a fault of the engine ends this execution, and not the watchdog
            self.break_down(error)
        return next_us(self)

    def rearm(self) -> None:
        """Make sure that the watchdog calls in time."""
        at_us = next_us(self)
        if at_us < self.times.armed_us:
            self.times.arm(at_us)

    def _held(self, run: ExecutionRun, due_us: int, index: int) -> None:
        for frame in self.top.walk():
            if frame.run is run:
                self.times.add(due_us, frame, index)

    # --- the end ------------------------------------------------------------------------------------

    def fail(self, raised: FlowError, why: str) -> None:
        """Fail the execution for something that is no node's failure."""
        self.top.machine.fail(error_object(raised, node_id=None, path=TOP, attempt=0))
        stop(self, self.top, why, None)

    def break_down(self, error: Exception) -> None:
        """A fault of the engine itself: the execution fails and says so."""
        if self.over:
            return
        made = error_object(error, node_id=None, path=TOP, attempt=0)
        if not isinstance(error, FlowError):
            made["message"] = f"The engine failed: {type(error).__name__}: {error}"
            made["code"], made["remedy"] = InternalError.default_code, InternalError.default_remedy
        self.top.machine.fail(made)
        stop(self, self.top, ENGINE_FAILED, None)
        for worker in self.workers:
            worker.index = -1
        self.workers.clear()
        self._complete(made)

    def _complete(self, broken: ErrorObject | None = None) -> None:
        frame, log = self.top, self.log
        if frame.opened or frame.machine.has_unfinished:
            for below in frame.walk():
                below.recorder.end_waiting(below.why_stopped)
                below.recorder.end_running(below.why_stopped)
        status: FinalStatus = "failed"
        outputs, error = None, broken
        if broken is None:
            status, outputs, error = outcome(frame)
        ends = Ends.of(frame.machine)
        shown = None if error is None else {**error, "completed": list(ends.completed)}
        now_us = self.now()
        duration_ms = (now_us - self._started_us) / 1000
        result = ends.result(
            frame.machine,
            log.execution_id,
            status=status,
            outputs=outputs,
            error=shown,
            started_us=self._started_us,
            duration_ms=duration_ms,
        )
        completed = WorkflowCompleted(log.seq + 1, now_us, status, outputs, shown, duration_ms)
        if status == "failed" and self._on_failing is not None:
            log.masked(completed)  # and with it the error of the result
            on_failing, self._on_failing = self._on_failing, None  # if it breaks down, this is the end all the same
            on_failing(result, log)
        log.append(completed)
        log.flush()
        self.result = result
        self._leave()

    def _leave(self) -> None:
        self.runnable.clear()
        self.times.close()
        self.top.run.shared.later = None
        self.over = True
        self.ended.ring()
        self._on_end(self)
