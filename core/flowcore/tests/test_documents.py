"""Documents: every kind of wrong document gives its code, its place and a way out; right ones mean what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowcore.documents import parse_workflow, read_workflow, write_workflow
from flowcore.policies import PartialRetryPolicy, StopWorkflow
from flowcore.values import Blob
from flowcore.workflows import Settings

from core.flowcore.tests.example_documents import ABSENT, PIPELINE, found, only_problem, pipeline


def test_the_contracts_own_example_is_read_field_by_field() -> None:
    workflow = parse_workflow(json.dumps(PIPELINE))
    assert (workflow.id, workflow.name, workflow.vars) == ("api-pipeline", "API data pipeline", {"limit": 10})
    fetch, parse, _log = workflow.nodes
    assert (fetch.config, fetch.position, fetch.timeout_ms) == ({"method": "GET"}, {"x": 100, "y": 100}, 30000)
    assert fetch.retry_policy == PartialRetryPolicy(
        max_attempts=3,
        delay_ms=1000,
        backoff_multiplier=2.0,
        max_delay_ms=60000,
        jitter=0.1,
        retry_on_timeout=True,
    )
    assert (parse.retry_policy, parse.on_error, parse.disabled, parse.config) == (None, None, False, {})
    assert [connection.to_port for connection in workflow.connections] == ["json", "message"]
    assert workflow.triggers[0].trigger_type == {"type": "Manual"}
    assert workflow.settings == Settings()
    assert workflow.node("log").node_type == "debug.log"
    with pytest.raises(KeyError):
        workflow.node("nobody")


def test_what_is_absent_has_the_contracts_defaults() -> None:
    workflow = parse_workflow({"name": "W", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
    assert (workflow.inputs, workflow.outputs, workflow.vars) == (None, None, {})
    assert (workflow.connections, workflow.triggers) == ((), ())
    settings = workflow.settings
    assert (settings.max_parallel_nodes, settings.on_error) == (10, StopWorkflow())
    assert (settings.max_execution_time_ms, settings.concurrency, settings.priority) == (None, None, None)
    node = workflow.nodes[0]
    assert (node.delivery, node.effects, node.cache, node.placement, node.timeout_ms) == (
        *("at_least_once", None),
        *(None, None, None),
    )


def test_only_what_differs_from_the_defaults_is_written_in_the_contracts_order() -> None:
    written = write_workflow(parse_workflow(PIPELINE))
    expected = pipeline("/settings")
    expected["nodes"][0] = {key: value for key, value in PIPELINE["nodes"][0].items() if value not in (None, {}, False)}
    del expected["triggers"][0]["enabled"]
    assert json.dumps(written) == json.dumps(expected)


@pytest.mark.parametrize(
    ("name", "workflow_id"),
    [
        ("API data pipeline", "api-data-pipeline"),
        ("  Über_uns: 2 ", "über-uns-2"),
        ("日本", "日本"),
        ("!!!", "workflow"),
    ],
)
def test_a_workflow_without_id_has_the_slug_of_its_name(name: str, workflow_id: str) -> None:
    document = {"name": name, "nodes": [{"id": "a", "node_type": "debug.noop"}]}
    assert parse_workflow(document).id == workflow_id


def test_extensions_are_kept_wherever_they_stand() -> None:
    document = pipeline("/x-editor", {"zoom": [1, {"a": None}]})
    for part in ("nodes", "connections", "triggers"):
        document[part][0]["x-note"] = {"part": part}
    document["settings"]["x-theme"] = "dark"
    document["nodes"][0]["position"]["x-locked"] = True
    document["triggers"][0]["trigger_type"]["x-color"] = 1
    written = write_workflow(parse_workflow(document))
    assert written["x-editor"] == {"zoom": [1, {"a": None}]}
    assert [written[part][0]["x-note"]["part"] for part in ("nodes", "connections", "triggers")] == [
        *("nodes", "connections", "triggers")
    ]
    assert written["settings"] == {"x-theme": "dark"}
    assert written["nodes"][0]["position"]["x-locked"] is True
    assert written["triggers"][0]["trigger_type"]["x-color"] == 1


def test_tagged_values_are_read_at_the_top_level_of_config_and_nowhere_else() -> None:
    tagged = {"type": "Number", "value": 5}
    document = pipeline("/nodes/0/config", {"limit": tagged, "list": [tagged]})
    document["nodes"][0]["inputs"] = {"a": tagged}
    document["vars"] = {"a": tagged}
    workflow = parse_workflow(document)
    assert workflow.nodes[0].config == {"limit": 5, "list": [tagged]}
    assert workflow.nodes[0].inputs == {"a": tagged}
    assert workflow.vars == {"a": tagged}
    assert write_workflow(workflow)["nodes"][0]["config"] == {"limit": 5, "list": [tagged]}


def test_a_plain_value_that_looks_tagged_is_written_so_that_it_stays_plain() -> None:
    lookalike = {"type": "String", "value": "x"}
    document = pipeline("/nodes/0/config", {"a": {"type": "Json", "value": lookalike}})
    workflow = parse_workflow(document)
    assert workflow.nodes[0].config == {"a": lookalike}
    assert parse_workflow(write_workflow(workflow)) == workflow


def test_bytes_become_a_blob_and_blobs_are_written_as_references() -> None:
    document = pipeline("/nodes/0/config", {"a": {"type": "Bytes", "value": "aGVsbG8="}})
    workflow = parse_workflow(document)
    blob = Blob.from_bytes(b"hello")
    assert workflow.nodes[0].config == {"a": blob}
    written = write_workflow(workflow)
    assert written["nodes"][0]["config"] == {"a": blob.to_json()}
    assert parse_workflow(json.dumps(written)) == parse_workflow(written) == workflow


def test_all_problems_come_at_once_in_the_order_of_the_document() -> None:
    document = pipeline("/name", 5)
    document["nodes"] += [{"id": f"n{number}"} for number in range(3, 12)]
    document["nodes"][2]["timeout_ms"] = "soon"
    document["connections"][0]["to_node"] = "prse"
    document["triggers"][0]["enabled"] = 1
    document["settings"]["max_parallel_nodes"] = 0
    document["extra"] = 1
    assert found(document) == [
        ("document.type", "/name"),
        ("document.type", "/nodes/2/timeout_ms"),
        *(("document.required", f"/nodes/{number}/node_type") for number in range(3, 12)),
        ("connection.unknown_node", "/connections/0/to_node"),
        ("document.type", "/triggers/0/enabled"),
        ("document.type", "/settings/max_parallel_nodes"),
        ("document.unknown_field", "/extra"),
    ]


@pytest.mark.parametrize("source", ["", "{", "name: w", "[1, 2", b"\xff\xfe{"])
def test_what_is_not_json_gives_a_problem_of_the_text(source: str | bytes) -> None:
    problem = only_problem(source)
    assert problem.code in {"json.syntax", "json.encoding"}
    assert read_workflow(source).workflow is None


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ('{"name": "a", "name": "b", "nodes": []}', "json.duplicate_key", ""),
        ('{"name": "w", "vars": {"a": NaN}}', "json.not_a_number", "/vars/a"),
        (
            '{"name": "w", "nodes": [{"config": {"n": 18446744073709551616}}]}',
            "json.integer_range",
            "/nodes/0/config/n",
        ),
        ('{"vars": ' + '{"a":' * 100_000 + "1" + "}" * 100_001, "json.too_deep", ""),
        ('{"name": "' + "x" * 10_000_000 + '"}', "json.too_large", ""),
        ('{"name": "\\ud800"}', "json.surrogate", "/name"),
        ('{"vars": {"$blob": 1}}', "json.blob_key", "/vars"),
    ],
    ids=["duplicate key", "NaN", "2^64", "depth 100,000", "10 MB", "half a pair", "reserved key"],
)
def test_json_beyond_the_limits_is_refused_with_its_place(text: str, code: str, pointer: str) -> None:
    assert found(text) == [(code, pointer)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "json.not_a_number"),
        (2**64, "json.integer_range"),
        ("\ud800", "json.surrogate"),
        ({1, 2}, "json.type"),
        (b"bytes", "json.type"),
        ((1, 2), "json.type"),
        ({1: 2}, "json.type"),
        ({"$blob": {}}, "json.blob_key"),
    ],
    ids=str,
)
def test_an_object_is_held_to_the_limits_of_a_text(value: Any, code: str) -> None:
    assert found(pipeline("/nodes/0/config", {"a": value})) == [(code, "/nodes/0/config/a")]


def test_an_object_nested_too_deep_is_refused() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert only_problem(pipeline("/vars", {"a": value})).code == "json.too_deep"
    while isinstance(value, list):  # taken apart by hand: freeing it in one go would recurse
        value = value[0]


@pytest.mark.parametrize("document", [None, True, 5, [], "null", "[]", b"1", '"text"'])
def test_what_is_no_object_is_no_workflow(document: Any) -> None:
    problem = only_problem(document)
    assert (problem.code, problem.pointer) == ("document.type", "")
    assert problem.message.startswith("A workflow must be an object, not ")


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/name", ABSENT, "document.required"),
        ("/name", None, "document.type"),
        ("/name", " ", "document.empty"),
        ("/id", "", "document.empty"),
        ("/id", 5, "document.type"),
        ("/description", 5, "document.type"),
        ("/vars", [], "document.type"),
        ("/outputs", "text", "document.type"),
        ("/inputs", "object", "document.schema"),
        ("/inputs/type", "array", "document.schema"),
        ("/inputs/type", ["object", "null"], "document.schema"),
        ("/inputs/properties", [], "document.schema"),
        ("/nodes", ABSENT, "document.required"),
        ("/nodes", {}, "document.type"),
        ("/nodes", [], "document.empty"),
        ("/nodes/1", "parse", "document.type"),
        ("/nodes/1/id", ABSENT, "document.required"),
        ("/nodes/1/id", "", "document.empty"),
        ("/nodes/1/id", 7, "document.type"),
        ("/nodes/1/node_type", ABSENT, "document.required"),
        ("/nodes/1/node_type", "", "document.empty"),
        ("/nodes/0/type_version", 0, "document.type"),
        ("/nodes/0/type_version", 1.5, "document.type"),
        ("/nodes/0/type_version", True, "document.type"),
        ("/nodes/0/name", 5, "document.type"),
        ("/nodes/0/config", None, "document.type"),
        ("/nodes/0/config", [], "document.type"),
        ("/nodes/0/inputs", [], "document.type"),
        ("/nodes/0/position", [1, 2], "document.type"),
        ("/nodes/0/position/x", "1", "document.type"),
        ("/nodes/0/position/y", ABSENT, "document.required"),
        ("/nodes/0/position/z", 1, "document.unknown_field"),
        ("/nodes/0/retry_policy", 3, "document.type"),
        ("/nodes/0/retry_policy/max_attempts", 0, "document.type"),
        ("/nodes/0/retry_policy/delay_ms", -1, "document.type"),
        ("/nodes/0/retry_policy/backoff_multiplier", 0.5, "document.type"),
        ("/nodes/0/retry_policy/max_delay_ms", "1", "document.type"),
        ("/nodes/0/retry_policy/jitter", 1.1, "document.type"),
        ("/nodes/0/retry_policy/retry_on_timeout", "yes", "document.type"),
        ("/nodes/0/retry_policy/max_atempts", 3, "document.unknown_field"),
        ("/nodes/0/retry_policy/x-note", 3, "document.unknown_field"),
        ("/nodes/0/timeout_ms", 0, "document.type"),
        ("/nodes/0/timeout_ms", "30s", "document.type"),
        ("/nodes/0/on_error", "explode", "document.type"),
        ("/nodes/0/on_error", {"RetryWorkflow": {}}, "document.type"),
        ("/nodes/0/disabled", 1, "document.type"),
        ("/nodes/0/disabled", None, "document.type"),
        ("/nodes/0/effects", "reads", "document.type"),
        ("/nodes/0/delivery", "exactly_once", "document.type"),
        ("/nodes/0/placement", "", "document.empty"),
        ("/nodes/0/cache", True, "document.type"),
        ("/nodes/0/configg", {}, "document.unknown_field"),
        ("/connections", {}, "document.type"),
        ("/connections", None, "document.type"),
        ("/connections/0", [], "document.type"),
        ("/connections/0/from_port", ABSENT, "document.required"),
        ("/connections/0/from_port", "", "document.empty"),
        ("/connections/0/to_node", 1, "document.type"),
        ("/connections/0/label", "x", "document.unknown_field"),
        ("/connections/0/from_node", "fetsch", "connection.unknown_node"),
        ("/connections/0/to_node", "prse", "connection.unknown_node"),
        ("/triggers", {}, "document.type"),
        ("/triggers/0", "Manual", "document.type"),
        ("/triggers/0/id", ABSENT, "document.required"),
        ("/triggers/0/enabled", "yes", "document.type"),
        ("/triggers/0/trigger_type", ABSENT, "document.required"),
        ("/triggers/0/trigger_type", "Manual", "document.type"),
        ("/triggers/0/trigger_type/type", "manual", "document.type"),
        ("/triggers/0/trigger_type/type", ABSENT, "document.required"),
        ("/triggers/0/trigger_type/schedule", "x", "document.unknown_field"),
        ("/settings", [], "document.type"),
        ("/settings/max_execution_time_ms", 0, "document.type"),
        ("/settings/max_parallel_nodes", 0, "document.type"),
        ("/settings/max_parallel_nodes", 2.5, "document.type"),
        ("/settings/on_error", "RetryWorkflow", "document.type"),
        ("/settings/on_error", {"StopWorkflow": {}}, "document.type"),
        ("/settings/on_error", None, "document.type"),
        ("/settings/on_error_workflow", "", "document.empty"),
        ("/settings/concurrency", 0, "document.type"),
        ("/settings/priority", "high", "document.type"),
        ("/settings/placement", 1, "document.type"),
        ("/settings/max_parallel", 1, "document.unknown_field"),
        ("/edges", [], "document.unknown_field"),
    ],
    ids=str,
)
def test_a_wrong_field_is_told_with_its_place(pointer: str, value: Any, code: str) -> None:
    read = read_workflow(pipeline(pointer, value))
    assert (code, pointer) in [(problem.code, problem.pointer) for problem in read.problems]
    assert not read.valid
