"""control.merge waits for several branches and brings their values together."""

from typing import Any

import pytest
from flowcore.events import NodeEvent

from tests.control_flows import case, codes_of, events_of, flow, of, run


def nap(value: Any, seconds: float) -> dict[str, Any]:
    return {"node_type": "nap", "config": {"seconds": seconds}, "inputs": {"value": value}}


def merge(**config: Any) -> dict[str, Any]:
    return {"node_type": "control.merge", "config": config}


async def test_it_waits_for_all_and_lists_the_values_in_the_order_of_the_connections() -> None:
    document = flow(
        {"slow": nap("slow", 60), "quick": nap(None, 1), "m": "control.merge"},
        "slow.result -> m.values",
        "quick.result -> m.values",
    )
    result = await run(document)
    assert result.outputs == {"m": {"merged": ["slow", None]}}
    assert result.completed_nodes == ("quick", "slow", "m")


async def test_as_an_object_each_value_has_the_name_of_its_node() -> None:
    document = flow(
        {"a": nap(1, 5), "b-2": nap(None, 1), "m": merge(**{"as": "object"})},
        "b-2.result -> m.values",
        "a.result -> m.values",
    )
    events = await events_of(document)
    assert list(events[-1].outputs["m"]["merged"].items()) == [("b-2", None), ("a", 1)]
    assert of(events, NodeEvent) == []


@pytest.mark.parametrize(("how", "merged"), [("list", ["x", 3]), ("object", {"yes": "x", "c": 3})])
async def test_branches_that_were_skipped_or_failed_and_continued_are_left_out(how: str, merged: Any) -> None:
    document = flow(
        {
            "if": "control.if",
            "yes": "debug.noop",
            "no": "debug.noop",
            "broken": {"node_type": "fail", "on_error": "continue"},
            "c": {"node_type": "give", "config": {"value": 3}},
            "m": merge(**{"as": how}),
        },
        "if.true -> yes.x",
        "if.false -> no.x",
        "no.x -> m.values",
        "yes.x -> m.values",
        "broken.result -> m.values",
        "c.result -> m.values",
    )
    assert (await run(document, {"value": "x"})).outputs == {"m": {"merged": merged}}


async def test_two_values_of_one_node_are_both_in_the_list() -> None:
    assert (await run(two_of_one("list"), {"value": 5})).outputs == {"m": {"merged": [5, 2, 5]}}


async def test_of_two_values_of_one_node_the_object_keeps_the_last_and_warns() -> None:
    events = await events_of(two_of_one("object"), {"value": 5})
    assert events[-1].outputs == {"m": {"merged": {"s": 5, "b": 2}}}
    (warning,) = of(events, NodeEvent)
    assert (warning.event_type, warning.node_id) == ("Warning", "m")
    assert "'s'" in warning.content["message"]
    assert "'b'" not in warning.content["message"]


def two_of_one(how: str) -> dict[str, Any]:
    cases = [case("one", "inputs.value"), case("two", "inputs.value")]
    return flow(
        {
            "s": {"node_type": "control.switch", "config": {"cases": cases, "match": "all"}},
            "b": {"node_type": "give", "config": {"value": 2}},
            "m": merge(**{"as": how}),
        },
        "s.one -> m.values",
        "b.result -> m.values",
        "s.two -> m.values",
    )


async def test_of_two_ports_of_one_node_the_live_one_is_named_without_a_warning() -> None:
    document = flow({"if": "control.if", "m": merge(**{"as": "object"})}, "if.true -> m.values", "if.false -> m.values")
    events = await events_of(document, {"value": 0})
    assert events[-1].outputs == {"m": {"merged": {"if": 0}}}
    assert of(events, NodeEvent) == []


async def test_order_without_data_can_be_merged_too() -> None:
    document = flow(
        {"a": nap(1, 1), "b": nap(2, 2), "m": merge(**{"as": "object"})}, "a.done -> m.values", "b.done -> m.values"
    )
    assert (await run(document)).outputs == {"m": {"merged": {"a": True, "b": True}}}


async def test_a_merge_that_nothing_reaches_is_skipped_and_the_skip_spreads() -> None:
    document = flow(
        {"if": "control.if", "broken": {"node_type": "fail", "on_error": "continue"}, "m": merge(), "n": "debug.noop"},
        "if.false -> m.values",
        "broken.result -> m.values",
        "m.merged -> n.x",
    )
    result = await run(document, {"value": True})
    assert (result.status, result.skipped_nodes) == ("succeeded", ("m", "n"))


async def test_without_connections_an_array_of_its_own_is_the_list() -> None:
    fixed = {**merge(), "inputs": {"values": [1, "${{ input.two }}"]}}
    assert (await run(flow({"m": fixed}), {"two": 2})).outputs == {"m": {"merged": [1, 2]}}
    assert (await run(flow({"m": merge()}), {"values": []})).outputs == {"m": {"merged": []}}


async def test_without_connections_there_are_no_nodes_to_name_the_values_by() -> None:
    result = await run(flow({"m": merge(**{"as": "object"})}), {"values": [1]})
    assert result.error is not None
    assert result.error["code"] == "merge.no_sources"


@pytest.mark.parametrize(("value", "kind"), [(5, "a number"), ({"a": 1}, "an object"), (None, "null"), ("x", "a str")])
async def test_without_connections_anything_but_an_array_fails_the_node(value: Any, kind: str) -> None:
    result = await run(flow({"m": {**merge(), "inputs": {"values": value}}}))
    assert result.error is not None
    assert result.error["code"] == "merge.no_array"
    assert kind in result.error["message"]


def test_a_merge_that_nothing_can_reach_is_a_problem_of_the_document() -> None:
    assert codes_of(flow({"m": merge(**{"as": "tuple"})}, inputs=False)) == [
        ("port.required", "/nodes/0"),
        ("config.schema", "/nodes/0/config/as"),
    ]
