"""Writes the events that are no attempt's own success, and moves the machine by the same decisions."""

from __future__ import annotations

from collections.abc import Callable

from flowcore.events import (
    TOP,
    ErrorObject,
    NodeCancelled,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeWaiting,
    NodeWoken,
    Path,
    WorkflowRetrying,
)

from flowruntime.authoring import Wait, Woken
from flowruntime.engine.machine import RETRYING, RUNNING, WAITING, Machine
from flowruntime.journal import ExecutionLog
from flowruntime.plan.model import PlannedNode

__all__ = ["Recorder"]


class Recorder:
    """Each method appends one event and applies it to the machine, in this order."""

    def __init__(self, machine: Machine, log: ExecutionLog, now_us: Callable[[], int]) -> None:
        self._machine = machine
        self._nodes = machine.plan.nodes
        self._log = log
        self._now = now_us
        self._path: Path = TOP
        #: What the events of cancelled nodes say.
        self.why_cancelled = "the execution was cancelled"

    def retrying(self, index: int, error: ErrorObject, now_us: int, delay_ms: float, retry_at_us: int) -> None:
        """The attempt failed and another follows."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeRetrying(log.seq + 1, now_us, self._path, node_id, attempt, error, delay_ms, retry_at_us, None))
        self._machine.retrying(index, retry_at_us)

    def failed(self, index: int, error: ErrorObject, now_us: int, duration_ms: float) -> None:
        """The last attempt failed."""
        log, node, attempt = self._log, self._nodes[index], self._machine.attempts[index]
        log.append(NodeFailed(log.seq + 1, now_us, self._path, node.id, attempt, error, node.then, duration_ms, None))
        self._machine.failed(index, error, node.then)

    def waiting(self, index: int, now_us: int, until_us: int | None, wait: Wait) -> None:
        """The attempt waits."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(
            NodeWaiting(log.seq + 1, now_us, self._path, node_id, attempt, until_us, wait.signal, wait.reason, None)
        )
        self._machine.waiting(index, wait.signal, until_us)

    def woken(self, index: int, woken: Woken) -> None:
        """What the node waited for is there."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeWoken(log.seq + 1, self._now(), self._path, node_id, attempt, woken.reason, woken.value))
        self._machine.wake(index, woken)

    def interrupted(self, index: int) -> None:
        """The attempt was running when its process went away."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeInterrupted(log.seq + 1, self._now(), self._path, node_id, attempt))
        self._machine.interrupted(index)

    def skips(self) -> None:
        """All nodes that are to be skipped by now, and those that are to be because of them."""
        machine, log = self._machine, self._log
        while machine.skips:
            index, why = machine.skips[0]
            log.append(NodeSkipped(log.seq + 1, self._now(), self._path, self._nodes[index].id, 0, why))
            machine.skipped(index)

    def cancelled(self, index: int) -> None:
        """The node ran or waited when the run was stopped."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeCancelled(log.seq + 1, self._now(), self._path, node_id, attempt, self.why_cancelled, None))
        self._machine.cancelled(index)

    def end_the_rest(self) -> None:
        """What still runs or waits when the run was stopped gets its event."""
        if self._machine.has_unfinished:
            for index in self._machine.nodes_with(RUNNING, RETRYING, WAITING):
                self.cancelled(index)

    def restarting(self, run_attempt: int, delay_ms: float) -> int:
        """All nodes start again after the delay; the time of that comes back."""
        log, error, now_us = self._log, self._machine.error, self._now()
        retry_at_us = now_us + round(delay_ms * 1000)
        log.append(WorkflowRetrying(log.seq + 1, now_us, self._path, run_attempt, error or {}, delay_ms, retry_at_us))
        self._machine.restart()
        return retry_at_us

    def warn_of_contest(self, node: PlannedNode, attempt: int) -> None:
        """Several values reached a port that takes one."""
        log = self._log
        for port in self._machine.contested[node.index]:
            message = f"Several values reached port {port!r}; the last connection in the document counts."
            log.append(
                NodeEvent(log.seq + 1, self._now(), self._path, node.id, attempt, "Warning", {"message": message})
            )
