"""What a connection brings fits its port, may fit and is looked at, or cannot fit and is refused at load."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.errors import WorkflowInvalid
from flowcore.nodes import Port
from flowruntime import Runtime
from flowruntime.authoring import node

from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


@node("local.text", effects="pure")
async def text(*, value: str = "five") -> str:
    """Give a text."""
    return value


@node("local.perhaps", effects="pure")
async def perhaps(*, value: Any = None) -> int | None:
    """Give a number or nothing."""
    return value if isinstance(value, int) else None


@node("local.number", effects="pure")
async def number(x: float) -> float:
    """Take a number."""
    return x


@node(
    "local.all_numbers", inputs=(Port(name="xs", schema={"type": "array", "items": {"type": "number"}}, multiple=True),)
)
async def all_numbers(xs: list[float]) -> int:
    """Count numbers."""
    return len(xs)


NODES = [*ALL, text, perhaps, number, all_numbers]


def problems_of(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    checked = Runtime(nodes=NODES).check(document)
    return [(problem.severity, problem.code, problem.pointer) for problem in checked.problems]


async def run(document: dict[str, Any], inputs: dict[str, Any] | None = None) -> Any:
    async with Runtime(nodes=NODES) as runtime:
        return await runtime.run(document, inputs)


async def test_a_connection_that_cannot_fit_is_an_error_that_names_both_sides_and_a_way_out() -> None:
    async with Runtime(nodes=NODES) as runtime:
        with pytest.raises(WorkflowInvalid) as caught:
            await runtime.run(workflow({"t": "text", "n": "number"}, "t.result -> n.x"))
    (problem,) = caught.value.problems
    assert (problem.code, problem.pointer) == ("connection.cannot_fit", "/connections/0")
    assert "t.result → n.x" in problem.message
    assert "string" in problem.message
    assert "number" in problem.message
    assert problem.remedy


async def test_a_connection_that_may_fit_is_a_warning_and_the_value_is_looked_at_when_it_comes() -> None:
    document = workflow({"p": {"node_type": "perhaps", "config": {"value": 5}}, "n": "number"}, "p.result -> n.x")
    assert problems_of(document) == [("warning", "connection.may_not_fit", "/connections/0")]
    assert (await run(document)).node_outputs["n"] == {"result": 5}
    result = await run(workflow({"p": "perhaps", "n": "number"}, "p.result -> n.x"))
    assert (result.error["node_id"], result.error["code"], result.error["retryable"]) == ("n", "input.schema", False)
    assert result.error["message"].endswith("in the input of port 'x', which comes by p.result → n.x.")
    assert "transform.jmespath" in result.error["remedy"]


async def test_a_source_that_declares_nothing_is_looked_at_without_a_warning() -> None:
    give = {"node_type": "give", "config": {"value": "five"}}
    document = workflow({"g": give, "n": "number"}, "g.result -> n.x")
    assert problems_of(document) == []
    assert (await run(document)).error["code"] == "input.schema"


async def test_an_integer_fits_a_number_and_nothing_is_looked_at() -> None:
    document = workflow({"a": {"node_type": "add", "inputs": {"x": 1}}, "n": "number"}, "a.result -> n.x")
    async with Runtime(nodes=NODES) as runtime:
        checked = runtime.check(document)
    assert checked.problems == ()
    assert checked.plan is not None
    assert checked.plan.nodes[1].checked == ()
    assert checked.plan.nodes[1].direct


async def test_the_ports_that_every_node_has_are_checked_too() -> None:
    assert problems_of(workflow({"t": "text", "n": "number"}, "t.done -> n.x")) == [
        ("error", "connection.cannot_fit", "/connections/0")
    ]
    assert problems_of(workflow({"t": "text", "n": "give"}, "t.done -> n.after")) == []


async def test_a_fixed_input_that_does_not_fit_is_an_error_at_load() -> None:
    document = workflow({"n": {"node_type": "number", "inputs": {"x": "five"}}})
    assert problems_of(document) == [("error", "input.schema", "/nodes/0/inputs/x")]


async def test_what_an_expression_or_the_execution_brings_is_looked_at_when_the_node_starts() -> None:
    document = workflow({"n": {"node_type": "number", "inputs": {"x": "${{ input.y }}"}}})
    assert (await run(document, {"y": 2.5})).node_outputs["n"] == {"result": 2.5}
    assert (await run(document, {"y": "five"})).error["code"] == "input.schema"
    assert (await run(workflow({"n": "number"}), {"x": [1]})).error["code"] == "input.schema"


async def test_a_port_of_several_values_is_compared_with_the_list_of_them_and_its_error_names_three_wires() -> None:
    nodes = {f"p{place}": {"node_type": "perhaps", "config": {"value": 1}} for place in range(5)}
    wires = [f"{name}.result -> n.xs" for name in nodes]
    document = workflow({**nodes, "n": "all_numbers"}, *wires)
    assert {code for _, code, _ in problems_of(document)} == {"connection.may_not_fit"}
    assert (await run(document)).node_outputs["n"] == {"result": 5}
    result = await run(workflow({**nodes, "p3": "perhaps", "n": "all_numbers"}, *wires))
    assert result.error["message"].endswith(
        "of port 'xs' at '/3', which comes by p0.result → n.xs, p1.result → n.xs, p2.result → n.xs and more."
    )
    assert problems_of(workflow({"t": "text", "n": "all_numbers"}, "t.result -> n.xs")) == [
        ("error", "connection.cannot_fit", "/connections/0")
    ]


@node("local.promise", effects="pure", check_outputs=True)
async def promise(given: Any) -> int:
    """Promise an integer, and return what it is given."""
    return given  # type: ignore[no-any-return]


@node("local.word", effects="pure")
async def word(given: Any) -> int:
    """The same, and nobody looks."""
    return given  # type: ignore[no-any-return]


async def test_what_a_node_returns_is_checked_where_its_ports_say_so() -> None:
    document = {"name": "d", "nodes": [{"id": "a", "node_type": "local.promise", "inputs": {"given": "text"}}]}
    async with Runtime(nodes=[promise, word]) as runtime:
        result = await runtime.run(document)
        assert result.error is not None
        assert result.error["code"] == "output.schema"
        assert "port 'result'" in result.error["message"]
        document["nodes"][0]["inputs"]["given"] = 2**60  # type: ignore[index]
        assert (await runtime.run(document)).outputs == {"a": {"result": 2**60}}


async def test_without_it_a_port_is_taken_at_its_word() -> None:
    document = {"name": "d", "nodes": [{"id": "a", "node_type": "local.word", "inputs": {"given": "text"}}]}
    async with Runtime(nodes=[promise, word]) as runtime:
        assert (await runtime.run(document)).outputs == {"a": {"result": "text"}}


def test_a_checked_port_stands_so_in_the_catalog_and_comes_back() -> None:
    port = Port(name="n", schema={"type": "integer"}, checked=True)
    assert port.to_json() == {"name": "n", "schema": {"type": "integer"}, "checked": True}
    problems: list[Any] = []
    assert Port.read(port.to_json(), "", problems) == port
    assert problems == []


@pytest.mark.parametrize("place", ["inputs", "outputs"])
async def test_what_expressions_nest_too_deep_fails_before_anybody_gets_it(place: str) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    made = {"value": "${{ [[[[[[input.deep]]]]]] }}"}
    nodes = {"g": {"node_type": "free", "inputs": made}} if place == "inputs" else {"g": "give"}
    result = await run({**workflow(nodes), **({"outputs": made} if place == "outputs" else {})}, {"deep": deep})
    assert (result.status, result.error["code"]) == ("failed", "expression.not_a_value")
    assert (await run({**workflow(nodes), "outputs": made}, {"deep": 1})).status == "succeeded"
