"""What becomes of nodes that must not be repeated, once somebody has said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcore.errors import FatalNodeError
from flowcore.events import Path
from flowcore.values import Value

from flowruntime.engine.executor.failing import node_failed
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.machine import Answer

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["answered", "same_place"]


def answered(execution: Executor, frame: Frame, index: int, answer: Answer, value: Value) -> None:
    """Record the answer and what comes of it: with `value` the node completes with that, an object of its ports."""
    machine = frame.machine
    started_us = machine.first_started_us.get(index, execution.now())
    frame.recorder.answered(index, answer, value)
    if answer == "value":
        frame.recorder.completed(index, value if isinstance(value, dict) else {"result": value}, started_us)
    elif answer == "fail":
        raised = FatalNodeError(
            "The node began once and must not begin again; somebody answered that it failed.",
            code="node.answered_fail",
            remedy="Look at what it did outside, and rerun the workflow.",
        )
        node_failed(execution, frame, index, raised, started_us, None)
    if machine.skips:
        frame.recorder.skips()
    execution.enqueue(frame)


def same_place(path: Path, other: Path) -> bool:
    """Whether two paths name the same place, whatever the attempts of the containers."""
    return [step[:2] for step in path] == [step[:2] for step in other]
