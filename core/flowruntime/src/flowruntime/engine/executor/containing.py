"""Runs what containers hold: opens a frame for each child, tells the container how it ended, ends the node.

A container's attempt holds neither slot nor task. What moves it is the end of a child, which the worker finds out that
takes the child's last node, and its timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowcore.errors import FatalNodeError
from flowcore.events import ErrorObject
from flowcore.schemas import with_defaults
from flowcore.values import Value

from flowruntime.authoring import Child, ChildEnd, Container, Context
from flowruntime.engine.attempt import AttemptTimeoutError, ExecutionRun, check_ports, error_object
from flowruntime.engine.executor.ending import outcome
from flowruntime.engine.executor.failing import node_failed
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.stopping import stop
from flowruntime.engine.executor.worker import Worker
from flowruntime.engine.machine import Machine
from flowruntime.engine.watchdog import NEVER_US
from flowruntime.plan.model import Plan

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = [
    "MAX_DEPTH",
    "Opened",
    "advance",
    "child_ended",
    "container_due",
    "new_child",
    "open_container",
    "stop_children",
    "tell_end",
]

#: How deep containers may be nested.
MAX_DEPTH: Final = 16


class Opened:
    """A container whose children run, in the frame of the node. Times are in microseconds since the epoch."""

    __slots__ = (
        "attempt",
        "children",
        "container",
        "ctx",
        "deadline_us",
        "failure",
        "frame",
        "idle_before_us",
        "index",
        "started_us",
        "unused",
    )

    def __init__(self, frame: Frame, index: int, container: Container, ctx: Context | None, started_us: int) -> None:
        self.frame = frame
        self.index = index
        self.container = container
        self.ctx = ctx
        self.attempt = frame.machine.attempts[index]
        self.started_us = started_us
        self.deadline_us = NEVER_US
        #: How long the execution had been idle when the deadline was set, which does not count.
        self.idle_before_us = 0
        #: By item.
        self.children: dict[int | None, Frame] = {}
        #: Frames of children that have ended well, to be used again: most of what a frame is need not be made anew.
        self.unused: list[Frame] = []
        #: Why the node fails, once its children have ended.
        self.failure: BaseException | None = None

    @property
    def why_it_stops(self) -> str:
        """What the events of nodes in its children say when it fails."""
        return f"{self.frame.machine.plan.nodes[self.index].id!r} failed"


def open_container(execution: Executor, worker: Worker, container: Container) -> None:
    """The worker's attempt turned out to be a container: give its slot back, and start children."""
    frame, index, started_us = worker.frame, worker.index, worker.started_us
    opened = frame.opened[index] = Opened(frame, index, container, worker.ctx, started_us)
    frame.machine.contain(index)
    opened.idle_before_us = execution.times.idle_us(started_us)
    opened.deadline_us = started_us + frame.machine.plan.nodes[index].timeout_us
    execution.times.add(opened.deadline_us, frame, index)
    advance(execution, opened)


def child_ended(execution: Executor, frame: Frame, opened: Opened) -> None:
    """All that there was to do in a child is done."""
    frame.limit_us = NEVER_US  # it has kept it
    is_well = opened.failure is None
    tell_end(opened, frame)
    if is_well and opened.failure is not None:
        stop_children(execution, opened)
    advance(execution, opened)


def tell_end(opened: Opened, frame: Frame) -> None:
    """Tell a container how a child ended, unless nobody wants to know. It may fail at that."""
    del opened.children[frame.item]
    container = opened.container
    status, outputs, error = outcome(frame)
    item = frame.item
    if status == "succeeded":
        opened.unused.append(frame)
    if opened.frame.machine.stopped is not None or opened.failure is not None:
        return
    if container.cancel_from is not None and item is not None and item >= container.cancel_from:
        return
    try:
        container.ended(ChildEnd(index=item, status=status, outputs=outputs, error=error))
    except Exception as raised:  # noqa: BLE001 - the border to the nodes' code
        opened.failure = raised


def container_due(execution: Executor, opened: Opened, due_us: int) -> None:
    """The time of a container's attempt is over, unless the execution was idle in between."""
    if opened.deadline_us != due_us or opened.failure is not None:
        return
    idle_us = execution.times.idle_us(execution.now()) - opened.idle_before_us
    if idle_us:
        opened.idle_before_us += idle_us
        opened.deadline_us += idle_us
        execution.times.add(opened.deadline_us, opened.frame, opened.index)
        return
    timeout_ms = opened.frame.machine.plan.nodes[opened.index].timeout_us / 1000
    opened.failure = AttemptTimeoutError(f"The attempt took longer than its timeout of {timeout_ms:g} ms.")
    stop_children(execution, opened)
    advance(execution, opened)


