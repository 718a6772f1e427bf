"""What happens to an execution when a time has come: timeouts, the end of delays and waits, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowruntime.authoring import Woken
from flowruntime.engine.attempt import AttemptTimeoutError
from flowruntime.engine.executor.containing import container_due
from flowruntime.engine.executor.failing import attempt_failed, state_left
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.limits import fail_in_time, limit_moved_us, took_too_long
from flowruntime.engine.executor.stopping import EXECUTION_TOOK_TOO_LONG, LEFT_RUNNING
from flowruntime.engine.executor.worker import Worker
from flowruntime.engine.machine import RETRYING, WAITING
from flowruntime.engine.watchdog import NEVER_US

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["next_us", "on_time"]


def on_time(execution: Executor, now_us: int) -> None:
    """Do everything that is due."""
    for worker in list(execution.workers):
        if worker.index >= 0 and _until_us(worker) <= now_us:
            if worker.frame.machine.stopped is None:
                _time_out(execution, worker)
            else:
                _give_up(execution, worker)
    for due_us, frame, index in execution.times.take_due(now_us):
        if index >= 0:
            _node_due(execution, due_us, frame, index)
        else:
            _document_due(execution, due_us, frame)
    if execution.times.is_exceeded(now_us):
        execution.fail(took_too_long(execution, execution.top), EXECUTION_TOOK_TOO_LONG)


def next_us(execution: Executor) -> int:
    """When something is due next."""
    if execution.over:
        return NEVER_US
    return min((execution.times.next_us(), *(_until_us(worker) for worker in execution.workers if worker.index >= 0)))


def _until_us(worker: Worker) -> int:
    """How long the attempt may take."""
    machine = worker.frame.machine
    if machine.stopped is not None:
        return worker.frame.grace_until_us
    return worker.begun_us + machine.plan.nodes[worker.index].timeout_us


def _give_up(execution: Executor, worker: Worker) -> None:
    """The attempt did not end in the time it had after a stop: its document goes on to its end without it."""
    frame = worker.frame
    frame.recorder.cancelled(worker.index, frame.why_stopped + LEFT_RUNNING, state_left(worker))
    _dismiss(execution, worker)


def _time_out(execution: Executor, worker: Worker) -> None:
    """The attempt takes longer than it may."""
    timeout_ms = worker.frame.machine.plan.nodes[worker.index].timeout_us / 1000
    raised = AttemptTimeoutError(f"The attempt took longer than its timeout of {timeout_ms:g} ms.")
    attempt_failed(execution, worker, raised)
    _dismiss(execution, worker)


def _dismiss(execution: Executor, worker: Worker) -> None:
    """Go on without a worker: whatever its attempt gives from now on is dropped."""
    worker.index = -1
    worker.cancel()
    execution.workers.pop(worker, None)
    execution.moved(worker.frame)
    if worker.task is not None and not worker.is_guest:
        execution.leftovers.add(worker.task)
        worker.task.add_done_callback(execution.leftovers.discard)


def _node_due(execution: Executor, due_us: int, frame: Frame, index: int) -> None:
    machine = frame.machine
    if frame.run.sayings:
        frame.run.flush(index)
    if machine.stopped is not None:
        return
    if index in frame.opened:
        container_due(execution, frame.opened[index], due_us)
    elif machine.until_us.get(index) == due_us:
        if machine.status[index] == RETRYING:
            machine.due(index)
        elif machine.status[index] == WAITING:
            frame.recorder.woken(index, Woken(reason="due"))
        execution.enqueue(frame)


def _document_due(execution: Executor, due_us: int, frame: Frame) -> None:
    if frame.restart_at_us == due_us:
        frame.restart_at_us = None
        if frame.machine.skips:
            frame.recorder.skips()
        execution.enqueue(frame)
    elif frame.limit_us == due_us and frame.machine.stopped is None and not execution.over:
        frame.limit_us = limit_moved_us(execution, frame)
        if frame.limit_us > due_us:
            execution.times.add(frame.limit_us, frame, -1)
            return
        fail_in_time(execution, frame)
