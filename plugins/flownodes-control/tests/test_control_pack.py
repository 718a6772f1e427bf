"""The pack says of its types what they do to the world; its other promises are tested by test_control_conformance."""

from flowcore.nodes import NodeType
from flowruntime.registry import Registry

REGISTRY = Registry.discover()


def node_type(type_id: str) -> NodeType:
    found = REGISTRY.get(type_id)
    assert found is not None
    return found


def test_nothing_but_a_wait_depends_on_what_is_outside() -> None:
    leaves = ["control.if", "control.switch", "control.merge", "control.first", "control.fail", "control.wait"]
    assert {type_id: node_type(type_id).effects for type_id in leaves} == {
        **dict.fromkeys(leaves, "pure"),
        "control.wait": "read",
    }
