"""Checks how a node type says that it changed, and how the registry finds what replaces another."""

from __future__ import annotations

from typing import Any

import pytest
from flowcore.nodes import NodeType
from flowruntime.authoring import RenamedPorts, definition_of, node
from flowruntime.migrations import bring_up_to_date
from flowruntime.registry import Registry

from core.flowruntime.tests.migrations.versioned_types import config_of, saved


def migrate(config: dict[str, Any], from_version: int) -> dict[str, Any]:
    return {"loud": config.get("shout", False)}


@node(
    "say",
    version=2,
    effects="pure",
    migrate=migrate,
    replaces=["local.tell", "acme.say"],
    renamed=[RenamedPorts(below=2, inputs={"message": "text"})],
)
def say(text: str, *, loud: bool = False) -> str:
    return text


def registry() -> Registry:
    return Registry.discover(search_path=[], cache_dir=None).with_local([say])


def test_the_catalog_says_that_there_is_a_migrate_and_which_ports_have_new_names() -> None:
    definition = definition_of(say)
    assert definition is not None
    assert definition.migrate is migrate
    entry = definition.node_type(type_id="t.say", implementation="t:say").to_json()
    assert (entry["migrates"], entry["renamed"]) == (True, [{"below": 2, "inputs": {"message": "text"}}])
    problems: list[Any] = []
    assert NodeType.read(entry, "", problems).to_json() == entry
    assert problems == []


def test_a_type_that_says_nothing_has_neither_in_its_catalog() -> None:
    @node("plain")
    def plain(text: str) -> str:
        return text

    definition = definition_of(plain)
    assert definition is not None
    assert not definition.node_type(type_id="t.plain", implementation="t:p").to_json().keys() & {"migrates", "renamed"}


def test_a_migrate_that_would_have_to_be_awaited_is_refused() -> None:
    async def later(config: dict[str, Any], from_version: int) -> dict[str, Any]:
        return config

    with pytest.raises(TypeError, match="migrate is a plain function"):
        node("late", migrate=later)(lambda: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("renamed", [RenamedPorts(below=1), RenamedPorts(inputs={"a": ""})])
def test_renamed_ports_that_a_catalog_could_not_hold_are_refused_where_they_are_written(renamed: RenamedPorts) -> None:
    @node("odd", renamed=[renamed])
    def odd(text: str) -> str:
        return text

    definition = definition_of(odd)
    assert definition is not None
    with pytest.raises(TypeError, match="/renamed/0"):
        definition.node_type(type_id="t.odd", implementation="t:odd")


def test_the_registry_finds_what_replaces_a_type_and_says_what_to_do() -> None:
    assert [found.id for found in registry().replacing("acme.say")] == ["local.say"]
    assert registry().replacing("local.say") == []
    assert registry().explain_missing("acme.say") == "`flow upgrade FILE --write` puts 'local.say' in its place."


def test_a_registry_brings_workflows_up_to_date() -> None:
    workflow = saved(
        {"node_type": "local.say", "type_version": 1, "config": {"shout": True}, "inputs": {"message": "x"}},
        {"node_type": "local.tell"},
    )
    problems: list[Any] = []
    made = bring_up_to_date(workflow, registry(), problems)
    assert config_of(made) == {"loud": True}
    assert made.node("a").inputs == {"text": "x"}
    assert made.node("b").node_type == "local.say"
    assert [problem.code for problem in problems] == ["node_type.outdated", "node_type.replaced"]
