"""The contract's rules "When a node runs", as far as they need no failure."""

from typing import Any

import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.events import NodeEvent, NodeSkipped, NodeStarted
from flowcore.executions import ExecutionResult
from flowruntime import Runtime
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL, workflow


async def run(document: dict[str, Any], inputs: dict[str, Any] | None = None, **options: Any) -> ExecutionResult:
    async with Runtime(nodes=ALL, **options) as runtime:
        return await runtime.run(document, inputs)


async def events_of(document: dict[str, Any], inputs: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    async with Runtime(nodes=ALL, **options) as runtime:
        return [event async for event in runtime.follow(await runtime.submit(document, inputs))]


async def test_values_travel_along_connections() -> None:
    result = await run(workflow({"a": {"node_type": "give", "config": {"value": 5}}, "b": "add"}, "a.result -> b.x"))
    assert result.status == "succeeded"
    assert result.outputs == {"b": {"result": 15}}
    assert result.node_outputs == {"a": {"result": 5}, "b": {"result": 15}}
    assert (result.completed_nodes, result.total_nodes) == (("a", "b"), 2)


async def test_a_branch_not_taken_is_skipped_and_skips_spread() -> None:
    document = workflow(
        {"s": "split", "low": "add", "after_low": "add", "high": "add", "both": "collect"},
        "s.low -> low.x",
        "low.result -> after_low.x",
        "s.high -> high.x",
        "after_low.result -> both.values",
        "high.result -> both.values",
    )
    result = await run(document, {"x": 50})
    assert result.skipped_nodes == ("low", "after_low")
    assert result.outputs == {"both": {"result": {"values": [60], "extra": None}}}


async def test_a_multiple_port_gets_the_live_values_in_document_order() -> None:
    document = workflow(
        {"slow": {"node_type": "nap", "inputs": {"value": "slow"}}, "fast": "give", "all": "collect"},
        "slow.result -> all.values",
        "fast.result -> all.values",
    )
    result = await run(document, clock=ManualClock(autojump=True))
    assert result.outputs == {"all": {"result": {"values": ["slow", 1], "extra": None}}}
    assert result.completed_nodes == ("fast", "slow", "all")


async def test_the_last_of_several_live_connections_counts_and_the_node_is_warned() -> None:
    document = workflow(
        {
            "one": {"node_type": "give", "config": {"value": 1}},
            "two": {"node_type": "give", "config": {"value": 2}},
            "sum": "add",
        },
        "two.result -> sum.x",
        "one.result -> sum.x",
    )
    events = await events_of(document)
    (warning,) = (event for event in events if isinstance(event, NodeEvent))
    assert (warning.event_type, warning.node_id) == ("Warning", "sum")
    assert "'x'" in warning.content["message"]
    assert events[-1].outputs == {"sum": {"result": 11}}


async def test_join_first_runs_at_the_first_live_value() -> None:
    document = workflow(
        {
            "slow": {"node_type": "nap", "config": {"seconds": 60}, "inputs": {"value": "slow"}},
            "quick": {"node_type": "nap", "config": {"seconds": 1}, "inputs": {"value": "quick"}},
            "winner": "race",
        },
        "slow.result -> winner.value",
        "quick.result -> winner.value",
    )
    result = await run(document, clock=ManualClock(autojump=True))
    assert result.outputs == {"winner": {"result": "quick"}}
    assert result.completed_nodes == ("quick", "winner", "slow")


async def test_a_race_that_nobody_wins_is_skipped() -> None:
    document = workflow(
        {"s": "split", "t": "split", "winner": "race"}, "s.high -> winner.value", "t.high -> winner.value"
    )
    assert (await run(document, {"x": 1})).skipped_nodes == ("winner",)


async def test_after_orders_without_data_and_hands_nothing_on() -> None:
    document = workflow({"first": "nap", "then": "free"}, "first.done -> then.after")
    result = await run(document, clock=ManualClock(autojump=True))
    assert result.outputs == {"then": {"result": {}}}
    assert result.completed_nodes == ("first", "then")


async def test_a_node_is_skipped_when_nothing_live_reaches_its_after_whatever_else_does() -> None:
    document = workflow({"s": "split", "g": "give", "then": "add"}, "s.high -> then.after", "g.result -> then.x")
    assert (await run(document, {"x": 1})).skipped_nodes == ("then",)


async def test_done_is_true_as_a_value() -> None:
    document = workflow({"g": "give", "c": "collect"}, "g.done -> c.extra")
    assert (await run(document)).outputs == {"c": {"result": {"values": None, "extra": True}}}


async def test_disabled_nodes_are_skipped() -> None:
    document = workflow({"g": {"node_type": "give", "disabled": True}, "a": "add"}, "g.result -> a.x")
    events = await events_of(document)
    assert [(event.node_id, event.why) for event in events if isinstance(event, NodeSkipped)] == [
        ("g", "it is disabled"),
        ("a", "nothing live reached it"),
    ]


async def test_an_optional_port_whose_source_was_skipped_is_absent() -> None:
    document = workflow(
        {"g": "give", "s": "split", "sum": "add"},
        "g.result -> sum.x",
        "s.high -> sum.y",
    )
    result = await run(document, {"x": 1})
    assert result.node_outputs["sum"] == {"result": 11}  # the function's own default


async def test_a_required_port_that_got_no_value_skips_the_node() -> None:
    document = workflow({"g": "give", "s": "split", "sum": "add"}, "g.result -> sum.y", "s.high -> sum.x")
    events = await events_of(document, {"x": 1})
    (skip,) = (event for event in events if isinstance(event, NodeSkipped))
    assert skip.why == "the required port 'x' got no value"


async def test_values_come_from_connections_then_fixed_inputs_then_execution_inputs() -> None:
    document = workflow(
        {
            "s": "split",
            "wired": {"node_type": "add", "inputs": {"x": 100, "y": 1000}},
            "start": {"node_type": "add", "inputs": {"y": 2}},
        },
        "s.low -> wired.x",
    )
    result = await run(document, {"x": 5, "y": 7})
    assert result.node_outputs["wired"] == {"result": 1005}
    assert result.node_outputs["start"] == {"result": 7}


async def test_a_fixed_input_fills_a_port_whose_connection_is_not_live() -> None:
    document = workflow(
        {"s": "split", "g": "give", "sum": {"node_type": "add", "inputs": {"x": 100}}},
        "s.high -> sum.x",
        "g.result -> sum.y",
    )
    assert (await run(document, {"x": 1})).node_outputs["sum"] == {"result": 101}


async def test_a_node_that_takes_any_port_gets_all_execution_inputs() -> None:
    assert (await run(workflow({"f": "free"}), {"p": 1, "q": [2]})).outputs == {"f": {"result": {"p": 1, "q": [2]}}}


async def test_a_reference_is_an_arrow_and_null_when_it_is_not_live() -> None:
    document = workflow(
        {
            "s": "split",
            "g": "give",
            "c": {"node_type": "collect", "inputs": {"extra": "${{ nodes.s.high }}"}},
            "d": {"node_type": "collect", "inputs": {"extra": "${{ nodes.s.high || 'd' }}"}},
        },
        "g.result -> c.values",
    )
    result = await run(document, {"x": 1})
    assert result.node_outputs["c"] == {"result": {"values": [1], "extra": None}}
    assert result.skipped_nodes == ("d",)  # its only arrow is not live


async def test_with_another_live_arrow_the_default_of_an_expression_counts() -> None:
    document = workflow(
        {"s": "split", "g": "give", "c": {"node_type": "collect", "inputs": {"extra": "${{ nodes.s.high || 'd' }}"}}},
        "g.result -> c.values",
    )
    assert (await run(document, {"x": 1})).node_outputs["c"] == {"result": {"values": [1], "extra": "d"}}


async def test_parallelism_is_limited_by_the_setting() -> None:
    clock = ManualClock(autojump=True)
    nodes: dict[str, Any] = {f"n{index}": "nap" for index in range(7)}
    started = clock.now_us()
    events = await events_of(workflow(nodes, settings={"max_parallel_nodes": 3}), clock=clock)
    running = peak = 0
    for event in events:
        running += isinstance(event, NodeStarted)
        peak = max(peak, running)
        running -= type(event).__name__ == "NodeCompleted"
    assert peak == 3
    assert clock.now_us() - started == 3_000_000  # seven naps of a second, three at a time


async def test_without_a_limit_all_ready_nodes_run_at_once() -> None:
    clock = ManualClock(autojump=True)
    nodes: dict[str, Any] = {f"n{index}": "nap" for index in range(100)}
    started = clock.now_us()
    result = await run(workflow(nodes, settings={"max_parallel_nodes": None}), clock=clock)
    assert result.success
    assert clock.now_us() - started == 1_000_000


async def test_outputs_are_computed_and_null_where_nodes_gave_no_value() -> None:
    document = workflow(
        {"s": "split"},
        outputs={"low": "${{ nodes.s.low }}", "high": "${{ nodes.s.high }}", "text": "x=${{ input.x }} ${{ vars.v }}"},
        vars={"v": [1, 2]},
    )
    result = await run(document, {"x": 3})
    assert result.outputs == {"low": 3, "high": None, "text": "x=3 [1,2]"}


async def test_a_required_input_that_nothing_gives_is_an_error_before_anything_runs() -> None:
    with pytest.raises(WorkflowInvalid) as caught:
        await run(workflow({"a": "add"}))
    (problem,) = caught.value.problems
    assert problem.code == "inputs.missing"
    assert "'x'" in problem.message
    assert "'a'" in problem.message


async def test_inputs_are_validated_and_defaults_filled() -> None:
    declared = {"type": "object", "properties": {"x": {"type": "integer", "default": 4}}, "additionalProperties": False}
    document = workflow({"a": "add"}, inputs=declared)
    assert (await run(document)).outputs == {"a": {"result": 14}}
    with pytest.raises(WorkflowInvalid) as caught:
        await run(document, {"x": "four", "z": 1})
    assert sorted(problem.pointer for problem in caught.value.problems) == ["/x", "/z"]


async def test_the_longest_chain_runs_without_recursion() -> None:
    count = 3000
    nodes: dict[str, Any] = {f"n{index}": "add" for index in range(count)}
    wires = [f"n{index}.result -> n{index + 1}.x" for index in range(count - 1)]
    assert (await run(workflow(nodes, *wires), {"x": 0, "y": 0})).outputs == {
        f"n{count - 1}": {"result": 10 * (count - 1)}
    }


async def test_skips_spread_through_the_longest_chain() -> None:
    count = 3000
    nodes: dict[str, Any] = {"s": "split", **{f"n{index}": "add" for index in range(count)}}
    wires = ["s.high -> n0.x", *(f"n{index}.result -> n{index + 1}.x" for index in range(count - 1))]
    assert len((await run(workflow(nodes, *wires), {"x": 0})).skipped_nodes) == count


async def test_a_value_is_handed_on_and_not_copied() -> None:
    big = {"text": "x" * 1_000_000}
    async with Runtime(nodes=ALL) as runtime:
        nodes: dict[str, Any] = {f"n{index}": "nap" for index in range(100)}
        wires = [f"n{index}.result -> n{index + 1}.value" for index in range(99)]
        for given in nodes:
            nodes[given] = {"node_type": "nap", "config": {"seconds": 0}}
        result = await runtime.run(workflow(nodes, *wires), {"value": big})
    values = {id(outputs["result"]) for outputs in result.node_outputs.values()}
    assert len(values) == 1
