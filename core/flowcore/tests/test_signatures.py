"""The ports of nodes that run a workflow, as that workflow declares them."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.documents import parse_workflow
from flowcore.nodes import NodeType, Port, Ports
from flowcore.validation import NodePorts, TypedWorkflow, check_types, find_types, no_workflows
from flowcore.validation.signatures import signature_inputs, signature_outputs
from flowcore.workflows import Workflow
from hypothesis import given
from hypothesis import strategies as st

from core.flowcore.tests.workflow_strategies import JSON

SUBFLOW = NodeType(
    id="t.sub",
    implementation="test:sub",
    inputs=Ports(ports=(Port(name="own", schema={"type": "string"}),), rule="signature", pointer="/flow"),
    outputs=Ports(ports=(Port(name="raw"),), rule="signature", pointer="/flow"),
)
NODES = [{"id": "a", "node_type": "t.a"}]
KEPT = parse_workflow({"name": "Kept", "nodes": NODES, "inputs": {"properties": {"url": {}}}, "outputs": {"page": 1}})


def find(name: str) -> Workflow | None:
    return KEPT if name == "Kept" else None


def typed(flow: Any) -> TypedWorkflow:
    source = parse_workflow({"name": "w", "nodes": [{"id": "s", "node_type": "t.sub", "config": {"flow": flow}}]})
    return TypedWorkflow.of(source, find_types(source, lambda *_: SUBFLOW), {}, find)


def ports_of(flow: Any) -> NodePorts:
    (ports,) = typed(flow).ports
    assert ports is not None
    return ports


def child(**fields: Any) -> dict[str, Any]:
    return {"nodes": NODES, **fields}


def names(ports: tuple[Port, ...]) -> list[str]:
    return [port.name for port in ports]


def test_inputs_are_the_properties_with_their_schemas_the_required_ones_required() -> None:
    schema = {"properties": {"url": {"type": "string"}, "limit": {"default": 3}}, "required": ["url", "key"]}
    ports = ports_of(child(inputs=schema))
    assert [(port.name, port.schema, port.required) for port in ports.inputs] == [
        ("own", {"type": "string"}, False),
        ("url", {"type": "string"}, True),
        ("limit", {"default": 3}, False),
        ("key", True, True),
    ]
    assert not ports.any_input


def test_definitions_that_a_schema_refers_to_come_along() -> None:
    schema = {"properties": {"url": {"$ref": "#/$defs/url"}}, "$defs": {"url": {"type": "string"}}}
    port = ports_of(child(inputs=schema)).input("url")
    assert port is not None
    assert port.schema == {"$ref": "#/$defs/url", "$defs": {"url": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "any_input"),
    [
        (None, True),
        (True, True),
        (False, False),
        ({}, True),
        ({"type": "object"}, True),
        ({"additionalProperties": False}, False),
        ({"properties": {"url": {}}}, False),
        ({"properties": {"url": {}}, "additionalProperties": True}, True),
        ({"properties": {"url": {}}, "additionalProperties": {"type": "string"}}, True),
        ({"properties": {"url": {}}, "additionalProperties": False, "patternProperties": {"^x": {}}}, True),
    ],
    ids=str,
)
def test_other_names_are_ports_where_nothing_is_declared_or_others_are_allowed(schema: Any, any_input: bool) -> None:
    assert ports_of(child(inputs=schema)).any_input is any_input


def test_outputs_are_the_keys_of_the_outputs() -> None:
    ports = ports_of(child(outputs={"page": "${{ nodes.a.out }}", "raw": 1}))
    assert (names(ports.outputs), ports.any_output) == (["raw", "page"], False)
    assert (names(ports_of(child(outputs={})).outputs), ports_of(child(outputs={})).any_output) == (["raw"], False)


def test_without_outputs_there_is_one_port_called_output() -> None:
    assert names(ports_of(child()).outputs) == ["raw", "output"]


def test_a_fixed_port_keeps_its_own_schema() -> None:
    port = ports_of(child(inputs={"properties": {"own": {"type": "number"}}})).input("own")
    assert port is not None
    assert port.schema == {"type": "string"}


def test_a_name_stands_for_the_ports_of_the_workflow_that_it_names() -> None:
    ports = ports_of("Kept")
    assert (names(ports.inputs), names(ports.outputs)) == (["own", "url"], ["raw", "page"])


def test_two_schemas_say_the_ports_of_both_sides() -> None:
    both: dict[str, Any] = {"inputs": {"properties": {"a": {}}}, "outputs": {"properties": {"b": {}}}}
    ports = ports_of(both)
    assert (names(ports.inputs), names(ports.outputs)) == (["own", "a"], ["raw", "b"])
    assert (ports.any_input, ports.any_output) == (False, False)
    assert ports_of({"inputs": {"properties": {"a": {}}}}).any_output


@pytest.mark.parametrize("flow", [None, 5, "nobody", {}, {"file": "a.json"}, []], ids=str)
def test_what_cannot_be_read_has_every_port(flow: Any) -> None:
    ports = ports_of(flow)
    assert ports.any_input
    assert ports.any_output


def test_names_that_every_node_has_itself_are_told_and_make_no_ports() -> None:
    flow = child(inputs={"properties": {"after": {}}}, outputs={"done": 1, "error": 2, "page": 3})
    assert names(ports_of(flow).outputs) == ["raw", "page"]
    problems = check_types(typed(flow), lambda *_: SUBFLOW, list, str)
    assert [(problem.code, problem.pointer) for problem in problems] == [("port.reserved", "/nodes/0/config/flow")] * 3
    assert ["'after'" in problems[0].message, "'done'" in problems[1].message] == [True, True]


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("nodes", "inputs", "outputs"), JSON)))
def test_no_value_in_place_of_a_workflow_makes_reading_its_ports_raise(value: Any) -> None:
    for declared in (signature_inputs(value, no_workflows), signature_outputs(value, no_workflows)):
        assert all(isinstance(port.name, str) for port in declared.ports)


@pytest.mark.parametrize("reference", ["#", "#/properties/url", "#there", "https://example.org/schema.json"])
def test_a_port_whose_schema_refers_to_more_than_definitions_takes_any_value(reference: str) -> None:
    """Alone it would refer to nothing; the workflow checks its inputs as a whole."""
    schema = {"properties": {"url": {"type": "string"}, "all": {"items": [{"$ref": reference}]}}}
    own, url, whole = ports_of(child(inputs=schema)).inputs
    assert (own.name, url.schema, whole.schema) == ("own", {"type": "string"}, True)
