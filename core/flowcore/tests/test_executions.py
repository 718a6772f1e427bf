"""Executions: the fold over a log gives status, nodes and result, after every prefix of it."""

from __future__ import annotations

import json
from typing import Any

from flowcore.events import (
    TOP,
    Event,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    Path,
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowRetrying,
    WorkflowStarted,
)
from flowcore.executions import FINAL_STATUSES, Execution, idempotency_key
from hypothesis import given
from hypothesis import strategies as st

ERROR = {"type": "NodeError", "code": "node.failed", "message": "It failed."}
LOOP: Path = (("loop", 0, 1),)


class Log:
    """Builds a log event by event; seq and time go on by themselves."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, kind: Any, *values: Any) -> Log:
        seq = len(self.events) + 1
        self.events.append(kind(seq, seq * 1000, *values))
        return self

    def begin(self) -> Log:
        return self.add(WorkflowStarted, "w", None, {"a": 1}, {"type": "manual"}, {"t": 1})

    def start(self, node_id: str, attempt: int = 1, path: Path = TOP) -> Log:
        return self.add(NodeStarted, path, node_id, attempt, "t")

    def complete(self, node_id: str, attempt: int = 1, path: Path = TOP) -> Log:
        return self.add(NodeCompleted, path, node_id, attempt, {"value": node_id}, 1.5, None, None)

    def fail(self, node_id: str, then: str) -> Log:
        return self.add(NodeFailed, TOP, node_id, 1, ERROR, then, 2.5, None)

    def end(self, status: str = "succeeded", error: Any = None) -> Log:
        return self.add(WorkflowCompleted, status, {"r": 1}, error, 9.5)

    def fold(self) -> Execution:
        return Execution.fold("e1", self.events)

    def status_of(self, node_id: str, path: Path = TOP) -> str:
        return self.fold().nodes[path, node_id].status


def test_the_status_follows_the_log_from_pending_to_its_end() -> None:
    log = Log()
    assert log.fold().status == "pending"
    assert log.begin().fold().status == "pending"
    assert log.start("a").fold().status == "running"
    assert log.complete("a").fold().status == "running"
    assert log.end().fold().status == "succeeded"
    assert log.fold().status in FINAL_STATUSES


def test_the_result_names_nodes_in_the_order_of_their_ends() -> None:
    log = Log().begin().start("a").start("b").start("c").start("d")
    log.complete("b").fail("a", "continue").add(NodeSkipped, TOP, "e", 0, "no live arrow").complete("c")
    log.start("inner", path=LOOP).complete("inner", path=LOOP).fail("d", "stop").end("failed", ERROR)
    result = log.fold().result(total_nodes=5)
    assert result.completed_nodes == ("b", "c")
    assert result.failed_nodes == ("a", "d")
    assert result.skipped_nodes == ("e",)
    assert result.node_outputs == {"b": {"value": "b"}, "c": {"value": "c"}}
    assert (result.status, result.success, result.error) == ("failed", False, ERROR)
    assert (result.outputs, result.duration_ms, result.total_nodes) == ({"r": 1}, 9.5, 5)
    assert result.started_at == "1970-01-01T00:00:00.001000Z"
    assert json.loads(json.dumps(result.to_json()))["failed_nodes"] == ["a", "d"]


def test_a_routed_failure_gives_its_error_to_the_port() -> None:
    view = Log().begin().start("a").fail("a", "route").fold().nodes[TOP, "a"]
    assert (view.status, view.outputs, view.error) == ("failed", {"error": ERROR}, ERROR)


def test_an_execution_in_which_all_nodes_wait_is_waiting() -> None:
    log = Log().begin().start("a").start("b")
    log.add(NodeWaiting, TOP, "a", 1, 5000, None, "until noon", None)
    assert log.fold().status == "running"
    log.add(NodeRetrying, TOP, "b", 1, ERROR, 1000.0, 9000, None)
    assert (log.fold().status, log.status_of("a"), log.status_of("b")) == ("waiting", "waiting", "retrying")
    log.add(NodeWoken, TOP, "a", 1, "due", None)
    assert (log.fold().status, log.status_of("a")) == ("running", "running")
    assert log.complete("a").fold().status == "waiting"
    assert log.start("b", 2).fold().status == "running"


def test_an_execution_is_waiting_when_all_nodes_inside_its_containers_wait() -> None:
    log = Log().begin().start("loop").start("a", path=LOOP)
    assert log.fold().status == "running"
    log.add(NodeWaiting, LOOP, "a", 1, 5000, None, None, None)
    assert (log.fold().status, log.status_of("loop")) == ("waiting", "running")
    log.add(NodeWoken, LOOP, "a", 1, "due", None)
    assert log.fold().status == "running"
    assert (log.complete("a", path=LOOP).complete("loop").fold().active, log.status_of("loop")) == (0, "completed")


def test_what_a_node_waited_for_is_not_told_of_one_that_went_on() -> None:
    log = Log().begin().start("a").add(NodeWaiting, TOP, "a", 1, 5000, None, "until noon", None)
    assert log.fold().nodes[TOP, "a"].why == "until noon"
    log.add(NodeWoken, TOP, "a", 1, "due", None).complete("a")
    assert log.fold().nodes[TOP, "a"].why is None


def test_an_error_of_an_earlier_attempt_is_not_told_of_the_next() -> None:
    log = Log().begin().start("a").add(NodeRetrying, TOP, "a", 1, ERROR, 1.0, 5000, {"cursor": 5})
    assert log.fold().nodes[TOP, "a"].error == ERROR
    view = log.start("a", 2).fold().nodes[TOP, "a"]
    assert (view.error, view.attempt, view.state) == (None, 2, {"cursor": 5})


def test_an_interrupted_attempt_neither_runs_nor_waits() -> None:
    log = Log().begin().start("a").add(WorkflowResumed, "the process was gone").add(NodeInterrupted, TOP, "a", 1)
    execution = log.fold()
    assert (execution.nodes[TOP, "a"].status, execution.active, execution.asleep) == ("interrupted", 0, 0)
    assert log.start("a", 2).complete("a", 2).end().fold().result(1).completed_nodes == ("a",)


def test_what_waits_is_waiting_when_it_was_taken_up() -> None:
    log = Log().begin().start("a").add(NodeWaiting, TOP, "a", 1, None, "go", None, None)
    assert log.add(WorkflowResumed, "the process was gone").fold().status == "waiting"
    assert log.add(NodeWoken, TOP, "a", 1, "signal", None).fold().status == "running"


def test_a_workflow_that_starts_again_forgets_the_ends_of_its_nodes() -> None:
    log = Log().begin().start("a").complete("a").start("b").fail("b", "stop")
    log.add(WorkflowRetrying, TOP, 2, ERROR, 1000.0, 99_000)
    execution = log.fold()
    assert (execution.run_attempt, execution.ended, execution.active) == (2, {}, 0)
    view = execution.nodes[TOP, "a"]
    assert (view.status, view.outputs, view.ended_us, view.attempt) == ("interrupted", None, None, 1)
    log.start("a", 2).complete("a", 2).start("b", 2).complete("b", 2).end()
    assert log.fold().result(2).completed_nodes == ("a", "b")


def test_a_child_that_starts_again_leaves_the_others_alone() -> None:
    log = Log().begin().start("a").complete("a").start("loop").start("inner", path=LOOP).complete("inner", path=LOOP)
    log.add(WorkflowRetrying, LOOP, 2, ERROR, 1.0, 9000)
    assert log.status_of("inner", LOOP) == "interrupted"
    assert (log.status_of("a"), log.status_of("loop")) == ("completed", "running")
    assert log.fold().run_attempt == 1


def test_cancelled_nodes_say_why() -> None:
    view = Log().begin().start("a").add(NodeCancelled, TOP, "a", 1, "stopped", None).fold().nodes[TOP, "a"]
    assert (view.status, view.why, view.ended_us) == ("cancelled", "stopped", 3000)


def test_what_a_node_says_changes_nothing_but_the_seq() -> None:
    log = Log().begin().start("a")
    before = log.fold()
    after = log.add(NodeEvent, TOP, "a", 1, "Info", {"message": "hello"}).fold()
    assert after.seq == before.seq + 1
    after.seq = before.seq
    assert after == before


def test_the_same_node_at_two_paths_has_two_views() -> None:
    log = Log().begin().start("a").start("a", path=LOOP).complete("a", path=LOOP)
    assert (log.status_of("a"), log.status_of("a", LOOP)) == ("running", "completed")
    assert "a" not in log.fold().ended


def test_the_idempotency_key_is_the_same_in_every_attempt_of_its_containers() -> None:
    first = idempotency_key("e1", (("loop", 3, 1),), "send")
    assert first == idempotency_key("e1", (("loop", 3, 2),), "send")
    others = [("e2", 3, "send"), ("e1", 4, "send"), ("e1", None, "send"), ("e1", 3, "sent")]
    keys = {idempotency_key(execution, (("loop", index, 1),), node) for execution, index, node in others}
    assert len(keys | {first}) == 5
    assert len(first) == 32


NODE_EVENTS: st.SearchStrategy[Any] = st.sampled_from(
    [
        (NodeStarted, "t"),
        (NodeWaiting, None, "go", "a signal", None),
        (NodeWoken, "signal", 1),
        (NodeEvent, "Info", {"message": "m"}),
        (NodeRetrying, ERROR, 1.0, 5000, {"n": 1}),
        (NodeInterrupted,),
        (NodeCompleted, {"value": 1}, 1.0, None, None),
        (NodeFailed, ERROR, "continue", 1.0, None),
        (NodeSkipped, "disabled"),
        (NodeCancelled, "stopped", None),
    ]
)


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events of a few nodes in any order: more than an engine would write."""
    log = Log().begin()
    for _ in range(draw(st.integers(0, 25))):
        if draw(st.integers(0, 9)) == 0:
            path = draw(st.sampled_from([TOP, LOOP]))
            log.add(WorkflowRetrying, path, 2, ERROR, 1.0, 9000)
            continue
        kind, *values = draw(NODE_EVENTS)
        path, node_id = draw(st.sampled_from([(TOP, "a"), (TOP, "b"), (TOP, "loop"), (LOOP, "a")]))
        log.add(kind, path, node_id, draw(st.integers(1, 3)), *values)
    if draw(st.booleans()):
        log.end(draw(st.sampled_from(sorted(FINAL_STATUSES))))
    return log.events


@given(logs())
def test_any_prefix_is_an_execution_and_going_on_from_it_ends_the_same(events: list[Event]) -> None:
    whole = Execution.fold("e1", events)
    for cut in range(len(events) + 1):
        execution = Execution.fold("e1", events[:cut])
        assert execution.seq == cut
        json.dumps([execution.to_json(), execution.result(4).to_json()])
        for event in events[cut:]:
            execution.apply(event)
        assert execution == whole


@given(logs())
def test_running_and_sleeping_nodes_are_counted_right_after_every_event(events: list[Event]) -> None:
    execution = Execution(execution_id=Execution.fold("e1", ()).execution_id)
    for event in events:
        execution.apply(event)
        statuses = [view.status for view in execution.nodes.values()]
        assert execution.active == sum(
            view.status == "running" and not view.is_container for view in execution.nodes.values()
        )
        assert execution.asleep == statuses.count("waiting") + statuses.count("retrying")
