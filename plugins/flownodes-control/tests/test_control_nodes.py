"""control.if chooses one of two ways, control.merge brings several together, control.wait waits."""

from pathlib import Path
from typing import Any

import pytest
from flowcore.values import thaw
from flownodes_control.if_ import if_
from flownodes_control.merge import Merge
from flownodes_control.wait import wait
from flowruntime.authoring import FatalNodeError, Woken
from flowruntime.registry import check_catalog

from tests.attempts import attempt, node_type_of


async def test_wait_gives_what_came_with_the_signal() -> None:
    woken = Woken(reason="signal", value={"approved": True})
    done = await attempt(wait, {}, {"signal": "approval"}, woken=woken)
    assert [(waited.signal, waited.until) for waited in done.waits] == [("approval", None)]
    assert done.outputs == {"value": {"approved": True}, "timed_out": False}


async def test_wait_tells_when_no_signal_came_in_time() -> None:
    done = await attempt(wait, {}, {"signal": "approval", "timeout_ms": 5000})
    assert done.waits[0].until is not None
    assert done.outputs == {"value": None, "timed_out": True}


@pytest.mark.parametrize(
    ("value", "port"),
    [
        (True, "true"),
        (0, "true"),
        ("no", "true"),
        ([None], "true"),
        (False, "false"),
        (None, "false"),
        ("", "false"),
        ([], "false"),
        ({}, "false"),
    ],
)
async def test_without_a_condition_the_value_decides(value: Any, port: str) -> None:
    for config in ({}, {"condition": None}):
        assert (await attempt(if_, {"value": value}, config)).outputs == {port: value}


@pytest.mark.parametrize(
    ("condition", "port"),
    [
        ("inputs.value > `5`", "true"),
        ("inputs.value > `50`", "false"),
        ("input.mode == 'fast'", "true"),
        ("vars.limit < inputs.value", "true"),
        ("run.attempt == `2`", "true"),
        ("value", "false"),
    ],
)
async def test_a_condition_sees_inputs_input_vars_and_run(condition: str, port: str) -> None:
    done = await attempt(
        if_,
        {"value": 7},
        {"condition": condition},
        execution_inputs={"mode": "fast"},
        workflow_vars={"limit": 3},
        number=2,
    )
    assert done.outputs == {port: 7}


async def test_a_condition_needs_no_value() -> None:
    done = await attempt(if_, {}, {"condition": "input.go"}, execution_inputs={"go": True})
    assert done.outputs == {"true": None}


async def test_a_merged_list_has_the_values_in_their_order() -> None:
    done = await attempt(Merge, {"values": [2, None, [1]]})
    assert done.outputs == {"merged": [2, None, [1]]}


async def test_a_merged_object_names_the_values_by_their_nodes() -> None:
    done = await attempt(Merge, {"values": [2, None]}, {"as": "object"}, sources=["b", "a-1"])
    assert done.outputs == {"merged": {"b": 2, "a-1": None}}
    assert done.events == []


async def test_two_values_of_one_node_are_warned_of() -> None:
    done = await attempt(Merge, {"values": [1, 2, 3]}, {"as": "object"}, sources=["a", "b", "a"])
    assert done.outputs == {"merged": {"a": 3, "b": 2}}
    [(event_type, text)] = done.events
    assert event_type == "Warning"
    assert "'a'" in text


async def test_values_without_connections_make_no_object() -> None:
    with pytest.raises(FatalNodeError, match="no connections") as raised:
        await attempt(Merge, {"values": [1, 2]}, {"as": "object"})
    assert raised.value.code == "merge.no_sources"


@pytest.mark.parametrize("target", [if_, Merge])
async def test_every_example_gives_what_it_says(target: Any) -> None:
    node_type = node_type_of(target)
    assert node_type.examples
    for example in map(thaw, node_type.examples):
        done = await attempt(target, example["inputs"], example["config"])
        assert done.outputs == example["outputs"]


def test_the_committed_catalog_is_what_the_code_says() -> None:
    assert check_catalog(Path(__file__).parents[1]) == []
