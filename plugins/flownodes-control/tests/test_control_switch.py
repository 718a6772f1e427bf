"""control.switch sends a value to the ports of the cases that fit, and to `default` when none does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcore.events import NodeRetrying, NodeSkipped

from tests.control_flows import case, codes_of, events_of, flow, of, problems_of, run

SIZES = [case("big", "inputs.value > `100`"), case("some", "inputs.value > `10`"), case("any", "inputs.value > `1`")]


def switch(cases: Any, **config: Any) -> dict[str, Any]:
    return {"node_type": "control.switch", "config": {"cases": cases, **config}}


async def outputs_of(cases: Any, value: Any, *, variables: dict[str, Any] | None = None, **config: Any) -> Any:
    result = await run(flow({"s": switch(cases, **config)}, vars=variables or {}), {"value": value})
    assert result.status == "succeeded", result.error
    return result.node_outputs["s"]


@pytest.mark.parametrize(("value", "port"), [(500, "big"), (50, "some"), (5, "any"), (0, "default"), (None, "default")])
async def test_the_value_goes_to_the_first_case_that_fits_and_to_default_when_none_does(value: Any, port: str) -> None:
    assert await outputs_of(SIZES, value) == {port: value}
    assert await outputs_of(SIZES, value, match="first") == {port: value}


@pytest.mark.parametrize(
    ("value", "ports"), [(500, {"big", "some", "any"}), (50, {"some", "any"}), (5, {"any"}), (0, {"default"})]
)
async def test_with_match_all_the_value_goes_to_every_case_that_fits(value: Any, ports: set[str]) -> None:
    assert await outputs_of(SIZES, value, match="all") == dict.fromkeys(ports, value)


async def test_how_cases_are_matched_may_come_from_an_expression() -> None:
    given = await outputs_of(SIZES, 50, match="${{ vars.how }}", variables={"how": "all"})
    assert given == {"some": 50, "any": 50}


@pytest.mark.parametrize("value", [None, False, "", [], {}])
async def test_a_value_that_counts_as_false_is_sent_on_like_any_other(value: Any) -> None:
    assert await outputs_of([case("yes", "inputs.value"), case("no", "!(inputs.value)")], value) == {"no": value}


@pytest.mark.parametrize("value", [0, "no", [None], {"a": None}, True])
async def test_a_case_fits_when_its_expression_is_true_for_jmespath(value: Any) -> None:
    assert await outputs_of([case("yes", "inputs.value")], value) == {"yes": value}


@pytest.mark.parametrize(
    "when", ["inputs.value == `7`", "input.mode == 'fast'", "vars.limit < inputs.value", "run.attempt == `1`"]
)
async def test_a_case_sees_inputs_input_vars_and_run(when: str) -> None:
    document = flow({"s": switch([case("yes", when)])}, vars={"limit": 3})
    result = await run(document, {"value": 7, "mode": "fast"})
    assert result.outputs == {"s": {"yes": 7}}


async def test_a_port_may_have_any_name() -> None:
    document = flow(
        {
            "s": switch([case("needs review", "inputs.value"), case("ümläut.", "inputs.value")], match="all"),
            "a": "debug.noop",
            "b": {"node_type": "debug.noop", "inputs": {"x": '${{ nodes.s."needs review" }}'}},
        },
        outputs={"dotted": '${{ nodes.s."ümläut." }}', "spaced": "${{ nodes.b.x }}", "wired": "${{ nodes.a.x }}"},
    )
    document["connections"] = [{"from_node": "s", "from_port": "needs review", "to_node": "a", "to_port": "x"}]
    result = await run(document, {"value": 1})
    assert result.outputs == {"dotted": 1, "spaced": 1, "wired": 1}


async def test_what_follows_the_other_ports_is_skipped_and_skips_spread() -> None:
    document = flow(
        {
            "s": switch(SIZES),
            **dict.fromkeys(["big", "big2", "some", "some2", "any", "default"], "debug.noop"),
            "all": "control.merge",
        },
        *[f"s.{port} -> {port}.x" for port in ("big", "some", "any", "default")],
        *[f"{node}.x -> {node}2.x" for node in ("big", "some")],
        *[f"{node}.x -> all.values" for node in ("big2", "some2", "any", "default")],
    )
    events = await events_of(document, {"value": 50})
    assert {skip.node_id for skip in of(events, NodeSkipped)} == {"big", "big2", "any", "default"}
    assert events[-1].outputs == {"all": {"merged": [50]}}


async def test_when_no_case_fits_and_nothing_follows_default_all_that_follows_is_skipped() -> None:
    document = flow({"s": switch(SIZES), "a": "debug.noop", "b": "debug.noop"}, "s.big -> a.x", "s.any -> b.x")
    result = await run(document, {"value": 0})
    assert (result.status, result.skipped_nodes) == ("succeeded", ("a", "b"))


async def test_a_switch_that_gets_no_value_is_skipped_with_all_its_branches() -> None:
    document = flow(
        {"if": "control.if", "s": switch(SIZES), "a": "debug.noop", "d": "debug.noop"},
        "if.true -> s.value",
        "s.big -> a.x",
        "s.default -> d.x",
    )
    assert (await run(document, {"value": None})).skipped_nodes == ("s", "a", "d")


async def test_the_value_is_handed_on_and_not_copied() -> None:
    document = flow({"n": "debug.noop", "s": switch(SIZES)}, "n.value -> s.value")
    outputs = (await run(document, {"value": {"text": "x" * 10_000}})).node_outputs
    assert outputs["s"]["default"] is outputs["n"]["value"]


async def test_a_case_that_cannot_be_decided_fails_the_node_and_says_which_and_why() -> None:
    cases = [case("small", "inputs.value < `5`"), case("long", "length(inputs.value) > `3`")]
    retry = {"max_attempts": 3}
    events = await events_of(flow({"s": {**switch(cases), "retry_policy": retry}}), {"value": 50})
    error = events[-1].error
    assert error["message"] == (
        "The case of the port 'long' (cases[1].when) could not be decided: "
        "The expression 'length(inputs.value) > `3`' "
        "in /nodes/0/config/cases/1/when failed at column 0: length() takes string or array or object, and got number."
    )
    assert (error["code"], error["node_id"], error["details"]) == (
        "expression.failed",
        "s",
        {"case": 1, "port": "long"},
    )
    assert error["remedy"]
    assert of(events, NodeRetrying) == []  # trying again would fail again


async def test_cases_after_the_first_that_fits_are_not_asked() -> None:
    cases = [case("number", "type(inputs.value) == 'number'"), case("long", "length(inputs.value) > `3`")]
    assert await outputs_of(cases, 50) == {"number": 50}
    assert (await run(flow({"s": switch(cases, match="all")}), {"value": 50})).status == "failed"


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([], [("config.schema", "")]),
        ("all", [("config.schema", "")]),
        ([{"when": "inputs"}], [("config.schema", "/0")]),
        ([{"port": "a"}], [("config.schema", "/0")]),
        ([{"port": "", "when": "input"}], [("config.schema", "/0/port")]),
        ([{"port": "a", "when": 5}], [("config.schema", "/0/when")]),
        ([{"port": "a", "when": "input", "wen": ""}], [("config.unknown_key", "/0/wen")]),
        ([case("a", "input"), case("a", "inputs.value")], [("port.duplicate", "/1/port")]),
        *[([case(name, "input")], [("port.reserved", "/0/port")]) for name in ("done", "after", "error", "default")],
        ([case("${{ vars.port }}", "input")], [("port.computed", "/0/port")]),
        ("${{ vars.cases }}", [("port.computed", "")]),
        ([case("a", "inputs.value >")], [("expression.syntax", "/0/when")]),
        ([case("a", "")], [("expression.syntax", "/0/when")]),
        ([case("a", "${{ inputs.value }}")], [("expression.syntax", "/0/when")]),
        ([case("a", "value > `5`")], [("expression.root", "/0/when")]),
        ([case("a", "nodes.x.y")], [("expression.root", "/0/when")]),
        ([case("a", "secrets.token")], [("expression.root", "/0/when")]),
        ([case("a", "input"), case("b", "nope(input)")], [("expression.function", "/1/when")]),
    ],
)
def test_cases_that_cannot_work_are_problems_of_the_document(cases: Any, expected: list[tuple[str, str]]) -> None:
    found = codes_of(flow({"s": {**switch(cases), "inputs": {"value": 1}}}))
    assert found == [(code, f"/nodes/0/config/cases{pointer}") for code, pointer in expected]


def test_a_switch_needs_cases_and_a_value_and_matches_first_or_all() -> None:
    document = flow({"n": "debug.noop", "s": {"node_type": "control.switch", "config": {"match": "some"}}})
    document["connections"] = [{"from_node": "n", "from_port": "done", "to_node": "s", "to_port": "after"}]
    assert codes_of(document) == [
        ("port.required", "/nodes/1"),
        ("config.schema", "/nodes/1/config"),
        ("config.schema", "/nodes/1/config/match"),
    ]


def test_a_connection_from_a_port_that_no_case_has_is_told_with_what_was_meant() -> None:
    document = flow({"s": switch(SIZES), "n": "debug.noop"}, "s.bigg -> n.x")
    (problem,) = problems_of(document)
    assert (problem.code, problem.pointer) == ("port.unknown", "/connections/0/from_port")
    assert problem.remedy.startswith("Did you mean 'big'? There are 'default', 'big', 'some', 'any'")


def test_flow_validate_shows_all_that_is_wrong_with_a_switch(tmp_path: Path) -> None:
    cases = [case("big", "inputs.value >< `5`"), case("big", "input"), case("default", "input")]
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(flow({"s": switch(cases)})))
    command = [sys.executable, "-m", "flowcli", "validate", str(file)]
    environment = {**os.environ, "FLOW_HOME": str(tmp_path), "NO_COLOR": "1", "COLUMNS": "400"}
    plain = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    asked = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (plain.returncode, asked.returncode) == (2, 2)
    (found,) = json.loads(asked.stdout)["files"]
    assert [(problem["code"], problem["pointer"]) for problem in found["problems"]] == [
        ("expression.syntax", "/nodes/0/config/cases/0/when"),
        ("port.duplicate", "/nodes/0/config/cases/1/port"),
        ("port.reserved", "/nodes/0/config/cases/2/port"),
    ]
    shown = plain.stdout + plain.stderr
    for words in (
        "'inputs.value >< `5`' is not JMESPath at column 14 ('<')",
        "The port 'big' of node 's' (control.switch) is listed before, at /nodes/0/config/cases/0.",
        "lists a port 'default', a name that every control.switch uses itself",
    ):
        assert words in shown
