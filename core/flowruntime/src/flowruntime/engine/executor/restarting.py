"""RetryWorkflow: all nodes of a document start again after a failure that would end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcore.policies import DEFAULT_RETRY_POLICY, RetryWorkflow

from flowruntime.engine.attempt import error_object
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.limits import is_over, took_too_long
from flowruntime.engine.watchdog import NEVER_US

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["begin_again", "may_begin_again"]


def may_begin_again(execution: Executor, frame: Frame) -> bool:
    """Whether the document's own policy answers the failure that stopped it."""
    machine = frame.machine
    if machine.stopped != "failed" or machine.error is None or frame.is_final:
        return False
    policy = machine.plan.workflow.settings.on_error
    if not (
        isinstance(policy, RetryWorkflow)
        and bool(machine.error["retryable"])
        and frame.run_attempt < policy.max_attempts
    ):
        return False
    if is_over(execution, frame):
        raised = took_too_long(execution, frame)
        machine.replace_error(error_object(raised, node_id=None, path=frame.path, attempt=0))
        return False
    return True


def begin_again(execution: Executor, frame: Frame) -> None:
    """Record it, and have the nodes start when the default policy's delay is over."""
    frame.suspended.clear()
    frame.grace_until_us = NEVER_US
    delay_ms = DEFAULT_RETRY_POLICY.delay_after(frame.run_attempt, execution.jitter())
    frame.run_attempt += 1
    if frame is execution.top:
        execution.times.limit_holds = True
    frame.restart_at_us = frame.recorder.restarting(frame.run_attempt, delay_ms)
    execution.times.add(frame.restart_at_us, frame, -1)
