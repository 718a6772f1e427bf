"""Limits of time of whole documents: `settings.max_execution_time_ms`, over active time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcore.errors import FatalNodeError

from flowruntime.engine.attempt import error_object
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.stopping import TOOK_TOO_LONG, stop

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["fail_in_time", "is_over", "limit_moved_us", "took_too_long"]


def limit_moved_us(execution: Executor, frame: Frame) -> int:
    """When the time of a child is over, as it stands now: the execution may have been idle meanwhile."""
    idle_us = execution.times.idle_us(execution.now())
    moved_us = frame.limit_us + idle_us - frame.idle_before_us
    frame.idle_before_us = idle_us
    return moved_us


def is_over(execution: Executor, frame: Frame) -> bool:
    """Whether a document has used up its time. One that has none of its own never has."""
    now_us = execution.now()
    if frame is execution.top:
        return execution.times.limit_us <= now_us
    return frame.limit_us + execution.times.idle_us(now_us) - frame.idle_before_us <= now_us


def fail_in_time(execution: Executor, frame: Frame) -> None:
    """The time of a child is over: it fails."""
    raised = took_too_long(execution, frame)
    frame.machine.fail(error_object(raised, node_id=None, path=frame.path, attempt=0))
    stop(execution, frame, TOOK_TOO_LONG, None)


def took_too_long(execution: Executor, frame: Frame) -> FatalNodeError:
    """The failure that this is."""
    limit_ms = execution.limit_ms if frame is execution.top else frame.run.workflow.settings.max_execution_time_ms or 0
    return FatalNodeError(
        f"The {'execution' if frame is execution.top else 'workflow'} took longer than its limit of {limit_ms:g} ms.",
        code="execution.timeout",
        remedy="Raise settings.max_execution_time_ms, or split the workflow.",
    )
