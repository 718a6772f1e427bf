"""From a document to a plan, or to all of its problems at once."""

import json
from typing import Any

import pytest
from flowcore.documents import parse_workflow
from flowcore.errors import MAX_PROBLEMS, Problem, WorkflowInvalid
from flowruntime.plan import SchemaCache, check_workflow, require_plan

from core.flowruntime.tests.plan.planning import Types, check, document


def told(source: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in check(source).problems]


FINE = document({"a": "t.noop", "b": "t.noop"}, "a.out -> b.value")


def test_a_plan_comes_from_text_bytes_decoded_json_and_objects_alike() -> None:
    text = json.dumps(FINE)
    for source in (text, text.encode(), FINE, parse_workflow(FINE)):
        checked = check(source)
        assert checked.problems == ()
        assert checked.workflow == parse_workflow(FINE)
        assert require_plan(checked).need == (0, 1)


def test_ten_different_mistakes_are_ten_problems_from_top_to_bottom() -> None:
    source: dict[str, Any] = {
        "name": "ten",
        "inputs": {"type": "object", "properties": {"a": {"minimum": "five"}}},
        "nodes": [
            {"id": "start", "node_type": "t.nop"},
            {"id": "fetch", "node_type": "t.http", "config": {"methd": "GET", "timeout_ms": "${{ vars.a + 1 }}"}},
            {"id": "ask", "node_type": "t.ask", "config": {"expression": "a["}},
            {"id": "two", "node_type": "t.two", "inputs": {"a": "${{ nodes.nobody.out }}", "c": 1}},
            {"id": "old", "node_type": "t.old", "type_version": 7},
            {"id": "need", "node_type": "t.need"},
            {"id": "end", "node_type": "t.noop", "colour": "red"},
        ],
        "connections": [
            {"from_node": "two", "from_port": "z", "to_node": "end", "to_port": "value"},
            {"from_node": "two", "from_port": "x", "to_node": "need", "to_port": "extra"},
        ],
        "outputs": {"result": "${{ secrets.T }}"},
    }
    assert told(source) == [
        ("/inputs", "document.schema"),
        ("/nodes/0/node_type", "node_type.unknown"),
        ("/nodes/1/config/methd", "config.unknown_key"),
        ("/nodes/1/config/timeout_ms", "expression.syntax"),
        ("/nodes/2/config/expression", "expression.syntax"),
        ("/nodes/3/inputs/a", "reference.unknown_node"),
        ("/nodes/3/inputs/c", "port.unknown"),
        ("/nodes/4/type_version", "node_type.unknown_version"),
        ("/nodes/5", "port.required"),
        ("/nodes/6/colour", "document.unknown_field"),
        ("/connections/0/from_port", "port.unknown"),
        ("/outputs/result", "expression.root"),
    ]


def test_a_document_that_cannot_be_read_has_neither_workflow_nor_plan() -> None:
    for source in ("not json", b"\xff", "[]", {"name": "x", "nodes": 5}):
        checked = check(source)
        assert (checked.workflow, checked.plan) == (None, None)
        assert checked.errors


def test_an_unknown_type_is_explained_by_the_registry() -> None:
    (problem,) = check(document({"a": "acme.thing"})).problems
    assert problem.remedy == "Install the pack 'acme'."


@pytest.mark.parametrize(
    ("connections", "inputs"),
    [
        (["a.out -> b.value", "b.out -> a.value"], {}),
        (["a.out -> b.value"], {"value": "${{ nodes.b.out }}"}),
        (["a.out -> b.value", "b.done -> a.after"], {}),
        ([], {"value": "${{ nodes.a.out }}"}),
    ],
)
def test_circles_of_connections_and_references_are_errors(connections: list[str], inputs: Any) -> None:
    checked = check(document({"a": {"node_type": "t.noop", "inputs": inputs}, "b": "t.noop"}, *connections))
    assert [problem.code for problem in checked.errors] == ["workflow.cycle"]
    assert checked.plan is None


