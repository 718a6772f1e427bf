"""Plays the executor for a pure machine: any interleaving, with retries, waits and interruptions as they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flowcore.events import (
    TOP,
    Event,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowRetrying,
)
from flowruntime.authoring import Woken
from flowruntime.engine.machine import (
    CANCELLED,
    COMPLETED,
    FAILED,
    READY,
    RETRYING,
    RUNNING,
    SKIPPED,
    WAITING,
    Machine,
)
from flowruntime.engine.replaying import replay
from flowruntime.plan import Plan

from tests.properties.random_workflows import Scenario

__all__ = ["WORDS", "Driver"]

WORDS = {COMPLETED: "completed", FAILED: "failed", SKIPPED: "skipped", CANCELLED: "cancelled"}
#: So often a node is kept from its end.
_DETOURS = 3


class Driver:
    """`choose` decides everything that is open; `detours` are drawn where `has_detours`. `events` is the log."""

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        choose: Callable[[], bool],
        events: Iterable[Event] = (),
        *,
        has_detours: bool = False,
    ) -> None:
        self.plan = plan
        self.scenario = scenario
        self.choose = choose
        self.machine = Machine(plan)
        self.events: list[Event] = []
        self.detours = dict.fromkeys(range(len(plan.nodes)), _DETOURS if has_detours else 0)
        self.running: list[int] = []
        self.peak = 0
        for event in events:
            replay(self.machine, event)
            self.events.append(event)
        self.asleep = self.machine.nodes_with(RETRYING, WAITING)
        for node in self.machine.nodes_with(RUNNING):
            if self.machine.stopped is None:
                self.interrupt(node)
            else:
                self.running.append(node)

    def run(self) -> None:
        """To the end."""
        machine = self.machine
        self.record_skips()
        while machine.stopped is None and not machine.finished:
            if self.asleep and (not (self.running or machine.has_ready()) or self.choose()):
                self.wake(self.asleep.pop(0 if self.choose() else -1))
            elif self.running and (not machine.has_ready() or self.choose()):
                self.end(self.running.pop(0 if self.choose() else -1))
            else:
                self.start()
            self.record_skips()
        if machine.stopped is not None:
            self.wind_down()

    def start(self) -> None:
        node = self.machine.take()
        assert node is not None, "the machine came to rest before its end"
        self.running.append(node)
        self.peak = max(self.peak, self.machine.running)
        if node in self.machine.continuing:
            self.machine.continuing.discard(node)
        else:
            attempt = self.machine.attempts[node]
            self.events.append(NodeStarted(self.seq, 0, TOP, self.plan.nodes[node].id, attempt, "t"))

    def end(self, node: int) -> None:
        if self.detours[node] and self.choose():
            self.detours[node] -= 1
            self.take_detour(node)
            return
        planned = self.plan.nodes[node]
        outcome = self.scenario.outcomes[planned.id]
        attempt = self.machine.attempts[node]
        if outcome.fails:
            error = {"message": "made to fail"}
            self.events.append(NodeFailed(self.seq, 0, TOP, planned.id, attempt, error, planned.then, 0.0, None))
            self.machine.failed(node, error, planned.then)
        else:
            outputs = {port: f"{planned.id}.{port}" for port in outcome.gives}
            self.events.append(NodeCompleted(self.seq, 0, TOP, planned.id, attempt, outputs, 0.0, None, None))
            self.machine.completed(node, outputs)

    def take_detour(self, node: int) -> None:
        """The attempt is retried, waits for a time or a signal, or goes away with its process."""
        node_id, attempt = self.plan.nodes[node].id, self.machine.attempts[node]
        if self.choose():
            error = {"message": "not yet"}
            self.events.append(NodeRetrying(self.seq, 0, TOP, node_id, attempt, error, 0.0, 5, None))
            self.machine.retrying(node, 5)
            self.asleep.append(node)
        elif self.choose():
            until_us, signal = (7, None) if self.choose() else (None, "go")
            self.events.append(NodeWaiting(self.seq, 0, TOP, node_id, attempt, until_us, signal, None, None))
            self.machine.waiting(node, signal, until_us)
            self.asleep.append(node)
        else:
            self.interrupt(node)

    def interrupt(self, node: int) -> None:
        node_id, attempt = self.plan.nodes[node].id, self.machine.attempts[node]
        self.events.append(NodeInterrupted(self.seq, 0, TOP, node_id, attempt))
        self.machine.interrupted(node)

    def wake(self, node: int) -> None:
        if self.machine.status[node] == RETRYING:
            self.machine.due(node)
            return
        node_id, attempt = self.plan.nodes[node].id, self.machine.attempts[node]
        self.events.append(NodeWoken(self.seq, 0, TOP, node_id, attempt, "due", None))
        self.machine.wake(node, Woken(reason="due"))

    def wind_down(self) -> None:
        """Whatever has started gets its end."""
        begun = {event.node_id for event in self.since_restart() if isinstance(event, NodeStarted)}
        for node in self.machine.nodes_with(RUNNING, WAITING, RETRYING, READY):
            node_id, attempt = self.plan.nodes[node].id, self.machine.attempts[node]
            if node_id in begun:
                self.events.append(NodeCancelled(self.seq, 0, TOP, node_id, attempt, "it was stopped", None))
                self.machine.cancelled(node)
        self.running.clear()
        self.asleep.clear()

    def record_skips(self) -> None:
        while self.machine.skips:
            node, why = self.machine.skips[0]
            assert why is not None  # there are no nodes here that must not run twice
            self.events.append(NodeSkipped(self.seq, 0, TOP, self.plan.nodes[node].id, 0, why))
            self.machine.skipped(node)

    @property
    def seq(self) -> int:
        return len(self.events) + 1

    def since_restart(self) -> list[Event]:
        """The events since all nodes started the last time."""
        restarts = [number for number, event in enumerate(self.events) if isinstance(event, WorkflowRetrying)]
        return self.events[restarts[-1] + 1 :] if restarts else self.events

    def states(self) -> dict[str, str]:
        """How nodes have ended."""
        return {
            self.plan.nodes[node].id: WORDS[status]
            for node, status in enumerate(self.machine.status)
            if status in WORDS
        }
