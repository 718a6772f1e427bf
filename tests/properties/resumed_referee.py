"""Judges the log of an execution that was interrupted and taken up again, some number of times.

The rules of a run hold before and after. In between: time that passed does not count, attempts that were running are
interrupted and made again under the next number, or cancelled when the execution was being stopped, and what an
attempt changed without ending is forgotten.
"""

from __future__ import annotations

import random
from typing import Any

from flowcore.events import Event, NodeCancelled, NodeFailed, NodeInterrupted, NodeStarted, WorkflowResumed

from tests.properties.naive_rules import Ended
from tests.properties.referee import Referee
from tests.properties.troubles import Played, Trouble

__all__ = ["ResumedReferee", "remembered"]

_SECOND = 2


class ResumedReferee(Referee):
    """Raises AssertionError where the log breaks a rule. What is taken up at event 1 gets no event for that."""

    def __init__(self, trouble: Trouble, played: Played) -> None:
        super().__init__(trouble, played)
        #: The calls that the recorded state of a node knows of.
        self.kept_calls: dict[str, int] = {}
        #: What interrupted attempts were woken by.
        self.told: dict[str, tuple[str, Any]] = {}
        #: Nodes whose attempts were running at the end of a process, and nothing was said of it yet.
        self.lost: set[str] = set()
        self.is_resuming = False
        #: The first one in the log that stops the workflow.
        self.failure: dict[str, Any] | None = None

    def begin_again(self, at_us: int) -> None:
        super().begin_again(at_us)
        self.kept_calls, self.told = {}, {}
        self.failure = None

    def move_to(self, at_us: int) -> None:
        if self.is_resuming:
            self.now = at_us
            return
        assert at_us == self.now or not self.lost, self.lost
        super().move_to(at_us)

    def check(self) -> None:
        happened = list(self.played.happened)
        for number, event in enumerate(self.played.log, start=1):
            assert event.seq == number
            # What is pending is taken up without an event.
            self.is_resuming = isinstance(event, WorkflowResumed) or number == _SECOND
            while happened and happened[0][0] < event.seq:
                seq, at_us, happening, taken = happened.pop(0)
                self.move_to(at_us)
                self.happen(seq, happening, taken=taken)
            self.move_to(event.at_us)
            self.is_resuming = False
            assert not self.over, event
            self.take(event)
        assert self.over

    def take(self, event: Event) -> None:
        if isinstance(event, NodeCancelled) and event.why.startswith("the execution took too long"):
            self.failure = self.failure or {"code": "execution.timeout", "fatal": True}
        match event:
            case WorkflowResumed():
                self.take_up()
            case NodeInterrupted():
                self.lost.remove(event.node_id)
                one = self.nodes[event.node_id]
                assert self.stopped is None
                assert event.attempt == one.attempt
                if one.woken is not None:
                    self.told[event.node_id] = one.woken
                one.phase, one.due_us = "backoff", self.now
                one.known_calls = self.kept_calls.get(event.node_id, 0)
            case NodeCancelled() if event.node_id in self.lost:
                self.lost.remove(event.node_id)
                assert self.stopped is not None
                self.end(event.node_id, Ended("cancelled", {}))
            case _:
                if isinstance(event, NodeFailed) and event.then == "stop" and self.failure is None:
                    self.failure = {**event.error, "fatal": not event.error["retryable"]}
                super().take(event)
                state = getattr(event, "state", None)
                if state is not None:
                    self.kept_calls[event.node_id] = state["calls"]  # type: ignore[union-attr]

    def take_start(self, event: NodeStarted) -> None:
        super().take_start(event)
        self.nodes[event.node_id].woken = self.told.pop(event.node_id, None)

    def take_up(self) -> None:
        self.random = random.Random(self.trouble.seed)
        self.restart_us = max(self.restart_us, self.now)
        self.lost = {name for name, one in self.nodes.items() if one.phase in {"running", "woken"}}
        for one in self.nodes.values():
            one.brought.clear()
            if one.due_us is not None:
                one.due_us = max(one.due_us, self.now)
        if self.stopped == "failed" and self.failure is not None:
            self.error = self.failure  # a limit that was exceeded before and cancelled no node is no event
        if self.active_us >= self.limit_us and self.stopped is None:
            self.run_out_of_time()
        elif self.stopped is not None:
            self.is_cancel_wanted = False
            self.stopped_us = self.now


def remembered(log: list[Any], happened: list[Any]) -> list[Any] | None:
    """What happened from outside, as far as a log knows of it; None when it began to be stopped and does not say so."""
    known = [one for one in happened if one[0] < len(log)]
    for seq, _, happening, taken in known:
        if happening.signal is None and taken and not any(isinstance(event, NodeCancelled) for event in log[seq:]):
            return None
    return known
