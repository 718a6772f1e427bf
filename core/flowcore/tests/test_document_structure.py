"""Documents as a whole: how their parts fit together, what their settings and triggers may be, how much they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowcore.documents import (
    MAX_CONNECTIONS,
    MAX_NODES,
    parse_workflow,
    read_execution_inputs,
    read_workflow,
    sort_problems,
    write_workflow,
)
from flowcore.errors import MAX_PROBLEMS, Problem, WorkflowInvalid
from flowcore.policies import ContinueOnError, RetryWorkflow, StopWorkflow
from flowcore.values import Blob
from flowcore.workflows import Cache

from core.flowcore.tests.example_documents import PIPELINE, found, only_problem, pipeline


def wire(from_node: str, from_port: str, to_node: str, to_port: str) -> dict[str, str]:
    return {"from_node": from_node, "from_port": from_port, "to_node": to_node, "to_port": to_port}


def with_wires(*wires: dict[str, str]) -> dict[str, Any]:
    return pipeline("/connections", [*PIPELINE["connections"], *wires])


def test_near_names_are_offered_for_fields_nodes_and_choices() -> None:
    remedies = {
        ("/nodes/0/confg", 1): "Did you mean 'config'?",
        ("/connections/0/to_node", "prse"): "Did you mean 'parse'?",
        ("/nodes/0/on_error", "stopp"): "Did you mean 'stop'?",
        ("/settings/max_paralel_nodes", 1): "Did you mean 'max_parallel_nodes'?",
        ("/triggers/0/trigger_type/type", "Corn"): "Did you mean 'Cron'?",
    }
    for (pointer, value), remedy in remedies.items():
        assert only_problem(pipeline(pointer, value)).remedy == remedy


def test_two_nodes_of_one_id_are_told_at_the_second() -> None:
    problem = read_workflow(pipeline("/nodes/2/id", "fetch")).problems[0]
    assert (problem.code, problem.pointer) == ("node.duplicate_id", "/nodes/2/id")
    assert problem.message == "The node id 'fetch' is taken by /nodes/0."


def test_two_triggers_of_one_id_are_told_at_the_second() -> None:
    document = pipeline("/triggers", PIPELINE["triggers"] * 2)
    assert found(document) == [("trigger.duplicate_id", "/triggers/1/id")]


def test_a_connection_that_leads_nowhere_is_told_at_each_end() -> None:
    document = with_wires(wire("nobody", "a", "nowhere", "b"))
    assert found(document) == [
        ("connection.unknown_node", "/connections/2/from_node"),
        ("connection.unknown_node", "/connections/2/to_node"),
    ]


def test_a_node_connected_to_itself_is_a_cycle() -> None:
    problem = only_problem(with_wires(wire("log", "done", "log", "after")))
    assert (problem.code, problem.pointer) == ("workflow.cycle", "/connections/2")
    assert "'log' → 'log'" in problem.message


def test_the_same_connection_twice_is_told() -> None:
    document = with_wires(PIPELINE["connections"][0])
    assert found(document) == [("connection.duplicate", "/connections/2")]
    assert "/connections/0" in only_problem(document).message


@pytest.mark.parametrize(
    ("connection", "pointer"),
    [
        (wire("fetch", "after", "log", "message"), "/connections/2/from_port"),
        (wire("fetch", "done", "log", "done"), "/connections/2/to_port"),
        (wire("fetch", "done", "log", "error"), "/connections/2/to_port"),
    ],
    ids=["after is no output", "done is no input", "error is no input"],
)
def test_reserved_ports_have_one_direction(connection: dict[str, str], pointer: str) -> None:
    assert found(with_wires(connection)) == [("port.reserved", pointer)]


@pytest.mark.parametrize("port", ["after", "done", "error"])
def test_reserved_ports_take_no_fixed_value(port: str) -> None:
    assert found(pipeline("/nodes/0/inputs", {port: 1})) == [("port.reserved", f"/nodes/0/inputs/{port}")]


def test_the_implicit_ports_can_be_used_in_their_direction() -> None:
    document = with_wires(wire("fetch", "done", "log", "after"), wire("fetch", "error", "log", "after"))
    document["nodes"][0]["on_error"] = "route"
    assert found(document) == []


@pytest.mark.parametrize("on_error", [None, "stop", "continue"])
def test_the_error_port_of_a_node_that_does_not_route_is_an_error(on_error: str | None) -> None:
    document = with_wires(wire("fetch", "error", "log", "after"))
    document["nodes"][0]["on_error"] = on_error
    assert found(document) == [("port.error_without_route", "/connections/2/from_port")]
    assert '"on_error": "route"' in only_problem(document).remedy


@pytest.mark.parametrize(
    ("form", "meaning"),
    [
        ("StopWorkflow", StopWorkflow()),
        ("ContinueOnError", ContinueOnError()),
        ({"RetryWorkflow": {"max_attempts": 5}}, RetryWorkflow(max_attempts=5)),
        ({"RetryWorkflow": {}}, RetryWorkflow(max_attempts=3)),
    ],
    ids=str,
)
def test_the_forms_of_a_workflows_on_error_are_read_and_written(form: Any, meaning: Any) -> None:
    workflow = parse_workflow(pipeline("/settings/on_error", form))
    assert workflow.settings.on_error == meaning
    assert parse_workflow(write_workflow(workflow)) == workflow


@pytest.mark.parametrize(
    ("form", "pointer"),
    [
        ({"RetryWorkflow": 3}, "/settings/on_error/RetryWorkflow"),
        ({"RetryWorkflow": {"max_attempts": 0}}, "/settings/on_error/RetryWorkflow/max_attempts"),
        ({"RetryWorkflow": {"attempts": 3}}, "/settings/on_error/RetryWorkflow/attempts"),
        ({"RetryWorkflow": {}, "StopWorkflow": {}}, "/settings/on_error/StopWorkflow"),
    ],
    ids=str,
)
def test_a_wrong_retry_of_the_workflow_is_told_at_its_place(form: Any, pointer: str) -> None:
    assert only_problem(pipeline("/settings/on_error", form)).pointer == pointer


def test_null_parallel_nodes_are_no_limit_and_survive_writing() -> None:
    workflow = parse_workflow(pipeline("/settings/max_parallel_nodes", None))
    assert workflow.settings.max_parallel_nodes is None
    assert write_workflow(workflow)["settings"] == {"max_parallel_nodes": None}


def test_a_null_cache_is_none() -> None:
    assert parse_workflow(pipeline("/nodes/0/cache", None)).nodes[0].cache is None


@pytest.mark.parametrize("cache", [{}, {"ttl_ms": None}, {"ttl_ms": 5}], ids=str)
def test_a_cache_may_have_no_end(cache: dict[str, Any]) -> None:
    workflow = parse_workflow(pipeline("/nodes/0/cache", cache))
    assert workflow.nodes[0].cache == Cache(ttl_ms=cache.get("ttl_ms"))
    assert write_workflow(workflow)["nodes"][0]["cache"] == {"ttl_ms": cache.get("ttl_ms")}


@pytest.mark.parametrize(
    ("cache", "pointer"), [({"ttl_ms": -1}, "/nodes/0/cache/ttl_ms"), ({"ttl": 1}, "/nodes/0/cache/ttl")]
)
def test_a_wrong_cache_is_told_at_its_place(cache: dict[str, Any], pointer: str) -> None:
    assert only_problem(pipeline("/nodes/0/cache", cache)).pointer == pointer


@pytest.mark.parametrize(
    "trigger_type",
    [
        {"type": "Node", "node": "fetch"},
        {"type": "Manual"},
        {"type": "Cron", "expression": "0 * * * *"},
        {"type": "Cron", "expression": "0 * * * *", "timezone": "Europe/Berlin"},
        {"type": "Webhook", "path": "hook"},
        {"type": "Webhook", "path": "hook", "method": "POST", "auth": "none", "public": True},
        {"type": "Event", "event_type": "WorkflowCompleted", "workflow": "w"},
        {"type": "Event", "event_type": "WorkflowCompleted", "workflow": "w", "status": ["failed"]},
    ],
    ids=str,
)
def test_each_form_of_a_trigger_is_kept_as_it_is(trigger_type: dict[str, Any]) -> None:
    workflow = parse_workflow(pipeline("/triggers/0/trigger_type", trigger_type))
    assert workflow.triggers[0].trigger_type == trigger_type
    assert write_workflow(workflow)["triggers"][0]["trigger_type"] == trigger_type


@pytest.mark.parametrize(
    ("trigger_type", "code", "field"),
    [
        ({"type": "Node"}, "document.required", "/node"),
        ({"type": "Node", "node": "fetsch"}, "trigger.unknown_node", "/node"),
        ({"type": "Node", "node": ["fetch"]}, "document.type", "/node"),
        ({"type": "Manual", "node": "fetch"}, "document.unknown_field", "/node"),
        ({"type": "Cron"}, "document.required", "/expression"),
        ({"type": "Cron", "expression": ""}, "document.empty", "/expression"),
        ({"type": "Webhook"}, "document.required", "/path"),
        ({"type": "Webhook", "path": "a", "methods": "GET"}, "document.type", "/methods"),
        ({"type": "Webhook", "path": "a", "auth": "basic"}, "document.type", "/auth"),
        ({"type": "Event", "workflow": "w"}, "document.required", "/event_type"),
        ({"type": "Event", "event_type": "NodeFailed", "workflow": "w"}, "document.type", "/event_type"),
        ({"type": "Event", "event_type": "WorkflowCompleted"}, "document.required", "/workflow"),
    ],
    ids=str,
)
def test_a_wrong_trigger_is_told_at_its_field(trigger_type: dict[str, Any], code: str, field: str) -> None:
    document = pipeline("/triggers/0/trigger_type", trigger_type)
    assert found(document) == [(code, "/triggers/0/trigger_type" + field)]


def test_an_event_trigger_waits_for_final_statuses_only() -> None:
    trigger_type = {
        "type": "Event",
        "event_type": "WorkflowCompleted",
        "workflow": "w",
        "status": ["failed", "running"],
    }
    problem = only_problem(pipeline("/triggers/0/trigger_type", trigger_type))
    assert problem.pointer == "/triggers/0/trigger_type/status/1"
    assert problem.remedy == "Choose from 'cancelled', 'failed', 'succeeded'."


def test_a_draft_may_have_no_nodes_and_a_workflow_may_not() -> None:
    draft = {"name": "Draft", "nodes": []}
    assert found(draft) == [("document.empty", "/nodes")]
    workflow = parse_workflow(draft, allow_draft=True)
    assert write_workflow(workflow) == {"id": "draft", "name": "Draft", "nodes": []}


def test_parsing_raises_with_all_problems_and_the_first_as_its_message() -> None:
    document = pipeline("/connections/0/to_node", "prse")
    document["nodes"][2]["id"] = "fetch"
    with pytest.raises(WorkflowInvalid) as caught:
        parse_workflow(document)
    assert caught.value.problems == read_workflow(document).problems
    assert "at /nodes/2/id: The node id 'fetch' is taken" in str(caught.value)
    assert [problem["code"] for problem in caught.value.to_json()["problems"]] == [
        *("node.duplicate_id", "connection.unknown_node", "connection.unknown_node")
    ]


def test_a_document_with_bad_parts_keeps_every_node_and_connection_in_its_place() -> None:
    document = pipeline("/nodes/1", None)
    document["nodes"][2]["timeout_ms"] = "soon"
    document["connections"][0] = 5
    read = read_workflow(document)
    assert read.workflow is not None
    assert not read.valid
    assert [node.id for node in read.workflow.nodes] == ["fetch", "", "log"]
    assert read.workflow.nodes[2].timeout_ms is None
    assert [connection.to_node for connection in read.workflow.connections] == ["", "log"]


@pytest.mark.parametrize("part", ["nodes", "connections"])
def test_a_document_whose_nodes_or_connections_are_no_list_gives_no_workflow_but_all_problems(part: str) -> None:
    document = pipeline(f"/{part}", "none")
    document["settings"]["concurrency"] = 0
    read = read_workflow(document)
    assert read.workflow is None
    assert found(document) == [("document.type", f"/{part}"), ("document.type", "/settings/concurrency")]


def test_the_limits_of_nodes_and_connections_are_kept() -> None:
    nodes = [{"id": str(number), "node_type": "t"} for number in range(MAX_NODES)]
    wires = [wire(str(number % MAX_NODES), "a", "0", str(number)) for number in range(1, MAX_CONNECTIONS + 1)]
    wires = [connection for connection in wires if connection["from_node"] != "0"]
    document: dict[str, Any] = {"name": "w", "nodes": nodes, "connections": wires}
    assert read_workflow(document).valid
    wires += [wire("1", "a", "2", str(number)) for number in range(MAX_CONNECTIONS + 1 - len(wires))]
    nodes.append({"id": "one more", "node_type": "t"})
    assert found(document) == [("document.limit", "/nodes"), ("document.limit", "/connections")]
    assert read_workflow(document).workflow is None
    assert "10,000" in read_workflow(document).problems[0].message


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    document = pipeline("/connections", [wire(f"nobody{i}", "a", f"nowhere{i}", "b") for i in range(5000)])
    problems = read_workflow(document).problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert (problems[0].code, problems[0].pointer) == ("document.more_problems", "")
    assert f"{10_000 - MAX_PROBLEMS} more problems" in problems[0].message


def test_problems_are_sorted_by_place_with_numbers_as_numbers_and_told_once() -> None:
    pointers = ["/x-y", "/settings", "/nodes/10", "/nodes/9/b", "/nodes/9", "", "/name", "/nodes/9/a"]
    problems = [Problem(code="a", pointer=pointer, message="b", remedy="c") for pointer in pointers * 2]
    assert [problem.pointer for problem in sort_problems(problems)] == [
        *("", "/name", "/nodes/9", "/nodes/9/a", "/nodes/9/b", "/nodes/10", "/settings", "/x-y")
    ]


@pytest.mark.parametrize("step", ["9" * 5000, "٣", "-1", "1e5"])
def test_problems_at_strange_numbers_can_be_sorted(step: str) -> None:
    problem = Problem(code="a", pointer=f"/nodes/{step}", message="b", remedy="c")
    other = Problem(code="a", pointer="/nodes/5", message="b", remedy="c")
    assert set(sort_problems([problem, other])) == {problem, other}


def test_execution_inputs_may_be_tagged_at_the_top_level() -> None:
    tagged = {"type": "Number", "value": 5}
    blob = Blob.from_bytes(b"hello")
    inputs, problems = read_execution_inputs({"n": tagged, "in": {"n": tagged}, "file": blob.to_json()})
    assert problems == ()
    assert inputs == {"n": 5, "in": {"n": tagged}, "file": blob}


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        ([], "inputs.type", ""),
        (None, "inputs.type", ""),
        ("{}", "inputs.type", ""),
        ({"a": {"type": "Number", "value": "5"}}, "value.tagged", "/a/value"),
        ({"a": float("inf")}, "json.not_a_number", "/a"),
        ({"a": [{"$blob": 1}]}, "json.blob_key", "/a/0"),
    ],
    ids=str,
)
def test_wrong_execution_inputs_are_told_at_their_place(value: Any, code: str, pointer: str) -> None:
    _, problems = read_execution_inputs(value)
    assert [(problem.code, problem.pointer) for problem in problems] == [(code, pointer)]
    _, problems = read_execution_inputs(value, "/inputs")
    assert [problem.pointer for problem in problems] == ["/inputs" + pointer]


def test_references_to_blobs_may_stand_anywhere_in_a_document() -> None:
    document = pipeline("/vars", {"file": Blob.from_bytes(b"x").to_json()})
    workflow = parse_workflow(document)
    assert workflow.vars == {"file": Blob.from_bytes(b"x")}
    assert json.loads(json.dumps(write_workflow(workflow))) == write_workflow(workflow)
