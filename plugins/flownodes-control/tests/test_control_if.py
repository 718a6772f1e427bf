"""control.if sends a value one of two ways."""

from typing import Any

import pytest

from tests.control_flows import codes_of, flow, run


def if_(**config: Any) -> dict[str, Any]:
    return {"node_type": "control.if", "config": config}


async def outputs_of(config: dict[str, Any], value: Any) -> Any:
    result = await run(flow({"if": if_(**config)}, vars={"limit": 3}), {"value": value, "mode": "fast"})
    return result.node_outputs["if"]


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
    assert await outputs_of({}, value) == {port: value}
    assert await outputs_of({"condition": None}, value) == {port: value}


@pytest.mark.parametrize(
    ("condition", "port"),
    [
        ("inputs.value > `5`", "true"),
        ("inputs.value > `50`", "false"),
        ("input.mode == 'fast'", "true"),
        ("vars.limit < inputs.value", "true"),
        ("run.attempt == `1`", "true"),
        ("inputs.nothing", "false"),
    ],
)
async def test_a_condition_sees_inputs_input_vars_and_run(condition: str, port: str) -> None:
    assert await outputs_of({"condition": condition}, 7) == {port: 7}


async def test_a_condition_needs_no_value() -> None:
    result = await run(flow({"if": if_(condition="input.go")}), {"go": True})
    assert result.outputs == {"if": {"true": None}}


@pytest.mark.parametrize(("value", "skipped"), [(True, ("no", "no2")), (False, ("yes", "yes2"))])
async def test_what_follows_the_other_port_is_skipped_and_skips_spread(value: Any, skipped: tuple[str, ...]) -> None:
    document = flow(
        {"if": "control.if", **dict.fromkeys(["yes", "yes2", "no", "no2"], "debug.noop"), "both": "control.first"},
        "if.true -> yes.x",
        "yes.x -> yes2.x",
        "if.false -> no.x",
        "no.x -> no2.x",
        "yes2.x -> both.value",
        "no2.x -> both.value",
    )
    result = await run(document, {"value": value})
    assert result.skipped_nodes == skipped
    assert result.outputs == {"both": {"value": value}}


async def test_an_if_whose_value_was_skipped_is_skipped_unless_something_else_reaches_it() -> None:
    nodes = {"if": "control.if", "next": if_(condition="inputs.value"), "n": "debug.noop"}
    alone = flow(nodes, "if.false -> next.value")
    assert (await run(alone, {"value": True})).skipped_nodes == ("next",)
    reached = flow(nodes, "if.false -> next.value", "if.true -> n.x", "n.done -> next.after")
    assert (await run(reached, {"value": True})).node_outputs["next"] == {"false": None}


async def test_a_condition_that_cannot_be_evaluated_fails_the_node_and_says_why() -> None:
    result = await run(flow({"if": {**if_(condition="length(inputs.value)"), "retry_policy": {}}}), {"value": 7})
    assert result.error is not None
    assert (result.error["code"], result.error["node_id"], result.error["attempt"]) == ("expression.failed", "if", 1)
    assert "'length(inputs.value)'" in result.error["message"]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("inputs.value >", "expression.syntax"),
        ("", "expression.syntax"),
        ("${{ inputs.value }}", "expression.syntax"),
        ("value", "expression.root"),
        ("nodes.a.b", "expression.root"),
        (5, "config.schema"),
    ],
)
def test_a_condition_that_is_none_is_a_problem_of_the_document(condition: Any, code: str) -> None:
    assert codes_of(flow({"if": if_(condition=condition)})) == [(code, "/nodes/0/config/condition")]
