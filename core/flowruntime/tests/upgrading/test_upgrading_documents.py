"""Checks what becomes of documents that are brought to the newest node types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowcore.nodes import Deprecation, RenamedPorts
from flowcore.values import freeze
from flowruntime.plan import SchemaCache
from flowruntime.upgrading import Upgraded, upgrade_document
from hypothesis import given

from core.flowcore.tests.workflow_strategies import workflows
from core.flowruntime.tests.migrations.versioned_types import Types, object_schema, types_of, versioned


def upgraded(text: str | bytes, types: Types | None = None, *, pin: bool = False) -> Upgraded:
    return upgrade_document(text, types or types_of(), SchemaCache(), pin=pin)


OLD = """{
  "name":  "Old",
  "nodes": [
    {"node_type": "t.say", "id": "a", "x-editor": {"y": 1e2}, "type_version": 1,
     "config": {"shout": true},  "inputs": {"message": "h\\u0069"}},
    {"id": "b", "node_type": "other.type", "type_version": 7, "config": {"z": 1.50, "a": [ ]}},
    {"id": "c", "node_type": "t.plain"}
  ],
  "connections": [
    {"to_node": "c", "to_port": "value", "from_node": "a", "from_port": "out"},
    {"from_node": "a", "from_port": "done", "to_node": "b", "to_port": "after"}
  ],
  "outputs": {"said": "${{ nodes.a.out }}"}
}
"""
NEW = """{
  "name":  "Old",
  "nodes": [
    {"node_type": "t.say", "id": "a", "x-editor": {"y": 1e2}, "type_version": 3,
     "config": {"loud": true},  "inputs": {"text": "h\\u0069"}},
    {"id": "b", "node_type": "other.type", "type_version": 7, "config": {"z": 1.50, "a": [ ]}},
    {"id": "c", "node_type": "t.plain"}
  ],
  "connections": [
    {"to_node": "c", "to_port": "value", "from_node": "a", "from_port": "said"},
    {"from_node": "a", "from_port": "done", "to_node": "b", "to_port": "after"}
  ],
  "outputs": {"said": "${{ nodes.a.said }}"}
}
"""


def document(*nodes: dict[str, Any], **fields: Any) -> str:
    return json.dumps({"name": "W", "nodes": [{"id": "abcd"[i], **node} for i, node in enumerate(nodes)], **fields})


def only_node(made: Upgraded) -> Any:
    return json.loads(made.text)["nodes"][0]


def test_what_the_new_types_want_is_changed_and_no_other_byte() -> None:
    made = upgraded(OLD)
    assert made.problems == ()
    assert made.text == NEW
    (change,) = made.changes
    assert change.to_json() == {
        "pointer": "/nodes/0",
        "node": "a",
        "from": {"node_type": "t.say", "type_version": 1},
        "to": {"node_type": "t.say", "type_version": 3},
    }


def test_an_upgraded_document_is_up_to_date() -> None:
    assert upgraded(NEW) == Upgraded(text=NEW)


@given(workflows())
def test_a_document_of_unknown_types_stays_byte_for_byte(workflow: Any) -> None:
    from flowcore.documents import write_workflow
    from flowcore.values import write_json

    text = write_json(write_workflow(workflow), indent=1)
    assert upgraded(text.encode(), Types(), pin=True) == Upgraded(text=text)


def test_a_node_without_a_version_gets_one_only_when_it_is_to_be_pinned() -> None:
    text = document({"node_type": "t.say"})
    assert upgraded(text).text == text
    made = upgraded(text, pin=True)
    assert list(only_node(made).items()) == [("id", "a"), ("node_type", "t.say"), ("type_version", 3)]
    assert made.changes[0].old_version is None


def test_a_version_that_is_installed_is_upgraded_too_when_there_is_a_newer_one() -> None:
    assert only_node(upgraded(document({"node_type": "t.both", "type_version": 1})))["type_version"] == 2


def test_a_missing_type_is_replaced_even_by_one_of_another_pack() -> None:
    made = upgraded(document({"node_type": "gone.say"}))
    assert only_node(made) == {"id": "a", "node_type": "t.say", "type_version": 3, "config": {"loud": True}}


def test_a_missing_type_that_two_others_claim_to_replace_stays() -> None:
    text = document({"node_type": "gone.say"})
    types = types_of(versioned("u.say", replaces=("gone.say",)))
    assert upgraded(text, types) == Upgraded(text=text)


def test_an_installed_type_is_replaced_when_it_is_deprecated_and_names_the_other_one() -> None:
    text = document({"node_type": "t.tell"})
    assert upgraded(text, types_of(versioned("t.tell", outputs=("told",)))).changes == ()
    deprecated = versioned("t.tell", outputs=("told",), deprecation=Deprecation(since="1", use="t.say"))
    assert only_node(upgraded(text, types_of(deprecated)))["node_type"] == "t.say"


def test_replacements_are_followed_to_the_last_and_circles_end() -> None:
    types = Types(versioned("t.two", replaces=("t.one",), deprecation=Deprecation(since="1", use="t.three")))
    types.known |= Types(versioned("t.three", replaces=("t.two",))).known
    assert only_node(upgraded(document({"node_type": "t.one"}), types))["node_type"] == "t.three"
    circle = Types(
        versioned("t.x", replaces=("t.y",), deprecation=Deprecation(since="1", use="t.y")),
        versioned("t.y", replaces=("t.x",), deprecation=Deprecation(since="1", use="t.x")),
    )
    text = document({"node_type": "t.x"})
    made = upgraded(text, circle)
    assert (made.text, made.changes, made.problems) == (text, (), ())


def test_an_old_version_of_a_replaced_type_becomes_its_newest_before_it_is_replaced() -> None:
    old = versioned(
        "t.cry",
        2,
        migrate=lambda config, version: {"words": config["text"], "from": version},
        config=object_schema(words=True, **{"from": True}),
        outputs=("cried",),
        renamed=(RenamedPorts(below=2, outputs=freeze({"out": "cried"})),),
        deprecation=Deprecation(since="1", use="t.call"),
    )
    new = versioned(
        "t.call",
        migrate=lambda config, version: {"call": config["words"], "from": [config["from"], version]},
        config=object_schema(call=True, **{"from": True}),
        outputs=("called",),
        replaces=("t.cry",),
        renamed=(RenamedPorts(type="t.cry", outputs=freeze({"cried": "called"})),),
    )
    text = document({"id": "a", "node_type": "t.cry", "type_version": 1, "config": {"text": "ho"}})
    made = upgraded(text.replace("{", '{"outputs": {"x": "${{ nodes.a.out }}"}, ', 1), types_of(old, new))
    assert made.problems == ()
    assert only_node(made)["config"] == {"call": "ho", "from": [1, 0]}
    assert json.loads(made.text)["outputs"] == {"x": "${{ nodes.a.called }}"}


@pytest.mark.parametrize(
    ("fixed", "wired", "kept"),
    [
        ({"a": 1, "b": 2}, (), False),
        ({"b": 2}, ("a",), False),
        ({}, ("a", "b"), False),
        ({"a": 1}, ("a",), True),
        ({}, ("a",), True),
        ({"c": 1}, ("b",), True),
    ],
)
def test_two_inputs_that_become_one_are_told_and_nothing_is_changed(
    fixed: dict[str, Any], wired: tuple[str, ...], kept: bool
) -> None:
    renamed = (RenamedPorts(below=2, inputs=freeze({"a": "b"})),)
    types = types_of(versioned("t.merged", 2, inputs=("b", "c"), renamed=renamed))
    nodes = [
        {"id": "n", "node_type": "t.merged", "type_version": 1, "inputs": fixed},
        {"id": "s", "node_type": "t.plain", "inputs": {"value": 1}},
    ]
    wires = [{"from_node": "s", "from_port": "out", "to_node": "n", "to_port": port} for port in wired]
    made = upgraded(json.dumps({"name": "M", "nodes": nodes, "connections": wires}), types)
    assert [problem.code for problem in made.problems] == ([] if kept else ["upgrade.merged"])


def test_tagged_values_that_stay_keep_their_form() -> None:
    config = {"shout": {"type": "Bool", "value": True}}
    types = Types(versioned("t.k", 2, config=object_schema(shout=True, n=True), migrate=lambda c, _: {**c, "n": 1}))
    made = upgraded(document({"node_type": "t.k", "type_version": 1, "config": config}), types)
    assert only_node(made)["config"] == {**config, "n": 1}


def test_new_values_that_look_tagged_or_hold_bytes_keep_their_meaning() -> None:
    config = {"data": {"type": "Bytes", "value": "aGk="}}
    lookalike = {"type": "String", "value": "x"}
    types = Types(
        versioned(
            "t.k",
            2,
            config=object_schema(list=True, a=True),
            migrate=lambda c, _: {"list": [c["data"]], "a": lookalike},
        )
    )
    made = upgraded(document({"node_type": "t.k", "type_version": 1, "config": config}), types)
    assert only_node(made)["config"] == {
        "list": {"type": "Array", "value": [config["data"]]},
        "a": {"type": "Json", "value": lookalike},
    }


def test_documents_in_configs_are_upgraded_too() -> None:
    body = {"nodes": [{"id": "a", "node_type": "t.say", "type_version": 2, "config": {"shout": False}}]}
    body["outputs"] = {"x": "${{ nodes.a.spoken }}"}  # type: ignore[assignment]
    made = upgraded(document({"node_type": "t.loop", "config": {"body": {"nodes": [], **body}}}))
    inner = only_node(made)["config"]["body"]
    assert inner["nodes"] == [{"id": "a", "node_type": "t.say", "type_version": 3, "config": {"loud": False}}]
    assert inner["outputs"] == {"x": "${{ nodes.a.said }}"}
    assert [change.pointer for change in made.changes] == ["/nodes/0/config/body/nodes/0"]


def test_a_connection_that_cannot_be_kept_is_told_and_nothing_is_changed() -> None:
    wires = [{"from_node": "a", "from_port": "echo", "to_node": "b", "to_port": "value"}]
    text = document({"node_type": "t.say", "type_version": 2}, {"node_type": "t.plain"}, connections=wires)
    made = upgraded(text)
    assert made.text == text
    assert [(problem.code, problem.pointer) for problem in made.problems] == [
        ("port.unknown", "/connections/0/from_port")
    ]


def test_errors_that_the_document_had_before_do_not_stop_it() -> None:
    wires = [{"from_node": "b", "from_port": "echo", "to_node": "b2", "to_port": "value"}]
    nodes: list[dict[str, Any]] = [
        {"node_type": "t.say", "type_version": 2},
        {"node_type": "t.plain"},
        {"id": "b2", "node_type": "t.plain"},
    ]
    made = upgraded(document(*nodes, connections=wires))
    assert made.problems == ()
    assert only_node(made)["type_version"] == 3


@pytest.mark.parametrize(
    ("type_id", "code"),
    [
        ("t.raises", "migrate.raised"),
        ("t.list", "migrate.no_config"),
        ("t.wrong", "config.unknown_key"),
        ("broken.say", "import.raised"),
    ],
)
def test_a_config_that_cannot_be_migrated_is_told_and_nothing_is_changed(type_id: str, code: str) -> None:
    text = document({"node_type": type_id, "type_version": 1})
    made = upgraded(text)
    assert (made.text, made.problems[0].code) == (text, code)


def test_without_a_migrate_a_config_that_the_new_schema_forbids_is_told() -> None:
    text = document({"node_type": "t.kept", "type_version": 1, "config": {"a": "no number"}})
    assert [problem.code for problem in upgraded(text).problems] == ["config.schema"]


def test_a_reference_in_a_config_of_an_unknown_type_is_told() -> None:
    node = {"node_type": "other.type", "config": {"x": "${{ nodes.a.spoken }}"}}
    made = upgraded(document({"node_type": "t.say", "type_version": 2}, node))
    assert [problem.code for problem in made.problems] == ["upgrade.reference"]


def test_a_fixed_input_follows_its_port() -> None:
    renamed = RenamedPorts(below=2, inputs=freeze({"uri": "url"}))
    types = Types(versioned("t.get", 2, inputs=("url",), renamed=(renamed,)))
    made = upgraded(document({"node_type": "t.get", "type_version": 1, "inputs": {"uri": "x", "n": 1}}), types)
    assert [problem.code for problem in made.problems] == ["port.unknown"]
    made = upgraded(document({"node_type": "t.get", "type_version": 1, "inputs": {"uri": "x"}}), types)
    assert only_node(made)["inputs"] == {"url": "x"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "W"}', '{"name": "W", "nodes": [{"id": 1}]}', b"\xff"])
def test_what_is_no_document_is_told_and_left_alone(text: str | bytes) -> None:
    made = upgraded(text)
    assert not made.readable
    assert made.problems
    assert made.changes == ()
