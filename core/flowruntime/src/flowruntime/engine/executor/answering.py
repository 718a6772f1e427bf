"""What becomes of nodes that must not be repeated, once somebody has said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcore.errors import ExecutionError, FatalNodeError
from flowcore.events import Path
from flowcore.values import Value

from flowruntime.engine.attempt import check_ports
from flowruntime.engine.executor.failing import node_failed
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.machine import Answer
from flowruntime.plan.model import PlannedNode

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["answered", "go_on_as_answered", "same_place"]


def answered(execution: Executor, frame: Frame, index: int, answer: Answer, value: Value) -> None:
    """Record the answer and what comes of it: with `value` the node completes with that, an object of its ports.

    Raises ExecutionError, and nothing has happened, for a value that its ports cannot give.
    """
    if answer == "value":
        _outputs(frame.machine.plan.nodes[index], value)
    frame.recorder.answered(index, answer, value)
    go_on_as_answered(execution, frame, index, answer, value)


def go_on_as_answered(execution: Executor, frame: Frame, index: int, answer: Answer, value: Value) -> None:
    """Record what comes of an answer that stands in the log. Raises ExecutionError as `answered` does."""
    machine = frame.machine
    started_us = machine.first_started_us.get(index, execution.now())
    if answer == "value":
        frame.recorder.completed(index, _outputs(machine.plan.nodes[index], value), started_us)
    elif answer == "fail":
        raised = FatalNodeError(
            "The node began once and must not begin again; somebody answered that it failed.",
            code="node.answered_fail",
            remedy="Look at what it did outside, and run the workflow again.",
        )
        node_failed(execution, frame, index, raised, started_us, None)
    if machine.skips:
        frame.recorder.skips()
    execution.enqueue(frame)


def _outputs(node: PlannedNode, value: Value) -> dict[str, Value]:
    ports = node.output_ports
    if isinstance(value, dict) and (ports is None or ports.issuperset(value)):
        outputs = value
    elif ports is not None and len(ports) == 1:
        outputs = dict.fromkeys(ports, value)
    else:
        raise _unfit(
            node, f"it is no object of its output ports ({', '.join(map(repr, sorted(ports or ()))) or 'any'})."
        )
    try:
        check_ports(node, outputs)
    except FatalNodeError as refused:
        raise _unfit(node, refused.message) from None
    return outputs


def _unfit(node: PlannedNode, why: str) -> ExecutionError:
    return ExecutionError(
        f"Node {node.id!r} cannot complete with this value: {why}",
        code="execution.bad_answer",
        remedy="Answer with an object of its output ports, or with the value of its only one.",
    )


def same_place(path: Path, other: Path) -> bool:
    """Whether two paths name the same place, whatever the attempts of the containers."""
    return [step[:2] for step in path] == [step[:2] for step in other]
