"""Replays a log against the rules of the contract, as a slow simulation that shares no code with the engine.

The log is taken as the order in which things happened; everything else is worked out anew: which nodes are ready, when
an attempt ends and how, what follows, how long a delay is. Every event must be allowed when it stands there, and
whenever time passes, nothing may have been left undone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from flowcore.events import (
    Event,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowCompleted,
    WorkflowRetrying,
    WorkflowStarted,
)

from tests.properties.naive_rules import Decision, Ended, decide, settle_races
from tests.properties.troubles import Call, Happening, Played, Trouble

__all__ = ["Referee"]

GRACE_US = 10_000_000
#: How an attempt may come to its end, with the moment.
Endings: TypeAlias = dict[str, int]
_RETRYABLE = {"error": True, "wish": True, "timeout": True, "fatal": False, "failed": True}
_CODES = {
    "error": "node.exception",
    "wish": "test.wish",
    "timeout": "node.timeout",
    "fatal": "test.fatal",
    "failed": "test.cleanup",
}
_DEFAULTS = {
    "max_attempts": 3,
    "delay_ms": 1000,
    "backoff_multiplier": 2.0,
    "max_delay_ms": 60_000,
    "jitter": 0.1,
    "retry_on_timeout": True,
}


@dataclass
class NodeState:
    """Where a node stands."""

    phase: Literal["idle", "running", "backoff", "waiting", "woken", "ended"] = "idle"
    attempt: int = 0
    failures: int = 0
    started_us: int = 0
    #: How long earlier calls of the attempt took.
    active_us: int = 0
    #: When the call began; None before the node's code was reached.
    called_us: int | None = None
    calls: int = 0
    #: Calls since all nodes started: what its state counts.
    known_calls: int = 0
    due_us: int | None = None
    signal: str | None = None
    #: What a signal brought that has not been recorded.
    brought: list[Any] = field(default_factory=list)
    woken: tuple[str, Any] | None = None


class Referee:
    """Raises AssertionError where the log breaks a rule."""

    def __init__(self, trouble: Trouble, played: Played) -> None:
        self.trouble = trouble
        self.document = trouble.document
        self.given = {given["id"]: given for given in trouble.document["nodes"]}
        self.played = played
        self.random = random.Random(trouble.seed)
        settings = trouble.document["settings"]
        self.slots = settings["max_parallel_nodes"] or 10**9
        self.limit_us = (settings["max_execution_time_ms"] or 3_600_000) * 1000
        self.on_error = settings["on_error"]
        self.now = 0
        self.started_us = 0
        self.active_us = 0
        self.attempts = dict.fromkeys(self.given, 0)
        self.run_attempt = 1
        self.keys: dict[str, str] = {}
        self.over = False
        self.begin_again(0)

    def begin_again(self, at_us: int) -> None:
        self.restart_us = at_us
        self.nodes = {node_id: NodeState(attempt=self.attempts[node_id]) for node_id in self.given}
        self.ended: dict[str, Ended] = {}
        self.winners: dict[tuple[str, str], tuple[str, str]] = {}
        self.stopped: Literal["failed", "cancelled"] | None = None
        self.stopped_us = 0
        self.error: dict[str, Any] | None = None
        self.is_cancel_wanted = False

    # --- the log ------------------------------------------------------------------------------------

    def check(self) -> None:
        happened = list(self.played.happened)
        for number, event in enumerate(self.played.log, start=1):
            assert event.seq == number
            while happened and happened[0][0] < event.seq:
                seq, at_us, happening, taken = happened.pop(0)
                self.move_to(at_us)
                self.happen(seq, happening, taken=taken)
            self.move_to(event.at_us)
            assert not self.over, event
            self.take(event)
        assert self.over

    def happen(self, seq: int, happening: Happening, *, taken: bool) -> None:
        if self.over:
            assert not taken
        elif happening.signal is None:
            self.is_cancel_wanted = True
            self.stop("cancelled")
        else:
            woken = [one for one in self.nodes.values() if one.phase == "waiting" and one.signal == happening.signal]
            woken = [one for one in woken if not one.brought]
            assert taken == bool(woken)
            for one in woken:
                one.brought.append(seq)

    def take(self, event: Event) -> None:
        match event:
            case WorkflowStarted():
                self.started_us = self.now
            case WorkflowRetrying():
                self.take_restart(event)
            case WorkflowCompleted():
                self.take_end(event)
            case NodeEvent():
                self.take_words(event)
            case NodeSkipped():
                assert self.decision(event.node_id) == "skip"
                self.end(event.node_id, Ended("skipped", {}))
            case NodeStarted():
                self.take_start(event)
            case NodeWaiting():
                self.take_wait(event)
            case NodeWoken():
                self.take_wake(event)
            case NodeRetrying() | NodeFailed():
                self.take_failure(event)
            case NodeCompleted():
                self.take_completion(event)
            case NodeCancelled():
                self.take_cancellation(event)
            case _:
                raise AssertionError(event)

    def take_start(self, event: NodeStarted) -> None:
        one = self.nodes[event.node_id]
        assert self.may_start(event.node_id), (event, one)
        assert self.running() < self.slots
        assert event.attempt == one.attempt + 1
        one.phase, one.attempt, one.started_us, one.active_us = "running", event.attempt, self.now, 0
        one.called_us, one.calls, one.woken = None, 0, None
        self.attempts[event.node_id] = event.attempt

    def take_words(self, event: NodeEvent) -> None:
        one = self.nodes[event.node_id]
        assert event.attempt == one.attempt
        if event.event_type == "Warning":
            decided = self.decision(event.node_id)
            assert isinstance(decided, Decision)
            assert any(repr(port) in event.content["message"] for port in decided.contested)
            return
        if one.phase == "woken":
            assert self.running() < self.slots
            assert self.stopped is None
            one.phase, one.called_us = "running", None
        assert one.phase == "running"
        assert one.called_us is None
        assert event.content == {"message": f"call {one.calls}"}
        self.check_sight(event.node_id, one)
        one.called_us = self.now
        one.calls += 1
        one.known_calls += 1

    def check_sight(self, node_id: str, one: NodeState) -> None:
        seen = next(
            seen for seen in self.played.seen[node_id] if seen.attempt == one.attempt and seen.call == one.calls
        )
        decided = self.decision(node_id)
        assert isinstance(decided, Decision)
        assert {port: _named(value) for port, value in seen.inputs.items()} == decided.inputs
        assert seen.woken == one.woken
        assert seen.known_calls == one.known_calls
        assert self.keys.setdefault(node_id, seen.key) == seen.key

    def take_wait(self, event: NodeWaiting) -> None:
        one, call = self.ending(event, "wait")
        assert (event.until_us, event.signal) == (
            None if call.until_us is None else self.now + call.until_us,
            call.signal,
        )
        assert one.called_us is not None
        one.phase, one.due_us, one.signal = "waiting", event.until_us, call.signal
        one.active_us += self.now - one.called_us

    def take_wake(self, event: NodeWoken) -> None:
        one = self.nodes[event.node_id]
        assert (one.phase, one.attempt, self.stopped) == ("waiting", event.attempt, None)
        if event.reason == "signal":
            assert event.value == one.brought.pop(0)
        else:
            assert (event.reason, one.due_us) == ("due", self.now)
        one.phase, one.woken = "woken", (event.reason, event.value)
        one.due_us = one.signal = None
        one.brought.clear()

    def take_failure(self, event: NodeRetrying | NodeFailed) -> None:
        how = next(how for how, code in _CODES.items() if code == event.error["code"])
        one, call = self.ending(event, how)
        assert (event.error["node_id"], event.error["attempt"]) == (event.node_id, one.attempt)
        assert event.state == {"calls": one.known_calls} or not one.calls
        failures = one.failures = one.failures + 1
        policy = self.policy(event.node_id)
        is_retried = self.stopped is None and _RETRYABLE[how] and failures < policy["max_attempts"]
        if how == "timeout" and not policy["retry_on_timeout"]:
            is_retried = False
        assert isinstance(event, NodeRetrying) == is_retried
        if isinstance(event, NodeRetrying):
            delay_ms = self.delay_ms(policy, failures)
            if how == "wish":
                delay_ms = max(delay_ms, min(call.wish_seconds * 1000, policy["max_delay_ms"]))
            assert event.delay_ms == delay_ms
            assert event.retry_at_us == self.now + round(delay_ms * 1000)
            one.phase, one.due_us = "backoff", event.retry_at_us
            return
        then = self.given[event.node_id]["on_error"]
        if then is None:
            then = "continue" if self.on_error == "ContinueOnError" else "stop"
        assert event.then == then
        assert event.duration_ms == (self.now - one.started_us) / 1000
        self.end(event.node_id, Ended("failed", {"error": "error"} if then == "route" else {}))
        if then == "stop":
            if self.stopped is None:
                self.error = {**event.error, "fatal": how == "fatal"}
            self.stop("failed")

    def take_completion(self, event: NodeCompleted) -> None:
        one, call = self.ending(event, "late" if event.outputs.get("x", "").endswith(".late") else "give")
        if not event.outputs.get("x", "").endswith(".late"):
            assert event.outputs == {port: f"{event.node_id}.{port}" for port in call.gives}
        assert event.duration_ms == (self.now - one.started_us) / 1000
        assert event.state == {"calls": one.known_calls}
        self.end(event.node_id, Ended("completed", dict(event.outputs)))

    def take_cancellation(self, event: NodeCancelled) -> None:
        one = self.nodes[event.node_id]
        assert event.attempt == one.attempt
        if one.phase == "running":
            self.ending(event, "cancelled")
        else:
            assert one.phase in {"waiting", "backoff", "woken"}
            if self.stopped is None:
                self.run_out_of_time()
            assert self.now == self.stopped_us
        self.end(event.node_id, Ended("cancelled", {}))

    def ending(self, event: Any, how: str) -> tuple[NodeState, Call]:
        """The node whose attempt ends so now, as it may."""
        one = self.nodes[event.node_id]
        assert (one.phase, one.attempt) == ("running", event.attempt)
        if self.stopped is None and how in {"late", "failed", "cancelled"}:
            self.run_out_of_time()
        endings = self.endings(event.node_id)
        assert endings.get(how) == self.now, (event, how, endings)
        calls = self.trouble.scripts[event.node_id].calls(one.attempt)
        return one, calls[max(0, one.calls - 1)]

    def take_restart(self, event: WorkflowRetrying) -> None:
        assert self.is_at_end()
        assert self.would_restart()
        assert self.active_us < self.limit_us
        assert event.run_attempt == self.run_attempt + 1
        assert event.error["node_id"] == (self.error or {})["node_id"]
        delay_ms = self.delay_ms(_DEFAULTS, self.run_attempt)
        assert event.delay_ms == delay_ms
        assert event.retry_at_us == self.now + round(delay_ms * 1000)
        self.run_attempt += 1
        self.begin_again(event.retry_at_us)

    def take_end(self, event: WorkflowCompleted) -> None:
        assert self.is_at_end()
        if self.would_restart():
            assert self.active_us >= self.limit_us
            self.error = {"code": "execution.timeout"}
        assert event.status == (self.stopped or "succeeded")
        assert event.duration_ms == (self.now - self.started_us) / 1000
        if self.stopped == "failed":
            assert event.error is not None
            completed = [node_id for node_id, ended in self.ended.items() if ended.how == "completed"]
            assert event.error["completed"] == completed
            assert self.error is not None
            assert event.error["code"] == self.error["code"]
            assert event.error.get("node_id") == self.error.get("node_id")
        else:
            assert event.error is None
        self.over = True

    # --- the rules ----------------------------------------------------------------------------------

    def move_to(self, at_us: int) -> None:
        """Time passes."""
        assert at_us >= self.now
        if at_us == self.now or not self.started_us:
            self.now = at_us
            return
        if self.over:
            return
        limit_us = max(self.now, self.now + self.limit_us - self.active_us)
        if self.stopped is None and self.running() and limit_us < at_us:
            # The stop alone is no event: attempts may take their time to end after it.
            if limit_us > self.now:
                self.move_to(limit_us)
            self.run_out_of_time()
        self.check_nothing_left()
        upcoming = self.upcoming()
        assert at_us <= min(upcoming, default=at_us), (at_us, upcoming)
        if self.running():
            self.active_us += at_us - self.now
        self.now = at_us

    def check_nothing_left(self) -> None:
        """Nothing is left undone that should have been done by now."""
        assert not self.is_at_end(), "the execution should have ended"
        for node_id, one in self.nodes.items():
            if one.phase == "running":
                assert one.called_us is not None or self.stopped is not None, f"{node_id} was not called"
            assert not one.brought or self.stopped is not None, f"{node_id} was not woken"
            if self.stopped is not None:
                assert one.phase in {"idle", "running", "ended"}, f"{node_id} is {one.phase} after the stop"
                continue
            if self.now < self.restart_us:
                continue
            assert one.phase != "idle" or self.decision(node_id) != "skip", f"{node_id} was not skipped"
            if self.running() < self.slots:
                assert one.phase != "woken", f"{node_id} did not go on"
                assert not self.may_start(node_id), f"{node_id} did not start"

    def upcoming(self) -> list[int]:
        """The moments at which something must happen, all of them after now."""
        moments = [max(self.endings(node_id).values()) for node_id, one in self.nodes.items() if one.phase == "running"]
        if self.stopped is None:
            for one in self.nodes.values():
                if one.due_us is not None and one.phase == "waiting":
                    moments.append(one.due_us)
                if one.due_us is not None and one.phase == "backoff" and self.running() < self.slots:
                    moments.append(one.due_us)
            if self.running():
                moments.append(max(self.now, self.now + self.limit_us - self.active_us))
            if self.restart_us > self.now:
                moments.append(self.restart_us)
        return moments

    def endings(self, node_id: str) -> Endings:
        """How the running attempt may end, and when."""
        one, script = self.nodes[node_id], self.trouble.scripts[node_id]
        if one.called_us is None:
            return {} if self.stopped is None else {"cancelled": self.stopped_us}
        call = script.calls(one.attempt)[one.calls - 1]
        natural_us = one.called_us + call.takes_us
        deadline_us = one.called_us - one.active_us + (self.given[node_id]["timeout_ms"] or 300_000) * 1000
        endings: Endings = {}
        last_us = self.stopped_us if self.stopped is not None else max(natural_us, deadline_us)
        if natural_us <= min(deadline_us, last_us):
            endings[call.then] = natural_us
        if deadline_us <= min(natural_us, last_us):
            endings["timeout"] = deadline_us
        if self.stopped is not None and natural_us >= self.stopped_us and deadline_us >= self.stopped_us:
            reaction = script.reaction
            if reaction.takes_us <= GRACE_US:
                endings[reaction.then] = self.stopped_us + reaction.takes_us
            if reaction.takes_us >= GRACE_US:
                endings["cancelled"] = self.stopped_us + GRACE_US
        return endings

    def may_start(self, node_id: str) -> bool:
        one = self.nodes[node_id]
        if self.stopped is not None or self.now < self.restart_us:
            return False
        if one.phase == "backoff":
            return one.due_us is not None and one.due_us <= self.now
        return one.phase == "idle" and isinstance(self.decision(node_id), Decision)

    def decision(self, node_id: str) -> Decision | Literal["skip"] | None:
        return decide(self.document, node_id, self.ended, self.winners)

    def running(self) -> int:
        return sum(one.phase == "running" for one in self.nodes.values())

    def end(self, node_id: str, ended: Ended) -> None:
        self.nodes[node_id].phase = "ended"
        self.ended[node_id] = ended
        settle_races(self.document, node_id, self.ended, self.winners)

    def stop(self, how: Literal["failed", "cancelled"]) -> None:
        if self.stopped is None:
            self.stopped, self.stopped_us = how, self.now

    def run_out_of_time(self) -> None:
        assert self.active_us >= self.limit_us
        self.error = {"code": "execution.timeout", "fatal": True}
        self.stop("failed")

    def is_at_end(self) -> bool:
        if self.stopped is not None:
            return all(one.phase in {"idle", "ended"} for one in self.nodes.values())
        return len(self.ended) == len(self.nodes)

    def would_restart(self) -> bool:
        """Whether all nodes start again once the last one has ended."""
        return (
            self.stopped == "failed"
            and not self.is_cancel_wanted
            and self.error is not None
            and not self.error["fatal"]
            and isinstance(self.on_error, dict)
            and self.run_attempt < int(self.on_error["RetryWorkflow"]["max_attempts"])
        )

    def policy(self, node_id: str) -> dict[str, Any]:
        given = self.given[node_id]["retry_policy"]
        return {**_DEFAULTS, **given} if given is not None else {**_DEFAULTS, "max_attempts": 1}

    def delay_ms(self, policy: dict[str, Any], failures: int) -> float:
        grown = policy["delay_ms"] * policy["backoff_multiplier"] ** (failures - 1)
        chance = self.random.uniform(-1, 1)
        return float(min(policy["max_delay_ms"], grown) * (1 + policy["jitter"] * chance))


def _named(value: Any) -> Any:
    """An error object by the word that the model has for it."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    return "error" if isinstance(value, dict) else value
