"""Writes the events that are no attempt's own success, and moves the machine by the same decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flowcore.events import (
    ErrorObject,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeWaiting,
    NodeWoken,
    WorkflowRetrying,
)
from flowcore.values import Value

from flowruntime.authoring import Wait, Woken
from flowruntime.engine.attempt import ExecutionRun
from flowruntime.engine.machine import RETRYING, RUNNING, WAITING, Answer, Machine

__all__ = ["PARKED", "Recorder", "State"]

#: Why a node waits that must not be repeated unasked.
PARKED: Final = "it began before and must not run twice; it may have had its effect"

#: What a node keeps, when the attempt changed it.
State = dict[str, Value] | None


class Recorder:
    """Each method appends one event and applies it to the machine, in this order."""

    __slots__ = ("_log", "_machine", "_nodes", "_now", "_path", "_run")

    def __init__(self, machine: Machine, run: ExecutionRun, now_us: Callable[[], int]) -> None:
        self._machine = machine
        self._nodes = machine.plan.nodes
        self._run = run
        self._log = run.shared.log
        self._path = run.path
        self._now = now_us

    def retrying(  # noqa: PLR0917 - the fields of the event
        self, index: int, error: ErrorObject, now_us: int, delay_ms: float, retry_at_us: int, state: State
    ) -> None:
        """The attempt failed and another follows."""
        self._run.flush(index, ended=True)
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeRetrying(log.seq + 1, now_us, self._path, node_id, attempt, error, delay_ms, retry_at_us, state))
        self._machine.retrying(index, retry_at_us)
        self._keep(index, state)

    def failed(self, index: int, error: ErrorObject, now_us: int, duration_ms: float, state: State) -> None:
        """The last attempt failed."""
        self._run.flush(index, ended=True)
        log, node, attempt = self._log, self._nodes[index], self._machine.attempts[index]
        log.append(NodeFailed(log.seq + 1, now_us, self._path, node.id, attempt, error, node.then, duration_ms, state))
        self._machine.failed(index, error, node.then)
        self._keep(index, state)

    def completed(self, index: int, outputs: dict[str, Value], started_us: int) -> None:
        """A container has its outputs."""
        log, node_id, attempt, now_us = self._log, self._nodes[index].id, self._machine.attempts[index], self._now()
        duration_ms = (now_us - started_us) / 1000
        log.append(NodeCompleted(log.seq + 1, now_us, self._path, node_id, attempt, outputs, duration_ms, None, None))
        self._machine.completed(index, outputs)

    def waiting(self, index: int, now_us: int, until_us: int | None, wait: Wait, state: State) -> None:
        """The attempt waits."""
        self._run.flush(index)
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(
            NodeWaiting(log.seq + 1, now_us, self._path, node_id, attempt, until_us, wait.signal, wait.reason, state)
        )
        self._machine.waiting(index, wait.signal, until_us)
        self._keep(index, state)

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

    def parked(self, index: int) -> None:
        """The node has begun before, and must not do so twice unasked."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeWaiting(log.seq + 1, self._now(), self._path, node_id, attempt, None, None, PARKED, None))
        self._machine.park(index)

    def answered(self, index: int, answer: Answer, value: Value) -> None:
        """Somebody said what becomes of a parked node. With `value` it completes with that, which must be an object."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        told: Value = {"answer": answer, "value": value} if answer == "value" else {"answer": answer}
        log.append(NodeWoken(log.seq + 1, self._now(), self._path, node_id, attempt, "answer", told))
        self._machine.answered(index, answer)

    def skips(self) -> None:
        """All nodes that are to be skipped or parked by now, and those that are to be because of them."""
        machine, log = self._machine, self._log
        while machine.skips and machine.stopped is None:
            index, why = machine.skips[0]
            if why is None:
                self.parked(index)
                continue
            log.append(NodeSkipped(log.seq + 1, self._now(), self._path, self._nodes[index].id, 0, why))
            machine.skipped(index)

    def cancelled(self, index: int, why: str, state: State = None) -> None:
        """The node ran or waited when the run was stopped."""
        self._run.flush(index, ended=True)
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeCancelled(log.seq + 1, self._now(), self._path, node_id, attempt, why, state))
        self._machine.cancelled(index)
        self._keep(index, state)

    def end_waiting(self, why: str) -> None:
        """What waits or is in backoff when the run was stopped gets its event."""
        machine = self._machine
        if machine.has_unfinished:
            # Ready nodes that have begun before were woken, or their backoff is over, and there was no slot yet.
            begun = [index for index in machine.ready if index in machine.continuing or index in machine.failures]
            for index in [*machine.nodes_with(RETRYING, WAITING), *begun]:
                self.cancelled(index, why)

    def end_running(self, why: str) -> None:
        """What still runs when the run was stopped gets its event."""
        if self._machine.running:
            for index in self._machine.nodes_with(RUNNING):
                self.cancelled(index, why)

    def restarting(self, run_attempt: int, delay_ms: float) -> int:
        """All nodes start again after the delay; the time of that comes back."""
        log, error, now_us = self._log, self._machine.error, self._now()
        retry_at_us = now_us + round(delay_ms * 1000)
        log.append(WorkflowRetrying(log.seq + 1, now_us, self._path, run_attempt, error or {}, delay_ms, retry_at_us))
        self._machine.restart()
        return retry_at_us

    def warn(self, index: int, message: str) -> None:
        """The engine says something of a node that runs."""
        log, node_id, attempt = self._log, self._nodes[index].id, self._machine.attempts[index]
        log.append(NodeEvent(log.seq + 1, self._now(), self._path, node_id, attempt, "Warning", {"message": message}))

    def warn_of_contest(self, index: int) -> None:
        """Several values reached a port that takes one."""
        for port in self._machine.contested[index]:
            self.warn(index, f"Several values reached port {port!r}; the last connection in the document counts.")

    def _keep(self, index: int, state: State) -> None:
        if state is not None:
            self._machine.states[index] = state
