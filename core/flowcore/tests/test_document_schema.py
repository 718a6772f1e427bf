"""Checks that the JSON Schema of documents says the same as the reader, wherever a schema can say it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flowcore.documents import document_schema, read_workflow, write_workflow
from flowcore.values import read_json, write_json
from flowcore.workflows import Workflow
from hypothesis import given

from core.flowcore.tests.example_documents import ABSENT, PIPELINE, pipeline
from core.flowcore.tests.workflow_strategies import OBJECTS, workflows

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema_rs.Draft202012Validator(document_schema())
#: What is wrong between parts of a document that are right by themselves.
BETWEEN_PARTS = {
    "connection.duplicate",
    "connection.unknown_node",
    "node.duplicate_id",
    "port.error_without_route",
    "trigger.duplicate_id",
    "trigger.unknown_node",
    "workflow.cycle",
}
RICH: dict[str, Any] = {
    **PIPELINE,
    "x-editor": {"zoom": 1},
    "nodes": [
        {
            **PIPELINE["nodes"][0],
            "config": {
                "a": {"type": "String", "value": "GET"},
                "b": {"type": "Array", "value": [{"type": "Bytes", "value": "aGk="}, {"type": "Null"}]},
                "c": {"type": "Object", "value": {"d": {"type": "Number", "value": 1}}},
                "e": {"type": "Json", "value": {"type": "String", "value": 5}},
                "f": {"type": "text", "value": [{"type": "Bool", "value": 3}]},
                "g": {"type": "Bytes", "value": [0, 255]},
                "h": [{"$blob": {"sha256": "0" * 64, "media_type": "text/plain", "size": 3}}],
            },
            "inputs": {"url": "https://example.org"},
            "position": {"x": 1, "y": 2.5, "x-locked": True},
            "effects": "read",
            "delivery": "at_least_once",
            "placement": "gpu",
            "cache": {"ttl_ms": 5},
        },
        *PIPELINE["nodes"][1:],
    ],
    "triggers": [
        {"id": "t1", "trigger_type": {"type": "Manual"}, "enabled": True},
        {"id": "t2", "trigger_type": {"type": "Node", "node": "fetch"}},
        {"id": "t3", "trigger_type": {"type": "Cron", "expression": "* * * * *", "timezone": "UTC"}},
        {"id": "t4", "trigger_type": {"type": "Webhook", "path": "a", "methods": ["GET"], "auth": "none"}},
        {"id": "t5", "trigger_type": {"type": "Event", "event_type": "WorkflowCompleted", "workflow": "w"}},
        {
            "id": "t6",
            "trigger_type": {
                "type": "Event",
                "event_type": "WorkflowCompleted",
                "workflow": "w",
                "status": ["failed"],
            },
        },
    ],
    "settings": {
        "max_execution_time_ms": 1000,
        "max_parallel_nodes": None,
        "on_error": {"RetryWorkflow": {"max_attempts": 3}},
        "on_error_workflow": "w",
        "concurrency": 1,
        "priority": -1,
        "placement": "gpu",
        "x-theme": "dark",
    },
}
#: In place of anything.
REPLACEMENTS: list[Any] = [
    *(ABSENT, None, True, 0, -1, 0.5, 1.5, "", " ", "text", "after", "done", "error", "stop", "pure", "StopWorkflow"),
    *([], [1], ["text"], {}, {"a": 1}, {"x-a": 1}, {"$blob": 1}, {"type": "String", "value": 1}, {"type": "Null"}),
    *({"type": "Manual"}, {"type": "Bytes", "value": "!"}, {"type": "Bytes", "value": [256]}, {"x": 1, "y": 1}),
    *({"RetryWorkflow": {}}, {"ttl_ms": None}, {"max_attempts": None}, {"type": "Array", "value": [1]}),
]


def steps_into(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every place in a document."""
    if steps:
        yield steps
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from steps_into(item, (*steps, key))


def spoiled(steps: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(RICH)
    part: Any = document
    for step in steps[:-1]:
        part = part[step]
    if value is ABSENT:
        del part[steps[-1]]
    else:
        part[steps[-1]] = value
    return document


def is_readable(document: Any) -> bool:
    """Whether every part of a document is right by itself."""
    problems = read_workflow(copy.deepcopy(document)).problems
    return all(problem.severity == "warning" or problem.code in BETWEEN_PARTS for problem in problems)


def test_the_schema_is_a_json_schema() -> None:
    jsonschema_rs.meta.validate(document_schema())


def test_every_call_gives_a_schema_of_its_own() -> None:
    document_schema()["properties"].clear()
    assert document_schema()["properties"]


def test_every_field_has_a_description() -> None:
    schema = document_schema()
    parts = [schema, *(schema["$defs"][name] for name in ("node", "connection", "trigger", "settings"))]
    fields = [(name, field) for part in parts for name, field in part["properties"].items()]
    assert len(fields) > 35
    assert [name for name, field in fields if not (field.keys() & {"description", "$ref", "anyOf"})] == []


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.json")), ids=lambda file: file.name)
def test_every_example_keeps_to_the_schema(file: Path) -> None:
    VALIDATOR.validate(json.loads(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", [RICH, PIPELINE], ids=["rich", "pipeline"])
def test_a_document_with_every_field_keeps_to_the_schema(document: Any) -> None:
    assert is_readable(document)
    VALIDATOR.validate(document)


@given(workflows())
def test_every_written_workflow_keeps_to_the_schema(workflow: Workflow) -> None:
    VALIDATOR.validate(read_json(write_json(write_workflow(workflow))).value)


@pytest.mark.parametrize("steps", list(steps_into(RICH)), ids=lambda steps: "/".join(map(str, steps)))
def test_the_schema_refuses_at_every_place_what_the_reader_refuses(steps: tuple[Any, ...]) -> None:
    documents = [(value, spoiled(steps, value)) for value in REPLACEMENTS]
    readable = {repr(value): is_readable(document) for value, document in documents}
    assert {repr(value): VALIDATOR.is_valid(document) for value, document in documents} == readable


@pytest.mark.parametrize("steps", [(), *steps_into(RICH)], ids=lambda steps: "/".join(map(str, steps)) or "document")
def test_the_schema_refuses_unknown_fields_where_the_reader_does(steps: tuple[Any, ...]) -> None:
    document: Any = copy.deepcopy(RICH)
    part = document
    for step in steps:
        part = part[step]
    if isinstance(part, dict):
        part["surprise"] = 1
        assert VALIDATOR.is_valid(document) == is_readable(document)


@given(OBJECTS)
def test_the_schema_and_the_reader_agree_on_random_configs(config: dict[str, Any]) -> None:
    document = pipeline("/nodes/0/config", config)
    assert VALIDATOR.is_valid(document) == is_readable(document)
