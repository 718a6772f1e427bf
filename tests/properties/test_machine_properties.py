"""The pure machine under random workflows, outcomes, interleavings, retries, waits and interruptions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeFailed, NodeSkipped, NodeStarted
from flowcore.executions import Execution
from flowruntime.engine.machine import COMPLETED, FAILED, Machine
from flowruntime.engine.replaying import replay
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.driver import WORDS, Driver
from tests.properties.naive_model import final_states
from tests.properties.random_workflows import Scenario, scenarios


def chooser(data: st.DataObject) -> Callable[[], bool]:
    return lambda: data.draw(st.booleans())


@given(scenarios(), st.data())
def test_every_run_ends_and_starts_each_node_at_most_once_and_never_before_its_inputs(
    scenario: Scenario, data: st.DataObject
) -> None:
    plan = scenario.plan()
    driver = Driver(plan, scenario, chooser(data))
    driver.run()
    started: set[str] = set()
    ended: set[str] = set()
    sources: dict[str, list[tuple[str, str]]] = {}
    for connection in scenario.document["connections"]:
        sources.setdefault(connection["to_node"], []).append((connection["from_node"], connection["to_port"]))
    for event in driver.events:
        if isinstance(event, NodeStarted):
            assert event.node_id not in started
            started.add(event.node_id)
            waited_for = [source for source, port in sources.get(event.node_id, []) if port != "race"]
            assert ended.issuperset(waited_for)
        else:
            assert isinstance(event, NodeCompleted | NodeFailed | NodeSkipped | NodeCancelled)
            assert event.node_id not in ended
            ended.add(event.node_id)
    if driver.machine.stopped is None:
        assert ended == set(plan.index)
    limit = scenario.document["settings"]["max_parallel_nodes"]
    assert limit is None or driver.peak <= limit


@pytest.mark.parametrize("has_detours", [False, True])
@given(scenarios(races=False, stops=False), st.data())
def test_every_interleaving_ends_as_the_naive_model_says(
    has_detours: bool, scenario: Scenario, data: st.DataObject
) -> None:
    driver = Driver(scenario.plan(), scenario, chooser(data), has_detours=has_detours)
    driver.run()
    assert driver.states() == {node_id: state for node_id, (state, _) in final_states(scenario).items()}
    limit = scenario.document["settings"]["max_parallel_nodes"]
    assert limit is None or driver.peak <= limit


@given(scenarios(races=False, stops=False), st.data())
def test_any_prefix_of_the_log_folds_and_goes_on_to_the_same_end(scenario: Scenario, data: st.DataObject) -> None:
    plan = scenario.plan()
    whole = Driver(plan, scenario, chooser(data), has_detours=True)
    whole.run()
    cut = data.draw(st.integers(0, len(whole.events)))
    resumed = Driver(plan, scenario, chooser(data), whole.events[:cut], has_detours=True)
    resumed.run()
    assert resumed.states() == whole.states()
    assert resumed.machine.outputs == whole.machine.outputs


@given(scenarios(), st.data())
def test_a_log_folds_to_the_machine_that_wrote_it(scenario: Scenario, data: st.DataObject) -> None:
    plan = scenario.plan()
    whole = Driver(plan, scenario, chooser(data), has_detours=True)
    whole.run()
    folded = Machine(plan)
    for event in whole.events:
        replay(folded, event)
    assert [WORDS.get(status) for status in folded.status] == [WORDS.get(status) for status in whole.machine.status]
    assert folded.outputs == whole.machine.outputs
    assert folded.ended == whole.machine.ended
    assert folded.attempts == whole.machine.attempts
    assert (folded.stopped, folded.error) == (whole.machine.stopped, whole.machine.error)
    assert folded.finished


@given(scenarios(), st.data())
def test_the_snapshot_folds_to_what_the_machine_knows(scenario: Scenario, data: st.DataObject) -> None:
    driver = Driver(scenario.plan(), scenario, chooser(data), has_detours=True)
    driver.run()
    snapshot = Execution.fold("e", driver.events)
    states = {node_id: view.status for (_, node_id), view in snapshot.nodes.items() if view.status in WORDS.values()}
    assert states == driver.states()
    assert list(snapshot.ended) == [
        driver.plan.nodes[node].id for node in driver.machine.ended if driver.machine.status[node] in WORDS
    ]
    shown = {node_id: view.outputs for node_id, view in snapshot.ended.items() if view.status == "completed"}
    assert shown == {
        planned.id: driver.machine.outputs[planned.index]
        for planned in driver.plan.nodes
        if driver.machine.status[planned.index] == COMPLETED
    }
    assert FAILED not in driver.machine.status or any(view.error for view in snapshot.ended.values())
