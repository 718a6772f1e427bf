"""Records the failure of attempts, and what follows by the policies of node and workflow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flowcore.errors import FatalNodeError, NodeError
from flowcore.policies import RetryPolicy
from flowcore.values import Value

from flowruntime.authoring import Context
from flowruntime.engine.attempt import (
    AttemptTimeoutError,
    changed_state,
    error_object,
    has_unverified,
    is_retryable,
)
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.stopping import stop
from flowruntime.engine.executor.worker import Worker
from flowruntime.engine.machine import Machine

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = ["attempt_failed", "node_failed", "state_left"]


def attempt_failed(execution: Executor, worker: Worker, raised: BaseException) -> None:
    """Record the failure of the worker's attempt, and what follows by the node's policies."""
    node_failed(execution, worker.frame, worker.index, raised, worker.started_us, worker.ctx, worker)


def node_failed(  # noqa: PLR0917 - called in two places
    execution: Executor,
    frame: Frame,
    index: int,
    raised: BaseException,
    started_us: int,
    ctx: Context | None,
    worker: Worker | None = None,
) -> None:
    """Record the failure of an attempt, and what follows by the node's policies. `worker` makes it; None for none."""
    machine, node = frame.machine, frame.machine.plan.nodes[index]
    now_us = execution.now()
    error = error_object(raised, node_id=node.id, path=frame.path, attempt=machine.attempts[index])
    state = _state_left(ctx, machine, index)
    failures = machine.failures.get(index, 0) + 1
    if machine.stopped is None and _is_retried(raised, node.retry_policy, failures):
        delay_ms = node.retry_policy.delay_after(failures, execution.jitter(), _wish_ms(raised))
        retry_at_us = now_us + round(delay_ms * 1000)
        frame.recorder.retrying(index, error, now_us, delay_ms, retry_at_us, state)
        execution.times.add(retry_at_us, frame, index)
        return
    is_stopped = machine.stopped is not None
    frame.recorder.failed(index, error, now_us, (now_us - started_us) / 1000, state)
    if machine.skips:
        frame.recorder.skips()
    if node.then == "stop" and not is_stopped:
        stop(execution, frame, f"the workflow failed at node {node.id!r}", worker)


def _wish_ms(raised: BaseException) -> float | None:
    """How long the node wants to wait; what is no number is no wish."""
    seconds: object = raised.retry_after_seconds if isinstance(raised, NodeError) else None
    if isinstance(seconds, int | float) and math.isfinite(seconds):
        return seconds * 1000
    return None


def state_left(worker: Worker) -> dict[str, Value] | None:
    """What an attempt that did not succeed left in its state, if that is a value."""
    return _state_left(worker.ctx, worker.frame.machine, worker.index)


def _state_left(ctx: Context | None, machine: Machine, index: int) -> dict[str, Value] | None:
    if ctx is None or ctx.opened_state is None:
        return None
    try:
        state = changed_state(ctx, machine.states.get(index))
        return None if has_unverified(state) else state
    except (FatalNodeError, RuntimeError):  # a thread may be changing it this moment
        return None


def _is_retried(raised: BaseException, policy: RetryPolicy, failures: int) -> bool:
    if failures >= policy.max_attempts or not is_retryable(raised):
        return False
    return policy.retry_on_timeout or not isinstance(raised, AttemptTimeoutError)
