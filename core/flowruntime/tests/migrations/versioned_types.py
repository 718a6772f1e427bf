"""Node types that have changed over time, and workflows that were saved with old ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flowcore.documents import parse_workflow
from flowcore.errors import PackError
from flowcore.nodes import Deprecation, NodeType, Port, Ports, RenamedPorts
from flowcore.values import freeze
from flowcore.workflows import Workflow
from flowruntime.authoring import Definition

__all__ = ["NOISE", "Types", "config_of", "object_schema", "saved", "types_of", "versioned"]

NOISE = "printed by migrate"


def object_schema(**properties: Any) -> Any:
    return freeze({"type": "object", "properties": properties, "additionalProperties": False})


class Versioned(NamedTuple):
    """A node type with its code."""

    node_type: NodeType
    definition: Definition


def versioned(
    type_id: str,
    version: int = 1,
    *,
    migrate: Callable[[dict[str, Any], int], Any] | None = None,
    inputs: tuple[str, ...] = ("value",),
    outputs: tuple[str, ...] = ("out",),
    config: Any = None,
    renamed: tuple[RenamedPorts, ...] = (),
    replaces: tuple[str, ...] = (),
    deprecation: Deprecation | None = None,
) -> Versioned:
    def target(value: Any = None) -> None:
        """Never run here."""

    node_type = NodeType(
        id=type_id,
        version=version,
        implementation="test:node",
        inputs=Ports(ports=tuple(Port(name=name) for name in inputs)),
        outputs=Ports(ports=tuple(Port(name=name) for name in outputs)),
        config_schema=object_schema() if config is None else config,
        migrates=migrate is not None,
        renamed=renamed,
        replaces=replaces,
        deprecation=deprecation,
    )
    return Versioned(node_type, Definition(target=target, id=type_id, version=version, migrate=migrate))


class Types:
    """A registry of these types alone; it notes whose code was asked for."""

    def __init__(self, *known: Versioned) -> None:
        self.known = {(one.node_type.id, one.node_type.version): one for one in known}
        self.loaded: list[str] = []

    def get(self, type_id: str, version: int | None = None) -> NodeType | None:
        if version is None:
            version = max((known for name, known in self.known if name == type_id), default=0)
        found = self.known.get((type_id, version))
        return None if found is None else found.node_type

    def type_ids(self) -> list[str]:
        return sorted({type_id for type_id, _ in self.known})

    def explain_missing(self, type_id: str) -> str:
        return f"Install the pack {type_id.partition('.')[0]!r}."

    def replacing(self, type_id: str) -> list[NodeType]:
        newest = [self.get(other) for other in self.type_ids()]
        return [found for found in newest if found is not None and type_id in found.replaces]

    def load(self, node_type: NodeType) -> Definition:
        self.loaded.append(node_type.id)
        if node_type.id.startswith("broken."):
            raise PackError("It cannot be imported.", pack="broken", code="import.raised", remedy="Reinstall it.")
        return self.known[node_type.id, node_type.version].definition


def _shout_to_loud(config: dict[str, Any], from_version: int) -> dict[str, Any]:
    if from_version == 0:  # t.tell was always loud
        return {"loud": True}
    config["loud"] = config.pop("shout", False)
    return config


def _raise(config: Mapping[str, Any], from_version: int) -> Any:
    raise KeyError("gone")


def _exit(config: Mapping[str, Any], from_version: int) -> Any:
    raise SystemExit(3)


def _print(config: Mapping[str, Any], from_version: int) -> Any:
    print(NOISE)  # noqa: T201 - what packs do
    return config


def types_of(*more: Versioned) -> Types:
    """The types that most tests need."""
    return Types(
        versioned("t.plain"),
        versioned(
            "t.say",
            3,
            migrate=_shout_to_loud,
            inputs=("text",),
            outputs=("said",),
            config=object_schema(loud={"type": "boolean"}),
            replaces=("t.tell", "gone.say"),
            renamed=(
                RenamedPorts(below=3, outputs=freeze({"spoken": "said"})),
                RenamedPorts(below=2, inputs=freeze({"message": "text"}), outputs=freeze({"out": "spoken"})),
                RenamedPorts(type="t.tell", outputs=freeze({"told": "said"})),
            ),
        ),
        versioned("t.kept", 2, config=object_schema(a={"type": "integer"})),
        versioned("t.both", 1),
        versioned("t.both", 2),
        versioned("t.raises", 2, migrate=_raise),
        versioned("t.exits", 2, migrate=_exit),
        versioned("t.list", 2, migrate=lambda config, version: [config]),
        versioned("t.bytes", 2, migrate=lambda config, version: {"a": b"no JSON"}),
        versioned("t.prints", 2, migrate=_print),
        versioned("t.wrong", 2, migrate=lambda config, version: {"surprise": 1}),
        versioned("t.hangs", 2, migrate=lambda config, version: time.sleep(3600)),
        versioned("broken.say", 2, migrate=_shout_to_loud),
        versioned("t.loop", config=object_schema(body={"type": "object", "x-workflow": True})),
        versioned("t.bare", config=object_schema(when={"type": "string", "x-expression": True}, note=True)),
        *more,
    )


def saved(*nodes: Mapping[str, Any], connections: Any = (), **fields: Any) -> Workflow:
    """A workflow of these nodes, whose ids are a, b, c, … unless given; connections as `"a.out -> b.value"`."""
    wires = []
    for connection in connections:
        (from_node, from_port), (to_node, to_port) = (end.split(".") for end in connection.split(" -> "))
        wires.append({"from_node": from_node, "from_port": from_port, "to_node": to_node, "to_port": to_port})
    named = [{"id": "abcdefgh"[place], **node} for place, node in enumerate(nodes)]
    return parse_workflow({"name": "Saved", "nodes": named, "connections": wires, **fields})


def config_of(workflow: Workflow, node_id: str = "a") -> Any:
    return workflow.node(node_id).config
