"""The pack's catalog is what its code says, and its examples do what they say."""

from pathlib import Path
from typing import Any

import pytest
from flowcore.nodes import NodeType
from flowcore.values import thaw
from flowruntime.registry import Registry, check_catalog

from tests.control_flows import codes_of, flow, run

REGISTRY = Registry.discover()


def node_type(type_id: str) -> NodeType:
    found = REGISTRY.get(type_id)
    assert found is not None
    return found


def examples() -> list[Any]:
    types = [row.id for row in REGISTRY.rows() if row.id.startswith("control.")]
    return [(type_id, thaw(example)) for type_id in types for example in node_type(type_id).examples]


def test_the_committed_catalog_is_what_the_code_says() -> None:
    assert check_catalog(Path(__file__).parents[1]) == []


@pytest.mark.parametrize(("type_id", "example"), examples())
async def test_every_example_is_valid_and_gives_what_it_says(type_id: str, example: Any) -> None:
    document = flow({"n": {"node_type": type_id, "config": example["config"], "inputs": example.get("inputs", {})}})
    assert codes_of(document) == []
    if "outputs" in example:
        assert (await run(document)).node_outputs["n"] == example["outputs"]


def test_nothing_but_a_wait_depends_on_what_is_outside() -> None:
    leaves = ["control.if", "control.switch", "control.merge", "control.first", "control.fail", "control.wait"]
    assert {type_id: node_type(type_id).effects for type_id in leaves} == {
        **dict.fromkeys(leaves, "pure"),
        "control.wait": "read",
    }
