"""Limits of whole documents: `settings.max_execution_time_ms`, over active time, and the number of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowcore.errors import FatalNodeError, FlowError, InternalError

from flowruntime.engine.attempt import error_object
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.stopping import (
    ENGINE_FAILED,
    EXECUTION_TOOK_TOO_LONG,
    TOO_MANY_EVENTS,
    TOOK_TOO_LONG,
    stop,
)

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = [
    "MAX_EVENTS",
    "fail_in_time",
    "failure_that_stopped",
    "is_over",
    "limit_moved_us",
    "too_many_events",
    "took_too_long",
]

#: How many events an execution may have.
MAX_EVENTS: Final = 1_000_000


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


def failure_that_stopped(execution: Executor, why: str) -> FlowError | None:
    """The failure of the whole execution for which its nodes were cancelled; None when they were for something else."""
    if why == EXECUTION_TOOK_TOO_LONG:
        return took_too_long(execution, execution.top)
    if why == TOO_MANY_EVENTS:
        return too_many_events()
    if why == ENGINE_FAILED:
        return InternalError("The engine failed in a process that is gone, and with it what went wrong.")
    return None


def too_many_events() -> FatalNodeError:
    """The failure that this is."""
    return FatalNodeError(
        f"The execution has more than {MAX_EVENTS:,} events.",
        code="execution.too_many_events",
        remedy="Split the workflow, or let its nodes say less.",
    )


def took_too_long(execution: Executor, frame: Frame) -> FatalNodeError:
    """The failure that this is."""
    limit_ms = execution.limit_ms if frame is execution.top else frame.run.workflow.settings.max_execution_time_ms or 0
    return FatalNodeError(
        f"The {'execution' if frame is execution.top else 'workflow'} took longer than its limit of {limit_ms:g} ms.",
        code="execution.timeout",
        remedy="Raise settings.max_execution_time_ms, or split the workflow.",
    )
