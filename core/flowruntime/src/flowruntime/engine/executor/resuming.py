"""Takes an execution up where its log ends: unfolds what the log says, then goes on from there.

**Unfolding** appends nothing. Each document's events are replayed on its machine. Where a container's attempt was
running, the node is asked for its container once more, and that is asked for the same children and told the same ends
in the same order, so that it stands where it stood; what is inside of containers that had ended is not looked at.

**Going on** is what the log lacks: attempts found running were interrupted, what was being stopped is stopped, waits
and delays go on with the time that is left, and containers start the children for which there is room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flowcore.errors import ExecutionError, FlowError
from flowcore.events import (
    NodeCancelled,
    NodeEventType,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    Path,
    WorkflowResumed,
    WorkflowRetrying,
)
from flowcore.values import Value

from flowruntime.authoring import Container, Context
from flowruntime.engine.attempt import ExecutionRun, Surroundings, error_object, resolve
from flowruntime.engine.executor.answering import go_on_as_answered
from flowruntime.engine.executor.containing import (
    Opened,
    advance,
    container_due,
    new_child,
    stop_children,
    tell_end,
)
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.limits import fail_in_time, failure_that_stopped, took_too_long
from flowruntime.engine.executor.past import MAX_INTERRUPTIONS, MAX_RECOVERIES, DocumentPast, ExecutionPast
from flowruntime.engine.executor.restarting import may_begin_again
from flowruntime.engine.executor.stopping import EXECUTION_TOOK_TOO_LONG, LEFT_RUNNING, TOOK_TOO_LONG, stop
from flowruntime.engine.machine import RUNNING, Machine
from flowruntime.engine.replaying import replay
from flowruntime.engine.watchdog import NEVER_US

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["QuarantineError", "Resumption", "go_on_from", "unfold"]

_NOTHING = DocumentPast()


class QuarantineError(ExecutionError):
    """The execution must not be taken up again unasked."""

    default_code = "execution.quarantined"
    default_remedy = "Look at its events, remove the cause, and take it up by hand: `flow executions resume ID`."


class Resumption(NamedTuple):
    """What an executor that was unfolded begins with.

    `is_cancelled` says that somebody wants it to end, `has_begun` that somebody has had it run, though the log of one
    that ended its process may not say so.
    """

    past: ExecutionPast
    reason: str
    is_cancelled: bool
    has_begun: bool


async def unfold(execution: Executor, past: ExecutionPast) -> None:
    """Bring an executor that has not begun to where the log ends. Raises QuarantineError."""
    await _unfold(execution, execution.top, past.top, past.active_us)
    if past.recoveries >= MAX_RECOVERIES:
        raise QuarantineError(f"It was taken up {MAX_RECOVERIES} times and came to nothing each time.")
    for frame in execution.top.walk():
        for index in _running(frame):
            node_id = frame.machine.plan.nodes[index].id
            if frame.machine.stopped is None and past.interruptions_of(frame.path, node_id) >= MAX_INTERRUPTIONS:
                raise QuarantineError(
                    f"Node {node_id!r} was running at {MAX_INTERRUPTIONS + 1} ends of the processes that ran it."
                )


def go_on_from(execution: Executor, resumption: Resumption) -> None:
    """Record what the log lacks, and make ready what is to be done next."""
    past, times, top, log = resumption.past, execution.times, execution.top, execution.log
    now_us = execution.now()
    if resumption.has_begun:
        log.append(WorkflowResumed(log.seq + 1, now_us, resumption.reason))
    times.limit_us = now_us + round(execution.limit_ms * 1000) - past.active_us
    machine = top.machine
    # That it fails may stand in the log already, as cancelled nodes.
    failing = next((frame for frame in top.walk() if failure_that_stopped(execution, frame.why_stopped)), None)
    if (resumption.is_cancelled or execution.unwanted is not None) and failing is None:
        top.is_final = True
        machine.cancel()
    elif machine.stopped is None and (failing is not None or times.limit_us <= now_us):
        why = EXECUTION_TOOK_TOO_LONG if failing is None else failing.why_stopped
        execution.fail(failure_that_stopped(execution, why) or took_too_long(execution, top), why)
    for frame in list(top.walk()):
        if frame.machine.stopped is None and frame.limit_us <= now_us:
            fail_in_time(execution, frame)
    for frame in list(top.walk()):
        if frame.machine.stopped is not None:
            stop(execution, frame, frame.why_stopped, None)
            for index in _running(frame):
                frame.recorder.cancelled(index, frame.why_stopped)
        else:
            _interrupt(execution, past, frame)
            _set_times(execution, frame)
        if frame.machine.skips and frame.restart_at_us is None:
            frame.recorder.skips()
        execution.enqueue(frame)
    for frame in reversed(list(top.walk())):  # the innermost ones first: their ends are their containers' business
        for opened in list(frame.opened.values()):
            if _is_due(opened, now_us) and opened.failure is None and frame.machine.stopped is None:
                container_due(execution, opened, opened.deadline_us)
                continue
            if opened.failure is not None:
                stop_children(execution, opened)
            advance(execution, opened)


# --- unfolding ------------------------------------------------------------------------------------------


async def _unfold(execution: Executor, frame: Frame, past: DocumentPast, active_us: int) -> None:
    machine, index_of = frame.machine, frame.machine.plan.index
    #: Of attempts that have not ended: when they began, since when they run, and how long they ran before.
    begun: dict[int, tuple[int, int, int]] = {}
    active_at: dict[int, int] = {}
    for event, active_then_us in past:
        match event:
            case NodeStarted():
                index = index_of[event.node_id]
                begun[index] = event.at_us, event.at_us, 0
                active_at[index] = active_then_us
            case NodeWaiting() if machine.status[index_of[event.node_id]] == RUNNING:
                index = index_of[event.node_id]
                started_us, since_us, before_us = begun[index]
                frame.suspended[index] = started_us, before_us + event.at_us - since_us
            case NodeWoken() if index_of[event.node_id] in frame.suspended:
                index = index_of[event.node_id]
                started_us, before_us = frame.suspended.pop(index)
                begun[index] = started_us, event.at_us, before_us
            case WorkflowRetrying():
                frame.run_attempt = event.run_attempt
                frame.suspended.clear()
            case NodeCancelled():
                frame.why_stopped = event.why.removesuffix(LEFT_RUNNING)
                _fail_as_told(execution, frame)
            case _:
                pass
        frame.restart_at_us = event.retry_at_us if isinstance(event, WorkflowRetrying) else None
        replay(machine, event)
    for index in machine.nodes_with(RUNNING):
        children = past.below.get((machine.plan.nodes[index].id, machine.attempts[index]))
        if children:
            await _reopen(execution, frame, index, children, begun[index][0], active_us - active_at[index], active_us)


async def _reopen(  # noqa: PLR0917 - called in one place
    execution: Executor,
    frame: Frame,
    index: int,
    children: Mapping[int | None, DocumentPast],
    started_us: int,
    used_us: int,
    active_us: int,
) -> None:
    """Have a container that was running stand where it stood. What is none any more counts as interrupted."""
    made = await _container(execution, frame, index)
    if made is None:
        return
    container, ctx, run = made
    opened = frame.opened[index] = Opened(frame, index, container, ctx, started_us)
    frame.machine.contain(index)
    opened.deadline_us = execution.now() + frame.machine.plan.nodes[index].timeout_us - used_us
    #: Since when the children that are asked for next are there, whether or not there was a slot for them.
    since_us = active_us - used_us
    # Children of a document that was stopped since began before that, and are to get their ends.
    stopped, frame.machine.stopped = frame.machine.stopped, None
    while opened.failure is None:
        try:
            while len(opened.children) < container.concurrency:
                child = container.next()
                if child is None:
                    break
                below = new_child(execution, opened, child)
                if below is not None:
                    await _unfold(execution, below, children.get(child.index, _NOTHING), active_us)
                    limit_ms = below.run.workflow.settings.max_execution_time_ms
                    if limit_ms is not None:
                        below.limit_us = execution.now() + round(limit_ms * 1000) - (active_us - since_us)
        except Exception as raised:  # noqa: BLE001 - the border to the nodes' code
            opened.failure = raised
            break
        # Of those that were cancelled the container is told nothing: it is left, fails, or is stopped itself.
        over = [
            child
            for child in opened.children.values()
            if child.machine.stopped != "cancelled" and _is_over(execution, child)
        ]
        if not over:
            break
        ended = min(over, key=lambda child: children[child.item].last_seq)
        since_us = children[ended.item].active_us[-1]
        tell_end(opened, ended)
    frame.machine.stopped = stopped
    run.is_silent = False


def _fail_as_told(execution: Executor, frame: Frame) -> None:
    """Have its machine stand where it stood when a node was cancelled because its time was over.

    Or because the execution as a whole fails, which is a matter of the top.
    """
    raised: FlowError | None = None
    if frame.why_stopped == TOOK_TOO_LONG:
        raised = took_too_long(execution, frame)
    elif frame is execution.top:
        raised = failure_that_stopped(execution, frame.why_stopped)
    if raised is not None:
        frame.machine.fail(error_object(raised, node_id=None, path=frame.path, attempt=0))


def _is_due(opened: Opened, now_us: int) -> bool:
    """Whether the time of a container's attempt is over; that may stand in the log already, as cancelled nodes."""
    return opened.deadline_us <= now_us or any(
        child.machine.stopped == "cancelled" and child.why_stopped == opened.why_it_stops
        for child in opened.children.values()
    )


