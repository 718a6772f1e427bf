"""The pure machine under random workflows, outcomes and interleavings."""

from __future__ import annotations

from typing import Any

from flowcore.events import (
    TOP,
    Event,
    NodeCompleted,
    NodeFailed,
    NodeSkipped,
    NodeStarted,
)
from flowcore.executions import Execution
from flowruntime.engine.machine import COMPLETED, FAILED, RUNNING, SKIPPED, Machine
from flowruntime.plan import Plan
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.naive_model import final_states
from tests.properties.random_workflows import Scenario, scenarios

WORDS = {COMPLETED: "completed", FAILED: "failed", SKIPPED: "skipped"}


class Driver:
    """Plays the executor: takes what is ready, ends attempts in any order, writes the log."""

    def __init__(self, plan: Plan, scenario: Scenario, choose: Any, events: list[Event] | None = None) -> None:
        self.plan = plan
        self.scenario = scenario
        self.choose = choose
        self.machine = Machine(plan)
        self.events: list[Event] = []
        self.running: list[int] = []
        self.peak = 0
        for event in events or []:
            self.machine.apply(event)
            self.events.append(event)
        for node in self.machine.nodes_with(RUNNING):
            self.machine.interrupted(node)

    def run(self) -> None:
        machine = self.machine
        self.record_skips()
        while not machine.finished:
            if self.running and (not machine.has_ready() or self.choose()):
                self.end(self.running.pop(0 if self.choose() else -1))
            else:
                node = machine.take()
                assert node is not None, "the machine came to rest before its end"
                self.start(node)
            self.record_skips()

    def start(self, node: int) -> None:
        attempt = self.machine.attempts[node]
        self.running.append(node)
        self.peak = max(self.peak, self.machine.running)
        self.events.append(NodeStarted(self.seq, 0, TOP, self.plan.nodes[node].id, attempt, "t"))

    def end(self, node: int) -> None:
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
        if self.machine.stopped:
            for other in self.running:
                self.machine.cancelled(other)
            self.running.clear()

    def record_skips(self) -> None:
        while self.machine.skips:
            node, why = self.machine.skips[0]
            self.events.append(NodeSkipped(self.seq, 0, TOP, self.plan.nodes[node].id, 0, why))
            self.machine.skipped(node)

    @property
    def seq(self) -> int:
        return len(self.events) + 1

    def states(self) -> dict[str, str]:
        return {
            self.plan.nodes[node].id: WORDS[status]
            for node, status in enumerate(self.machine.status)
            if status in WORDS
        }


def chooser(data: st.DataObject) -> Any:
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
            assert event.node_id not in ended  # type: ignore[union-attr]
            ended.add(event.node_id)  # type: ignore[union-attr]
    if driver.machine.stopped is None:
        assert ended == set(plan.index)
    limit = scenario.document["settings"]["max_parallel_nodes"]
    assert limit is None or driver.peak <= limit


@given(scenarios(races=False, stops=False), st.data())
def test_every_interleaving_ends_as_the_naive_model_says(scenario: Scenario, data: st.DataObject) -> None:
    driver = Driver(scenario.plan(), scenario, chooser(data))
    driver.run()
    assert driver.states() == {node_id: state for node_id, (state, _) in final_states(scenario).items()}


@given(scenarios(races=False, stops=False), st.data())
def test_any_prefix_of_the_log_folds_and_goes_on_to_the_same_end(scenario: Scenario, data: st.DataObject) -> None:
    plan = scenario.plan()
    whole = Driver(plan, scenario, chooser(data))
    whole.run()
    cut = data.draw(st.integers(0, len(whole.events)))
    resumed = Driver(plan, scenario, chooser(data), whole.events[:cut])
    resumed.run()
    assert resumed.states() == whole.states()
    assert resumed.machine.outputs == whole.machine.outputs


@given(scenarios(stops=False), st.data())
def test_a_race_once_won_is_won_the_same_way_after_a_resume(scenario: Scenario, data: st.DataObject) -> None:
    plan = scenario.plan()
    whole = Driver(plan, scenario, chooser(data))
    whole.run()
    refolded = Machine(plan)
    for event in whole.events:
        refolded.apply(event)
    assert bytes(refolded.status) == bytes(whole.machine.status)
    assert refolded.outputs == whole.machine.outputs
    assert refolded.ended == whole.machine.ended
    assert refolded.finished


@given(scenarios(), st.data())
def test_the_snapshot_folds_to_what_the_machine_knows(scenario: Scenario, data: st.DataObject) -> None:
    driver = Driver(scenario.plan(), scenario, chooser(data))
    driver.run()
    snapshot = Execution.fold("e", driver.events)
    states = {node_id: view.status for (_, node_id), view in snapshot.nodes.items() if view.status in WORDS.values()}
    assert states == driver.states()
    assert list(snapshot.ended) == [
        driver.plan.nodes[node].id for node in driver.machine.ended if driver.machine.status[node] in WORDS
    ]
