"""In what two documents differ, as people would say it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from flowcore.documents import differences, parse_workflow, read_workflow, write_workflow
from flowcore.values import read_json, write_json
from flowcore.workflows import Workflow

BASE: dict[str, Any] = {
    "id": "w",
    "name": "W",
    "vars": {"limit": 1},
    "nodes": [
        {"id": "a", "node_type": "http.request", "config": {"method": "GET", "query": {"q": [1, 2]}}},
        {"id": "b", "node_type": "debug.log"},
        {"id": "c", "node_type": "debug.log"},
    ],
    "connections": [
        {"from_node": "a", "from_port": "body", "to_node": "b", "to_port": "message"},
        {"from_node": "a", "from_port": "status", "to_node": "c", "to_port": "message"},
    ],
    "triggers": [{"id": "t", "trigger_type": {"type": "Manual"}}],
}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The differences in short."""
    return [
        (found.kind, found.part, found.name, found.pointer, found.before, found.after)
        for found in differences(parse_workflow(before), parse_workflow(after))
    ]


def with_config(**config: Any) -> dict[str, Any]:
    first, *others = BASE["nodes"]
    return {**BASE, "nodes": [{**first, "config": {**first["config"], **config}}, *others]}


def test_a_document_does_not_differ_from_itself_nor_from_its_defaults_written_out() -> None:
    written_out = {**BASE, "description": None, "settings": {"max_parallel_nodes": 10, "on_error": "StopWorkflow"}}
    assert told(BASE, BASE) == told(BASE, written_out) == []


def test_changed_fields_are_told_with_their_places() -> None:
    assert told(BASE, with_config(method="PUT", query={"q": [1, 3]})) == [
        ("changed", "node", "a", "/nodes/0/config/method", "GET", "PUT"),
        ("changed", "node", "a", "/nodes/0/config/query/q/1", 2, 3),
    ]


def test_fields_come_and_go() -> None:
    changed = {key: value for key, value in BASE.items() if key != "vars"} | {"description": "New", "x-editor": 1}
    assert told(BASE, changed) == [
        ("removed", "workflow", "", "/vars", {"limit": 1}, None),
        ("added", "workflow", "", "/description", None, "New"),
        ("added", "workflow", "", "/x-editor", None, 1),
    ]


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0, False), ("1", 1), (0.0, -0.0), (None, 0), ([], {})]
)
def test_values_that_python_takes_for_equal_or_nearly_are_told_apart(one: Any, other: Any) -> None:
    found = told(with_config(value=one), with_config(value=other))
    assert [entry[:4] for entry in found] == [("changed", "node", "a", "/nodes/0/config/value")]


def test_lists_of_another_length_are_one_change() -> None:
    assert told(BASE, with_config(query={"q": [1]})) == [
        ("changed", "node", "a", "/nodes/0/config/query/q", [1, 2], [1]),
    ]


def test_nodes_are_known_by_their_ids_wherever_they_stand() -> None:
    a, b, c = BASE["nodes"]
    new = {"id": "n", "node_type": "debug.noop"}
    after = {**BASE, "nodes": [new, a, {**c, "name": "Last"}], "connections": BASE["connections"][1:]}
    assert told(BASE, after) == [
        ("removed", "node", "b", "/nodes/1", b, None),
        ("added", "node", "n", "/nodes/0", None, new),
        ("added", "node", "c", "/nodes/2/name", None, "Last"),
        ("removed", "connection", "a.body → b.message", "/connections/0", BASE["connections"][0], None),
    ]


def test_another_order_is_told_because_it_counts() -> None:
    after = {**BASE, "nodes": BASE["nodes"][::-1], "connections": BASE["connections"][::-1]}
    assert told(BASE, after) == [
        ("reordered", "node", "", "/nodes", None, None),
        ("reordered", "connection", "", "/connections", None, None),
    ]


def test_another_order_of_keys_alone_is_told_once() -> None:
    assert told(with_config(x={"a": 1, "b": 2}), with_config(x={"b": 2, "a": 1})) == [
        ("reordered", "workflow", "", "", None, None)
    ]


def test_a_document_inside_a_node_is_compared_as_one() -> None:
    def looping(url: str, *more: str) -> dict[str, Any]:
        nodes = [{"id": name, "node_type": "debug.noop"} for name in more]
        body = {"nodes": [*nodes, {"id": "fetch", "node_type": "http.request", "config": {"url": url}}]}
        return {"name": "w", "nodes": [{"id": "loop", "node_type": "control.loop", "config": {"body": body}}]}

    assert told(looping("x"), looping("y", "first")) == [
        (
            "added",
            "node",
            "loop/first",
            "/nodes/0/config/body/nodes/0",
            None,
            {"id": "first", "node_type": "debug.noop"},
        ),
        ("changed", "node", "loop/fetch", "/nodes/0/config/body/nodes/1/config/url", "x", "y"),
    ]


@pytest.mark.parametrize("value", [{"nodes": [1]}, {"nodes": {}}, {"nodes": [{"id": 1}], "connections": [{}]}])
def test_what_only_looks_like_a_document_is_compared_as_a_value(value: Any) -> None:
    (found,) = told(with_config(value={**value, "more": 1}), with_config(value={**value, "more": 2}))
    assert found[3] == "/nodes/0/config/value/more"


def test_drafts_with_the_same_id_twice_are_compared_in_order() -> None:
    def draft(*types: str) -> Workflow:
        nodes = [{"id": "a", "node_type": node_type} for node_type in types]
        workflow = read_workflow({"name": "w", "nodes": nodes}, allow_draft=True).workflow
        assert workflow is not None
        return workflow

    (found,) = differences(draft("x.y", "x.z"), draft("x.y", "x.w"))
    assert (found.name, found.pointer) == ("a", "/nodes/1/node_type")
    (found,) = differences(draft("x.y", "x.z"), draft("x.y"))
    assert (found.kind, found.pointer) == ("removed", "/nodes/1")


def test_there_is_a_difference_exactly_when_the_documents_are_not_the_same() -> None:
    chance = random.Random(6)

    def changed(value: Any) -> Any:
        """The value with a few things in it changed, or none."""
        if isinstance(value, dict):
            items = [(key, changed(item)) for key, item in value.items()]
            if chance.random() < 0.03:
                chance.shuffle(items)
            return dict(items)
        if isinstance(value, list):
            items = [changed(item) for item in value]
            if chance.random() < 0.1:
                chance.shuffle(items)
            return items
        return chance.choice([1, 1.0, True, None, "x"]) if chance.random() < 0.02 else value

    before = parse_workflow(BASE)
    same = 0
    for _ in range(500):
        after = read_workflow(changed(read_json(write_json(BASE)).value)).workflow
        if after is None:
            continue
        found = differences(before, after)
        is_same = write_json(write_workflow(before)) == write_json(write_workflow(after))
        assert bool(found) is not is_same
        same += is_same
    assert 50 < same < 450
