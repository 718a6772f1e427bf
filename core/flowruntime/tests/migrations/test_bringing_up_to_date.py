"""Checks how workflows that were saved with older node types are brought to those that are installed."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.errors import PackError, Problem
from flowcore.nodes import Deprecation
from flowcore.values import Blob, freeze
from flowcore.workflows import Workflow
from flowruntime.migrations import bring_up_to_date, rename_references, run_migrate

from core.flowruntime.tests.migrations.versioned_types import (
    NOISE,
    Types,
    config_of,
    saved,
    types_of,
    versioned,
)


def brought(workflow: Workflow, types: Types | None = None) -> tuple[Workflow, list[Problem]]:
    problems: list[Problem] = []
    return bring_up_to_date(workflow, types or types_of(), problems), problems


def test_a_workflow_of_installed_versions_is_given_back_as_it_is_and_no_code_is_loaded() -> None:
    types = types_of()
    workflow = saved({"node_type": "t.say", "type_version": 3}, {"node_type": "t.say"}, {"node_type": "t.gone"})
    made, problems = brought(workflow, types)
    assert made is workflow
    assert (problems, types.loaded) == ([], [])


def test_an_old_config_is_migrated_with_a_warning_that_names_flow_upgrade() -> None:
    workflow = saved({"node_type": "t.say", "type_version": 2, "config": {"shout": True}})
    made, (warning,) = brought(workflow)
    assert (made.node("a").type_version, config_of(made)) == (3, {"loud": True})
    assert (warning.severity, warning.code, warning.pointer) == (
        "warning",
        "node_type.outdated",
        "/nodes/0/type_version",
    )
    assert "version 2 of the type 't.say'; version 3 is installed, and its config is migrated" in warning.message
    assert "flow upgrade" in warning.remedy


def test_migrating_changes_nothing_in_the_workflow_that_was_given() -> None:
    workflow = saved({"node_type": "t.say", "type_version": 2, "config": {"shout": True}})
    brought(workflow)
    assert config_of(workflow) == {"shout": True}


def test_ports_get_their_new_names_in_connections_fixed_inputs_and_expressions() -> None:
    workflow = saved(
        {"node_type": "t.say", "type_version": 1, "inputs": {"message": "hi"}},
        {"node_type": "t.say", "type_version": 2, "inputs": {"text": "${{ nodes.a.out }}"}},
        {"node_type": "t.bare", "config": {"when": "nodes.a.out", "note": ["${{ nodes.a.out || nodes.b.spoken }}"]}},
        connections=["a.out -> b.text", "b.spoken -> c.value"],
        outputs={"x": "${{nodes.a.out}} $${{ nodes.a.out }}"},
    )
    made, _ = brought(workflow)
    assert [(wire.from_port, wire.to_port) for wire in made.connections] == [("said", "text"), ("said", "value")]
    assert made.node("a").inputs == {"text": "hi"}
    assert made.node("b").inputs == {"text": "${{ nodes.a.said }}"}
    assert config_of(made, "c") == {"when": "nodes.a.out", "note": ["${{ nodes.a.said || nodes.b.said }}"]}
    assert made.outputs == {"x": "${{nodes.a.said}} $${{ nodes.a.out }}"}


def test_documents_in_configs_have_nodes_of_their_own() -> None:
    body = {"nodes": [{"id": "a", "node_type": "t.plain", "inputs": {"value": "${{ nodes.a.out }}"}}]}
    workflow = saved({"node_type": "t.say", "type_version": 1}, {"node_type": "t.loop", "config": {"body": body}})
    assert config_of(brought(workflow)[0], "b") == {"body": body}


def test_without_a_migrate_the_config_is_taken_as_it_is() -> None:
    made, (warning,) = brought(saved({"node_type": "t.kept", "type_version": 1, "config": {"a": 1}}))
    assert (made.node("a").type_version, config_of(made)) == (2, {"a": 1})
    assert "its config is taken as it is" in warning.message


def test_a_version_that_is_installed_beside_the_newest_is_kept() -> None:
    workflow = saved({"node_type": "t.both", "type_version": 1})
    assert brought(workflow) == (workflow, [])


def test_a_version_newer_than_the_installed_one_is_left_to_the_check_of_types() -> None:
    workflow = saved({"node_type": "t.say", "type_version": 4})
    assert brought(workflow) == (workflow, [])


def test_a_type_that_another_of_its_pack_replaces_is_moved_to_it() -> None:
    workflow = saved({"node_type": "t.tell"}, {"node_type": "t.plain"}, connections=["a.told -> b.value"])
    made, (warning,) = brought(workflow)
    assert (made.node("a").node_type, made.node("a").type_version) == ("t.say", 3)
    assert config_of(made) == {"loud": True}
    assert made.connections[0].from_port == "said"
    assert (warning.code, warning.pointer) == ("node_type.replaced", "/nodes/0/node_type")


def test_a_type_of_another_pack_does_not_take_over_by_itself() -> None:
    workflow = saved({"node_type": "gone.say"})
    assert brought(workflow) == (workflow, [])


def test_an_installed_type_is_run_as_it_is_though_another_says_it_replaces_it() -> None:
    types = types_of(versioned("t.tell", deprecation=Deprecation(since="1", use="t.say")))
    workflow = saved({"node_type": "t.tell"})
    assert brought(workflow, types) == (workflow, [])


@pytest.mark.parametrize(
    ("type_id", "code", "words"),
    [
        ("t.raises", "migrate.raised", "KeyError: 'gone'"),
        ("t.exits", "migrate.raised", "SystemExit: 3"),
        ("t.list", "migrate.no_config", "gave a list for a migrated config, not an object"),
        ("t.bytes", "migrate.no_config", "a bytes is not JSON at /a"),
        ("broken.say", "import.raised", "It cannot be imported."),
    ],
)
def test_a_migrate_that_gives_no_config_is_an_error_and_the_config_stays(type_id: str, code: str, words: str) -> None:
    workflow = saved({"node_type": type_id, "type_version": 1, "config": {"a": 1}}, {"node_type": "t.plain"})
    made, (warning, error) = brought(workflow)
    assert warning.severity == "warning"
    assert (error.severity, error.code, error.pointer) == ("error", code, "/nodes/0/config")
    assert words in error.message
    assert config_of(made) == {"a": 1}


def test_a_catalog_that_promises_a_migrate_which_is_not_there_is_an_error() -> None:
    promised = versioned("t.promised", 2, migrate=lambda config, version: config)
    types = types_of(promised._replace(definition=versioned("t.promised", 2).definition))
    _, (_, error) = brought(saved({"node_type": "t.promised", "type_version": 1}), types)
    assert error.code == "migrate.missing"


def test_a_migrate_that_hangs_is_left_behind_when_time_is_up() -> None:
    hanging = types_of().known["t.hangs", 2]
    with pytest.raises(PackError, match=r"took longer than 0\.05 s to migrate a config") as caught:
        run_migrate(hanging.definition, {}, 1, hanging.node_type, limit_seconds=0.05)
    assert (caught.value.code, caught.value.pack) == ("migrate.hung", "t")


def test_what_a_migrate_prints_does_not_get_between_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    brought(saved({"node_type": "t.prints", "type_version": 1}))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert NOISE in printed.err


def test_a_migrate_gets_plain_objects_and_blobs_as_they_are() -> None:
    seen: list[Any] = []

    def see(given: dict[str, Any], from_version: int) -> dict[str, Any]:
        seen.append((given, from_version))
        return given

    config = {"text": {"type": "Bytes", "value": "aGk="}, "list": [{"a": 1}]}
    types = Types(versioned("t.see", 2, migrate=see))
    made, _ = brought(saved({"node_type": "t.see", "type_version": 1, "config": config}), types)
    ((given, version),) = seen
    assert (type(given), type(given["list"]), version) == (dict, list, 1)
    assert given["text"] == Blob.from_bytes(b"hi")
    assert config_of(made)["text"].read() == b"hi"


def test_a_reference_in_a_config_of_an_unknown_type_is_told_and_not_a_byte_of_it_changed() -> None:
    config = {"x": "${{ nodes.a.out }}"}
    workflow = saved({"node_type": "t.say", "type_version": 1}, {"node_type": "other.type", "config": config})
    made, (_, error) = brought(workflow)
    assert (error.code, error.pointer) == ("upgrade.reference", "/nodes/1/config")
    assert config_of(made, "b") == config


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("${{ nodes.get.text }}", "${{ nodes.get.body }}"),
        ('${{ nodes."get" . "text" }}', '${{ nodes."get" . body }}'),
        ('${{nodes."a b".x.x}} and ${{ nodes.get.text[0] }}', '${{nodes."a b"."y z".x}} and ${{ nodes.get.body[0] }}'),
        ("${{ join('nodes.get.text', [nodes.get.text]) }}", "${{ join('nodes.get.text', [nodes.get.body]) }}"),
        ("${{ input.nodes.get.text }}", "${{ input.nodes.get.text }}"),
        ("${{ nodes.get.texts }}", "${{ nodes.get.texts }}"),
        ("$${{ nodes.get.text }}", "$${{ nodes.get.text }}"),
        ("${{ nodes.get.text", "${{ nodes.get.text"),
        ("${{ nodes.get.text == }}", "${{ nodes.get.body == }}"),
        ("${{ nodes.get.text $ }}", "${{ nodes.get.text $ }}"),
    ],
)
def test_only_references_to_the_port_are_renamed(text: str, renamed: str) -> None:
    names = {"get": {"text": "body"}, "a b": {"x": "y z"}}
    assert rename_references(text, names) == renamed
    assert rename_references(freeze({"a": [text]}), names) == {"a": [renamed]}


def test_a_config_that_the_new_schema_forbids_is_for_the_check_of_configs() -> None:
    made, problems = brought(saved({"node_type": "t.wrong", "type_version": 1}))
    assert [problem.severity for problem in problems] == ["warning"]
    assert config_of(made) == {"surprise": 1}
