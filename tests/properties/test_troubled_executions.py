"""Whole executions in which nodes fail, wait, hang and are cancelled at random, judged by an independent referee."""

from __future__ import annotations

import pytest
from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    WorkflowRetrying,
)
from flowcore.executions import Execution
from flowruntime.engine.machine import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PENDING,
    READY,
    RETRYING,
    RUNNING,
    SKIPPED,
    SKIPPING,
    WAITING,
    Machine,
)
from flowruntime.engine.replaying import replay
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.properties.driver import Driver
from tests.properties.random_workflows import Outcome, Scenario
from tests.properties.referee import Referee
from tests.properties.troubles import Call, NodeScript, Reaction, Trouble, play, troubles

ENDS = (NodeCompleted, NodeFailed, NodeSkipped, NodeCancelled)
#: What a snapshot may say of a node that the machine, folded from the same events, has in this state.
SHOWN = {
    RUNNING: {"running"},
    RETRYING: {"retrying"},
    WAITING: {"waiting"},
    COMPLETED: {"completed"},
    FAILED: {"failed"},
    SKIPPED: {"skipped"},
    CANCELLED: {"cancelled"},
}


@given(troubles())
def test_every_event_is_what_the_rules_ask_for_at_its_moment(trouble: Trouble) -> None:
    Referee(trouble, play(trouble)).check()


@given(troubles(), st.data())
def test_the_referee_refuses_a_log_in_which_an_event_is_missing(trouble: Trouble, data: st.DataObject) -> None:
    played = play(trouble)
    # A skip may be missing where the execution was stopped at the same moment.
    kinds = NodeCompleted | NodeFailed | NodeCancelled | NodeRetrying
    candidates = [event for event in played.log if isinstance(event, kinds)]
    assume(candidates)
    missing = data.draw(st.sampled_from(candidates))
    rest = [event for event in played.log if event is not missing]
    played.log = [event._replace(seq=seq) for seq, event in enumerate(rest, start=1)]
    played.happened = [(seq - (seq >= missing.seq), *more) for seq, *more in played.happened]
    with pytest.raises((AssertionError, LookupError, StopIteration)):
        Referee(trouble, played).check()


@given(troubles())
def test_the_result_is_the_fold_of_the_log(trouble: Trouble) -> None:
    played = play(trouble)
    assert Execution.fold(played.result.execution_id, played.log).result(played.result.total_nodes) == played.result


@given(troubles())
def test_every_started_node_has_one_end_and_nothing_after_it(trouble: Trouble) -> None:
    started: set[str] = set()
    ended: list[str] = []
    for event in play(trouble).log:
        if isinstance(event, WorkflowRetrying):
            assert started <= set(ended)
            started.clear()
            ended.clear()
        elif hasattr(event, "node_id"):
            assert event.node_id not in ended
            started.add(event.node_id)
            if isinstance(event, ENDS):
                ended.append(event.node_id)
    assert started <= set(ended)


@given(troubles())
def test_every_prefix_of_the_log_folds_to_the_same_nodes_in_machine_and_snapshot(trouble: Trouble) -> None:
    played = play(trouble)
    plan = trouble.plan()
    machine, snapshot = Machine(plan), Execution(execution_id=played.result.execution_id)
    for event in played.log:
        replay(machine, event)
        snapshot.apply(event)
        if isinstance(event, WorkflowRetrying):
            assert set(machine.status) <= {PENDING, READY, SKIPPING}
            continue
        views = {view.node_id: view.status for view in snapshot.nodes.values()}
        for node, status in enumerate(machine.status):
            if status in SHOWN:
                assert views[plan.nodes[node].id] in SHOWN[status]
        assert [plan.nodes[node].id for node in machine.ended] == list(snapshot.ended)


@given(troubles(), st.data())
def test_a_machine_folded_from_any_prefix_goes_on_to_an_end(trouble: Trouble, data: st.DataObject) -> None:
    log = play(trouble).log
    cut = data.draw(st.integers(1, len(log)))
    last_calls = {node_id: script.attempts[-1][-1] for node_id, script in trouble.scripts.items()}
    outcomes = {
        node_id: Outcome(gives=call.gives, fails=call.then != "give", takes_ms=0)
        for node_id, call in last_calls.items()
    }
    scenario = Scenario(document=trouble.document, outcomes=outcomes)
    driver = Driver(trouble.plan(), scenario, lambda: data.draw(st.booleans()), log[:cut], has_detours=True)
    driver.run()
    assert driver.machine.finished
    events = driver.since_restart()
    started = {event.node_id for event in events if isinstance(event, NodeStarted)}
    ended = [event.node_id for event in events if isinstance(event, ENDS)]
    assert len(ended) == len(set(ended))
    assert started <= set(ended)
    if driver.machine.stopped is None:
        assert set(ended) == set(driver.plan.index)


@given(troubles())
def test_the_same_seed_gives_the_same_log(trouble: Trouble) -> None:
    assert play(trouble).log == play(trouble).log


def test_another_seed_gives_other_delays_between_the_attempts() -> None:
    policy = {"max_attempts": 4, "jitter": 0.5}
    document = {
        "name": "jitter",
        "nodes": [{"id": "n", "node_type": "local.work", "retry_policy": policy}],
        "settings": {"on_error": {"RetryWorkflow": {"max_attempts": 2}}, "max_parallel_nodes": 1},
    }
    scripts = {"n": NodeScript(((Call(takes_us=0, then="error"),),), Reaction(takes_us=0, then="cancelled"))}

    def delays(seed: int) -> list[float]:
        log = play(Trouble(document=document, scripts=scripts, happenings=(), seed=seed)).log
        return [event.delay_ms for event in log if isinstance(event, NodeRetrying | WorkflowRetrying)]

    assert delays(1) == delays(1)
    assert len(delays(1)) == 7
    assert all(one != other for one, other in zip(delays(1), delays(2), strict=True))