def advance(execution: Executor, opened: Opened) -> None:
    """Start the children that may run now; end the node when none is left."""
    frame, index, container = opened.frame, opened.index, opened.container
    if frame.machine.stopped is None and opened.failure is None:
        try:
            if container.cancel_from is not None:
                _cancel_children(execution, opened, container.cancel_from)
            while len(opened.children) < container.concurrency:
                child = container.next()
                if child is None:
                    break
                made = new_child(execution, opened, child)
                if made is not None:
                    _begin_child(execution, made)
        except Exception as raised:  # noqa: BLE001 - the border to the nodes' code
            opened.failure = raised
            stop_children(execution, opened)
    if opened.children:
        return
    outputs: dict[str, Value] = {}
    if opened.failure is None and frame.machine.stopped is None:
        try:
            outputs = _outputs(opened)
        except Exception as raised:  # noqa: BLE001 - the border to the nodes' code
            opened.failure = raised
    del frame.opened[index]
    if frame.machine.stopped is not None:
        frame.recorder.cancelled(index, frame.why_stopped)
    elif opened.failure is not None:
        node_failed(execution, frame, index, opened.failure, opened.started_us, opened.ctx)
    else:
        frame.recorder.completed(index, outputs, opened.started_us)
    if frame.machine.skips:
        frame.recorder.skips()
    execution.enqueue(frame)


def _outputs(opened: Opened) -> dict[str, Value]:
    node = opened.frame.machine.plan.nodes[opened.index]
    outputs = opened.container.outputs()
    if outputs is None:
        raise FatalNodeError(
            f"The container of {node.type_id!r} has nothing to run and no outputs.",
            code="node.container",
            remedy="Report this to the authors of the pack.",
        )
    check_ports(node, outputs)
    return outputs


def stop_children(execution: Executor, opened: Opened) -> None:
    """The node fails once its children have ended."""
    for child in list(opened.children.values()):
        _stop_child(execution, child, opened.why_it_stops)


def _cancel_children(execution: Executor, opened: Opened, start: int) -> None:
    for item, child in list(opened.children.items()):
        if item is not None and item >= start:
            _stop_child(execution, child, "the loop was left")


def _stop_child(execution: Executor, child: Frame, why: str) -> None:
    child.is_final = True
    if child.machine.stopped is None:
        child.machine.cancel()
        stop(execution, child, why, None)


def new_child(execution: Executor, opened: Opened, child: Child) -> Frame | None:
    """A frame for a child, where nothing has run yet; None for one that has failed already. Raises NodeError."""
    parent = opened.frame
    plan: Plan = child.body.plan
    if len(parent.path) >= MAX_DEPTH:
        raise FatalNodeError(
            f"Loops and subflows are nested more than {MAX_DEPTH} deep.",
            code="execution.depth",
            remedy="Let the recursion end earlier, or use a loop.",
        )
    inputs = child.inputs
    path = (*parent.path, (parent.machine.plan.nodes[opened.index].id, child.index, opened.attempt))
    if plan.workflow.inputs is not None:
        inputs = with_defaults(plan.workflow.inputs, inputs)
        problems = execution.schemas.get(plan.workflow.inputs).problems(inputs, "", "inputs")
        for problem in problems:
            error = _unfit(problem.message, path)
            opened.container.ended(ChildEnd(index=child.index, status="failed", error=error))
            return None
    frame = _frame(execution, opened, plan)
    frame.run.path = path
    frame.run.inputs = inputs
    frame.begin(child.index)
    opened.children[child.index] = frame
    return frame


def _begin_child(execution: Executor, frame: Frame) -> None:
    limit_ms = frame.machine.plan.workflow.settings.max_execution_time_ms
    if limit_ms is not None:
        now_us = execution.now()
        frame.idle_before_us = execution.times.idle_us(now_us)
        frame.limit_us = now_us + round(limit_ms * 1000)
        execution.times.add(frame.limit_us, frame, -1)
    if frame.machine.skips:
        frame.recorder.skips()
    execution.enqueue(frame)


def _frame(execution: Executor, opened: Opened, plan: Plan) -> Frame:
    if opened.unused and opened.unused[-1].machine.plan is plan:
        frame = opened.unused.pop()
        frame.machine.reset()
        return frame
    parent = opened.frame
    machine = Machine(plan, fired=plan.triggers[0] if plan.triggers else None, outer=parent.machine)
    run = ExecutionRun(parent.run.shared, machine, (), {})
    return Frame(run, parent.instances.of_child(plan), execution.now, opened)


def _unfit(message: str, path: Any) -> ErrorObject:
    raised = FatalNodeError(
        f"The inputs do not fit what the workflow declares: {message}",
        code="inputs.schema",
        remedy="Correct what the container is given, or the workflow's 'inputs'.",
    )
    return error_object(raised, node_id=None, path=path, attempt=0)