def test_references_make_arrows_that_required_ports_know_of() -> None:
    nodes = {"a": "t.noop", "b": {"node_type": "t.need", "inputs": {"extra": "${{ nodes.a.out }}"}}}
    assert told(document(nodes)) == [("/nodes/1", "port.required")]
    assert told(document({"b": "t.need"})) == []


def test_outputs_may_refer_to_nodes_and_ports_that_exist() -> None:
    outputs = {"a": "${{ nodes.a.out }}", "b": ["${{ nodes.c.out }}", "${{ nodes.a.nope }}"]}
    assert told(document({"a": "t.noop"}, outputs=outputs)) == [
        ("/outputs/b/0", "reference.unknown_node"),
        ("/outputs/b/1", "port.unknown"),
    ]


def test_the_schema_of_the_inputs_is_checked() -> None:
    assert told(document({"a": "t.noop"}, inputs={"type": "object", "properties": {"n": {"type": "integer"}}})) == []
    (problem,) = check(document({"a": "t.noop"}, inputs={"properties": {"n": {"type": "int"}}})).problems
    assert (problem.severity, problem.pointer) == ("error", "/inputs")
    assert problem.message.startswith("'inputs' is no JSON Schema 2020-12: no alternative fits: \"int\" is not one of")
    assert problem.message.endswith(" at '/properties/n/type'.")


def test_warnings_keep_nothing_from_running() -> None:
    nodes = {"a": {"node_type": "t.noop", "timeout_ms": 5, "cache": {"ttl_ms": None}}, "b": "t.noop"}
    checked = check(document(nodes, settings={"max_execution_time_ms": 10}))
    assert checked.plan is not None
    assert checked.errors == ()
    assert {problem.severity for problem in checked.problems} == {"warning"}


@pytest.mark.parametrize(
    ("fields", "node", "pointer", "severity"),
    [
        ({}, {"cache": {"ttl_ms": 5}}, "/nodes/0/cache", "warning"),
    ],
)
def test_what_this_version_does_not_do_yet_is_told(fields: Any, node: Any, pointer: str, severity: str) -> None:
    checked = check(document({"a": {"node_type": "t.noop", **node}}, **fields))
    assert [(problem.pointer, problem.code, problem.severity) for problem in checked.problems] == [
        (pointer, "document.not_supported_yet", severity)
    ]
    assert (checked.plan is None) == (severity == "error")


def test_problems_beyond_the_bound_are_counted() -> None:
    nodes = {f"n{number}": {"node_type": "t.two", "inputs": {"a": "${{ nope }}"}} for number in range(MAX_PROBLEMS + 5)}
    checked = check(document(nodes))
    assert len(checked.problems) == MAX_PROBLEMS + 1
    (note,) = [problem for problem in checked.problems if problem.code == "document.more_problems"]
    assert note.message.startswith("There are 5 more problems")


def test_a_plan_is_required_or_all_problems_are_raised() -> None:
    checked = check(document({"a": "t.nop", "b": "t.nop"}))
    with pytest.raises(WorkflowInvalid) as caught:
        require_plan(checked)
    assert caught.value.problems == checked.problems
    assert len(checked.problems) == 2


def test_a_workflow_object_made_by_hand_is_checked_like_its_document() -> None:
    workflow = parse_workflow(FINE)
    broken = type(workflow)(id=workflow.id, name="", nodes=workflow.nodes)
    problems: tuple[Problem, ...] = check_workflow(broken, Types(), SchemaCache()).problems
    assert [problem.pointer for problem in problems] == ["/name"]


def test_checking_changes_nothing_in_the_given_document() -> None:
    source = document(
        {"a": {"node_type": "t.http", "config": {"headers": {"h": "${{ vars.x }}"}}, "inputs": {"url": "u"}}},
        vars={"x": 1},
    )
    before = json.dumps(source)
    require_plan(check(source)).nodes[0].config.resolve({"vars": {"x": 1}})
    assert json.dumps(source) == before