def _is_over(execution: Executor, child: Frame) -> bool:
    return child.machine.finished and not may_begin_again(execution, child)


async def _container(execution: Executor, frame: Frame, index: int) -> tuple[Container, Context, _Replayed] | None:
    machine = frame.machine
    node, attempt = machine.plan.nodes[index], machine.attempts[index]
    run = _Replayed(frame.run.shared, machine, frame.path, frame.run.inputs)
    try:
        handler = frame.instances.handlers[index] or await frame.instances.prepare(index)
        inputs, config = machine.wired[index] or {}, frame.configs[index]
        if not node.direct:
            inputs, config = resolve(node, attempt, handler, inputs, config, run)
        ctx = Context(run, frame.path, node.id, attempt, inputs, config)
        ctx.woken = machine.woken.get(index)
        mode = handler.wrapped or handler.mode  # no attempt, so nothing is put around it
        if mode == "async":
            container = await handler.call(ctx)
        elif mode == "inline":
            container = handler.call(ctx)
        else:
            container = await execution.threads.run(execution.threads.job(handler.call, ctx))
    except Exception:  # noqa: BLE001 - the border to the nodes' code: the next attempt will say what is wrong
        return None
    return (container, ctx, run) if isinstance(container, Container) else None


class _Replayed(ExecutionRun):
    """The run as a container sees it that is made once more: what it says meanwhile stands in the log already."""

    __slots__ = ("is_silent",)

    def __init__(self, shared: Surroundings, machine: Machine, path: Path, inputs: dict[str, Value]) -> None:
        super().__init__(shared, machine, path, inputs)
        self.is_silent = True

    def emit(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        """Record it, unless it was before."""
        if not self.is_silent:
            super().emit(ctx, event_type, content)


# --- going on -------------------------------------------------------------------------------------------


def _running(frame: Frame) -> list[int]:
    """Nodes whose attempts were running, containers that go on left out."""
    return [index for index in frame.machine.nodes_with(RUNNING) if index not in frame.opened]


def _interrupt(execution: Executor, past: ExecutionPast, frame: Frame) -> None:
    """Record what became of the attempts that were running."""
    for index in _running(frame):
        if _is_answered(execution, past, frame, index):
            continue
        if frame.machine.stopped is None:
            frame.recorder.interrupted(index)
        else:  # by an answer
            frame.recorder.cancelled(index, frame.why_stopped)


def _is_answered(execution: Executor, past: ExecutionPast, frame: Frame, index: int) -> bool:
    """Whether the log ends between an answer and what comes of it; then that is recorded now."""
    told = past.answers.get((frame.path, frame.machine.plan.nodes[index].id))
    if told is None:
        return False
    try:
        go_on_as_answered(execution, frame, index, told["answer"], told.get("value"))
    except ExecutionError:  # its ports are others by now: it is asked for again
        return False
    return True


def _set_times(execution: Executor, frame: Frame) -> None:
    times = execution.times
    for index, due_us in frame.machine.until_us.items():
        times.add(due_us, frame, index)
    for index, opened in frame.opened.items():
        times.add(opened.deadline_us, frame, index)
    if frame.restart_at_us is not None:
        times.add(frame.restart_at_us, frame, -1)
    if frame.limit_us != NEVER_US:
        times.add(frame.limit_us, frame, -1)
