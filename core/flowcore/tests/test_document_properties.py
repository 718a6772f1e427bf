"""Properties of documents: nothing is lost on the way, and no input makes reading raise."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from flowcore.documents import (
    ReadWorkflow,
    read_body,
    read_execution_inputs,
    read_workflow,
    sort_problems,
    write_workflow,
)
from flowcore.errors import Problem
from flowcore.values import Blob, FrozenDict, FrozenList, freeze, write_json
from flowcore.workflows import NodeId, Workflow
from hypothesis import given, settings
from hypothesis import strategies as st

from core.flowcore.tests.workflow_strategies import JSON, LOOKALIKES, OBJECTS, SCALARS, nested_workflows, workflows

WORDS = [
    *("id", "name", "description", "inputs", "vars", "nodes", "connections", "triggers", "outputs", "settings"),
    *("node_type", "type_version", "config", "position", "retry_policy", "timeout_ms", "on_error", "disabled"),
    *("effects", "delivery", "placement", "cache", "from_node", "from_port", "to_node", "to_port"),
    *("trigger_type", "type", "node", "enabled", "status", "RetryWorkflow", "max_attempts", "ttl_ms", "x-a"),
    *("properties", "value", "max_parallel_nodes", "$blob", "sha256"),
]
#: JSON in the words of documents, which gets further than random names do.
WORDY_JSON = st.recursive(
    SCALARS | st.sampled_from(["Node", "Event", "String", "Bytes", "route", "error", "after", "done", "a"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=8),
    max_leaves=20,
)
FRAGMENTS = st.lists(
    st.sampled_from(['"', "\\", "{", "}", "[", "]", ",", ":", "NaN", "1e999", "-", "0", "\\ud800", '"a"', " "])
    | st.text(max_size=2),
    max_size=12,
).map("".join)


@given(workflows(), st.sampled_from([None, 2]))
def test_an_object_written_and_read_again_is_equal(workflow: Workflow, indent: int | None) -> None:
    expected = ReadWorkflow(workflow=workflow, problems=())
    assert read_workflow(write_workflow(workflow)) == expected
    text = write_json(write_workflow(workflow), indent=indent)
    assert read_workflow(text) == expected
    assert read_workflow(text.encode()) == expected


@settings(max_examples=30)
@given(nested_workflows())
def test_documents_in_documents_are_lossless_at_every_depth(nested: tuple[Workflow, list[Workflow]]) -> None:
    outer, inner = nested
    read = read_workflow(write_json(write_workflow(outer)))
    assert read == ReadWorkflow(workflow=outer, problems=())
    document: Workflow | None = read.workflow
    for expected in inner:
        assert document is not None
        problems: list[Problem] = []
        first = document.nodes[0]
        document = read_body(first.config["body"], first.id, FrozenDict(), problems)
        assert (document, problems) == (expected, [])


@given(JSON | WORDY_JSON, OBJECTS)
def test_random_json_in_place_of_a_body_never_raises(value: Any, variables: dict[str, Any]) -> None:
    problems: list[Problem] = []
    body = read_body(freeze(value), NodeId("n"), FrozenDict(variables), problems)
    assert body is not None or problems
    if body is not None:
        assert body.vars.keys() >= variables.keys()


@settings(max_examples=30)
@given(workflows())
def test_what_is_written_is_plain_json_that_shares_nothing_with_the_workflow(workflow: Workflow) -> None:
    document = write_workflow(workflow)
    kinds = {type(part) for part in every_part(document)}
    assert kinds <= {dict, list, str, int, float, bool, type(None)}


@settings(max_examples=30)
@given(workflows())
def test_a_read_workflow_is_immutable_down_to_its_leaves(workflow: Workflow) -> None:
    read = read_workflow(json.loads(json.dumps(write_workflow(workflow)))).workflow
    assert read is not None
    for part in every_part(read):
        assert isinstance(part, FrozenDict | FrozenList | tuple | str | int | float | bool | Blob | None) or is_frozen(
            part
        )


@given(JSON | WORDY_JSON)
def test_random_json_is_read_with_problems_and_never_raises(value: Any) -> None:
    check_answer(read_workflow(value), value)


@given(st.dictionaries(st.sampled_from(WORDS), WORDY_JSON))
def test_random_objects_in_the_words_of_documents_never_raise(value: dict[str, Any]) -> None:
    check_answer(read_workflow(value), value)


@given(st.text() | FRAGMENTS | st.binary())
def test_random_text_and_bytes_never_raise(source: str | bytes) -> None:
    check_answer(read_workflow(source), None)


@given(st.data())
def test_a_damaged_document_never_raises_and_problems_have_a_place_in_it(data: st.DataObject) -> None:
    document = write_workflow(data.draw(workflows()))
    for _ in range(data.draw(st.integers(1, 3))):
        damage(data, document)
    # Damage may reach back into the generated workflow's values: the text has its own.
    check_answer(read_workflow(document), document)
    check_answer(read_workflow(json.dumps(document)), document)


@given(OBJECTS | st.dictionaries(st.text(max_size=3), LOOKALIKES | WORDY_JSON) | JSON)
def test_random_execution_inputs_never_raise(value: Any) -> None:
    inputs, problems = read_execution_inputs(value)
    assert problems or inputs.keys() == value.keys()


@settings(max_examples=30)
@given(workflows())
def test_the_source_is_left_as_it_was(workflow: Workflow) -> None:
    document = write_workflow(workflow)
    before = copy.deepcopy(document)
    read_workflow(document)
    assert document == before


def damage(data: st.DataObject, document: Any) -> None:
    """Replace, remove or double one part of the document."""
    places = [
        (part, key)
        for part in every_part(document)
        if isinstance(part, dict | list)
        for key in (part if isinstance(part, dict) else range(len(part)))
    ]
    if not places:
        return
    part, key = data.draw(st.sampled_from(places))
    match data.draw(st.sampled_from(["replace", "remove", "double", "rename"])):
        case "replace":
            part[key] = data.draw(JSON | WORDY_JSON)
        case "remove":
            del part[key]
        case "double" if isinstance(part, list):
            part.append(copy.deepcopy(part[key]))
        case "rename" if isinstance(part, dict):
            part[data.draw(st.sampled_from(WORDS) | st.text(max_size=4))] = part.pop(key)
        case _:
            pass


def check_answer(read: ReadWorkflow, document: Any) -> None:
    assert read.workflow is not None or read.problems
    assert list(read.problems) == sort_problems(read.problems)
    for problem in read.problems:
        assert problem.message
        assert problem.remedy
        write_json(problem.to_json()).encode()
        if document is not None:
            assert has_place(document, problem)
    if read.valid and read.workflow is not None:
        assert read_workflow(write_workflow(read.workflow)) == ReadWorkflow(workflow=read.workflow, problems=())


def has_place(document: Any, problem: Problem) -> bool:
    """Whether all steps of the pointer but the last, which may be what is missing, lead through the document."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in problem.pointer.split("/")[1:]]
    for step in steps[:-1]:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return False
    return True


def every_part(value: Any) -> list[Any]:
    found = [value]
    if is_dataclass(value):
        inner = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, dict):
        inner = list(value.values())
    else:
        inner = list(value) if isinstance(value, list | tuple) else []
    for part in inner:
        found.extend(every_part(part))
    return found


def is_frozen(part: Any) -> bool:
    if not is_dataclass(part):
        return False
    for field in fields(part):
        with pytest.raises(AttributeError):
            setattr(part, field.name, None)
    return True
