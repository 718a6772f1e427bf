"""control.first hands on the first value that comes, whatever becomes of the others."""

from typing import Any

import pytest
from flowcore.events import NodeCompleted, NodeFailed, NodeStarted

from tests.control_flows import codes_of, events_of, flow, of, run


def nap(value: Any, seconds: float, **more: Any) -> dict[str, Any]:
    return {"node_type": "nap", "config": {"seconds": seconds}, "inputs": {"value": value}, **more}


def race(racers: dict[str, Any], *wires: str, **settings: Any) -> dict[str, Any]:
    """Racers by id, all led to the first; what follows it is called `then`."""
    document = flow(
        {**racers, "first": "control.first", "then": "debug.noop"},
        *(wires or [f"{racer}.result -> first.value" for racer in racers]),
        "first.value -> then.value",
    )
    return {**document, "settings": settings}


async def test_the_first_value_goes_on_at_once_and_the_others_run_to_their_ends() -> None:
    events = await events_of(race({"slow": nap("slow", 60), "quick": nap("quick", 1)}))
    assert [event.node_id for event in of(events, NodeCompleted)] == ["quick", "first", "then", "slow"]
    assert [event.node_id for event in of(events, NodeStarted)].count("first") == 1
    assert events[-1].outputs == {"then": {"value": "quick"}}


async def test_with_stop_a_racer_that_fails_after_the_race_fails_the_workflow() -> None:
    racers = {"quick": nap("quick", 1), "nap": nap(None, 5), "late": "fail"}
    document = race(racers, "quick.result -> first.value", "nap.result -> late.value", "late.result -> first.value")
    result = await run(document)
    assert (result.status, result.completed_nodes, result.failed_nodes) == (
        "failed",
        ("quick", "first", "then", "nap"),
        ("late",),
    )
    assert result.error is not None
    assert result.error["node_id"] == "late"
    assert result.node_outputs["then"] == {"value": "quick"}


async def test_with_continue_a_racer_that_fails_after_the_race_changes_nothing() -> None:
    racers = {"quick": nap("quick", 1), "nap": nap(None, 5), "late": {"node_type": "fail", "on_error": "continue"}}
    document = race(racers, "quick.result -> first.value", "nap.result -> late.value", "late.result -> first.value")
    result = await run(document)
    assert (result.status, result.failed_nodes) == ("succeeded", ("late",))
    assert result.outputs == {"then": {"value": "quick"}}


async def test_with_stop_a_racer_that_fails_before_the_race_is_won_ends_it() -> None:
    result = await run(race({"slow": nap("slow", 60), "late": "fail"}))
    assert (result.status, result.completed_nodes) == ("failed", ())


@pytest.mark.parametrize("how", ["continue", "ContinueOnError"])
async def test_a_racer_that_failed_and_was_continued_leaves_the_race_to_the_others(how: str) -> None:
    broken = {"node_type": "fail", **({"on_error": how} if how == "continue" else {})}
    document = race({"broken": broken, "slow": nap("slow", 60)})
    if how != "continue":
        document["settings"] = {"on_error": how}
    assert (await run(document)).outputs == {"then": {"value": "slow"}}


async def test_a_skipped_racer_leaves_the_race_to_the_others() -> None:
    document = race(
        {"if": "control.if", "skipped": "debug.noop", "slow": nap("slow", 60)},
        "if.false -> skipped.value",
        "skipped.value -> first.value",
        "slow.result -> first.value",
    )
    assert (await run(document, {"value": True})).outputs == {"then": {"value": "slow"}}


async def test_a_routed_failure_may_win() -> None:
    document = race(
        {"broken": {"node_type": "fail", "on_error": "route"}, "slow": nap("slow", 60)},
        "broken.result -> first.value",
        "broken.error -> first.value",
        "slow.result -> first.value",
    )
    result = await run(document)
    assert result.outputs["then"]["value"]["message"] == "It broke."


async def test_null_is_a_value_that_may_win() -> None:
    assert (await run(race({"slow": nap("slow", 60), "quick": nap(None, 1)}))).outputs == {"then": {"value": None}}


async def test_a_race_that_nobody_can_win_is_skipped_and_the_skip_spreads() -> None:
    document = race(
        {"if": "control.if", "broken": {"node_type": "fail", "on_error": "continue"}},
        "if.false -> first.value",
        "broken.result -> first.value",
    )
    result = await run(document, {"value": True})
    assert (result.status, result.skipped_nodes) == ("succeeded", ("first", "then"))


async def test_a_race_that_is_won_still_waits_for_what_comes_before_it() -> None:
    document = race(
        {"quick": nap("quick", 1), "slow": nap("slow", 60)}, "quick.result -> first.value", "slow.done -> first.after"
    )
    result = await run(document)
    assert result.completed_nodes == ("quick", "slow", "first", "then")
    assert result.outputs == {"then": {"value": "quick"}}


async def test_one_node_may_be_raced_for_by_both_of_its_ports() -> None:
    document = race({"if": "control.if"}, "if.true -> first.value", "if.false -> first.value")
    for value in (True, False):
        assert (await run(document, {"value": value})).outputs == {"then": {"value": value}}


async def test_many_racers_have_one_winner() -> None:
    racers = {f"r{index}": nap(index, 200 - index) for index in range(200)}
    events = await events_of(race(racers, max_parallel_nodes=None))
    assert events[-1].outputs == {"then": {"value": 199}}
    assert of(events, NodeFailed) == []


async def test_without_connections_a_value_of_its_own_goes_on() -> None:
    assert (await run(flow({"f": {"node_type": "control.first", "inputs": {"value": 5}}}))).outputs == {
        "f": {"value": 5}
    }


def test_a_race_needs_a_racer_and_says_nothing_of_where_the_value_came_from() -> None:
    document = flow({"f": "control.first", "n": "debug.noop"}, "f.source -> n.x", inputs=False)
    assert codes_of(document) == [("port.required", "/nodes/0"), ("port.unknown", "/connections/0/from_port")]
