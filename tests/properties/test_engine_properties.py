"""The whole engine under random workflows, failures and timings, on a clock that jumps."""

from __future__ import annotations

from typing import Any

import anyio
from flowcore.events import NodeCompleted, NodeStarted
from flowcore.executions import Execution
from flowcore.nodes import Port
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.registry import Registry
from flowruntime.testing import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.naive_model import final_states
from tests.properties.random_workflows import NEEDY_TYPE, NODE_TYPE, Scenario, scenarios

SCENARIO: list[Scenario] = []
SEEN: dict[str, dict[str, Any]] = {}


async def _work(ctx: Context) -> dict[str, Any]:
    outcome = SCENARIO[-1].outcomes[ctx.node_id]
    SEEN[ctx.node_id] = dict(ctx.inputs)
    if outcome.takes_ms:
        await ctx.sleep(outcome.takes_ms / 1000)
    if outcome.fails:
        raise ValueError("made to fail")
    return {port: f"{ctx.node_id}.{port}" for port in outcome.gives}


OUTPUTS = [Port(name="x"), Port(name="y")]


@node("local.work", effects="pure", inputs=NODE_TYPE.inputs, outputs=OUTPUTS)
async def work(ctx: Context, **ports: Any) -> dict[str, Any]:
    return await _work(ctx)


@node("local.needy", effects="pure", inputs=NEEDY_TYPE.inputs, outputs=OUTPUTS)
async def needy(ctx: Context, **ports: Any) -> dict[str, Any]:
    return await _work(ctx)


REGISTRY = Registry.discover(search_path=[], cache_dir=None).with_local([work, needy])


def play(scenario: Scenario) -> tuple[Any, list[Any]]:
    async def main() -> tuple[Any, list[Any]]:
        async with Runtime(registry=REGISTRY, clock=ManualClock(autojump=True)) as runtime:
            with anyio.fail_after(20):
                result = await runtime.run(scenario.document)
            return result, [event async for event in runtime.follow(result.execution_id)]

    SCENARIO.append(scenario)
    SEEN.clear()
    return anyio.run(main)


@settings(max_examples=60)
@given(scenarios())
def test_every_execution_ends_with_a_whole_log_and_the_limit_holds(scenario: Scenario) -> None:
    result, events = play(scenario)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert Execution.fold(result.execution_id, events).result(result.total_nodes) == result
    limit = scenario.document["settings"]["max_parallel_nodes"] or 10**9
    running = 0
    for event in events:
        if isinstance(event, NodeStarted):
            running += 1
            assert running <= limit
        elif type(event).__name__ in ("NodeCompleted", "NodeFailed", "NodeCancelled"):
            running -= 1
    assert running == 0


@settings(max_examples=60)
@given(scenarios(races=False, stops=False))
def test_the_engine_ends_every_workflow_as_the_naive_model_says(scenario: Scenario) -> None:
    result, _ = play(scenario)
    expected = final_states(scenario)
    states = {
        **dict.fromkeys(result.completed_nodes, "completed"),
        **dict.fromkeys(result.skipped_nodes, "skipped"),
        **dict.fromkeys(result.failed_nodes, "failed"),
    }
    assert states == {node_id: state for node_id, (state, _) in expected.items()}
    for node_id, inputs in SEEN.items():
        assert {port: _named(value) for port, value in inputs.items()} == expected[node_id][1]


def _named(value: Any) -> Any:
    """An error object by the word that the model has for it."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    return "error" if isinstance(value, dict) else value


@settings(max_examples=20)
@given(scenarios(stops=False), st.integers(0, 50))
def test_a_late_follower_sees_the_same_events_from_any_seq_on(scenario: Scenario, after: int) -> None:
    async def main() -> None:
        async with Runtime(registry=REGISTRY, clock=ManualClock(autojump=True)) as runtime:
            execution_id = await runtime.submit(scenario.document)
            live = [event async for event in runtime.follow(execution_id)]
            late = [event async for event in runtime.follow(execution_id, after)]
            assert late == live[after:]
            assert any(isinstance(event, NodeCompleted) for event in live) or live

    SCENARIO.append(scenario)
    anyio.run(main)
