"""Node types to plan with, and documents in short form."""

from collections.abc import Iterable, Mapping
from typing import Any

from flowcore.documents import parse_workflow
from flowcore.nodes import EffectsByConfig, NodeType, Port, Ports
from flowcore.policies import PartialRetryPolicy
from flowcore.values import freeze
from flowcore.workflows import Workflow
from flowruntime.authoring import Definition
from flowruntime.plan import Checked, Library, Plan, SchemaCache, check_workflow, require_plan


def object_schema(required: tuple[str, ...] = (), **properties: Any) -> Any:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return freeze({**schema, "required": list(required)} if required else schema)


def node_type(type_id: str, inputs: Any = (), outputs: Any = ("out",), **options: Any) -> NodeType:
    """Sides are names of ports, Ports, or a tuple of Port."""
    return NodeType(id=type_id, implementation="test:node", inputs=_ports(inputs), outputs=_ports(outputs), **options)


def _ports(side: Any) -> Ports:
    if isinstance(side, Ports):
        return side
    return Ports(ports=tuple(Port(name=port) if isinstance(port, str) else port for port in side))


HTTP_CONFIG = object_schema(
    method={"enum": ["GET", "POST"], "default": "GET"},
    timeout_ms={"type": "number", "minimum": 1},
    headers={"type": "object", "additionalProperties": {"type": "string"}},
    auth={"type": "object", "properties": {"token": {"type": "string"}}, "additionalProperties": False},
    retries={"anyOf": [{"type": "integer"}, {"type": "null"}]},
    codes={"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "maxItems": 3},
)

TYPES = (
    node_type("t.noop", ["value"], effects="pure"),
    node_type("t.two", ["a", "b"], ["x", "y"]),
    node_type("t.need", [Port(name="value", required=True), Port(name="extra")]),
    node_type("t.default", [Port(name="value", required=True, schema=freeze({"default": [1]}))]),
    node_type("t.race", [Port(name="value", join="first"), "other"]),
    node_type("t.many", [Port(name="values", multiple=True, required=True)]),
    node_type("t.any", Ports(rule="any"), Ports(rule="any")),
    node_type("t.pass", Ports(rule="any"), Ports(rule="any", passthrough=True)),
    node_type(
        "t.http",
        ["url", "body"],
        config_schema=HTTP_CONFIG,
        retry_policy=PartialRetryPolicy(max_attempts=5, delay_ms=10),
        timeout_ms=30_000,
        effects=EffectsByConfig(pointer="/method", read=("GET",)),
    ),
    node_type(
        "t.switch",
        ["value"],
        Ports(rule="each", pointer="/cases"),
        config_schema=object_schema(
            cases={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"port": {"type": "string"}, "when": {"type": "string", "x-expression": True}},
                    "required": ["port", "when"],
                    "additionalProperties": False,
                },
            },
            match={"enum": ["first", "all"]},
        ),
    ),
    node_type(
        "t.loop",
        ["items"],
        config_schema=object_schema(
            body={"x-workflow": True}, until={"type": ["string", "null"], "x-expression": True, "default": None}
        ),
    ),
    node_type(
        "t.sub",
        Ports(rule="signature", pointer="/workflow"),
        Ports(rule="signature", pointer="/workflow"),
        config_schema=object_schema(workflow={"type": ["object", "string", "null"], "x-workflow": True}),
    ),
    node_type(
        "t.branches",
        ["value"],
        config_schema=object_schema(
            branches={"type": "array", "items": {"properties": {"flow": {"x-workflow": True}, "label": {}}}}
        ),
    ),
    node_type(
        "t.ask",
        ["data"],
        config_schema=object_schema(("expression",), expression={"type": "string", "x-expression": "data"}),
    ),
    node_type(
        "t.pool",
        ["query"],
        config_schema=object_schema(
            dsn={"type": "string", "x-static": True},
            pool={
                "type": "object",
                "properties": {"size": {"type": "integer", "x-static": True, "default": 5}, "name": {"type": "string"}},
            },
            limit={"type": "integer"},
        ),
    ),
    node_type("t.trigger", (), ["body"], trigger=True),
    node_type("t.old", ["value"], version=1),
    node_type("t.old", ["value"], version=2),
)


class Types:
    """A registry of these types alone."""

    def __init__(self, types: Iterable[NodeType] = TYPES) -> None:
        self.types = {(known.id, known.version): known for known in types}

    def get(self, type_id: str, version: int | None = None) -> NodeType | None:
        if version is None:
            version = max((known for name, known in self.types if name == type_id), default=0)
        return self.types.get((type_id, version))

    def replacing(self, type_id: str) -> list[NodeType]:
        return [known for known in self.types.values() if type_id in known.replaces]

    def load(self, node_type: NodeType) -> Definition:
        raise AssertionError(f"The code of {node_type.id!r} is not needed.")

    def type_ids(self) -> Iterable[str]:
        return sorted({type_id for type_id, _ in self.types})

    def explain_missing(self, type_id: str) -> str:
        return f"Install the pack {type_id.partition('.')[0]!r}."


def document(nodes: Mapping[str, Any], *connections: str, **fields: Any) -> dict[str, Any]:
    """Nodes as `{id: type}` or `{id: {"node_type": …, …}}`, connections as `"a.out -> b.value"`."""
    wires = []
    for connection in connections:
        source, target = connection.split(" -> ")
        (from_node, from_port), (to_node, to_port) = source.split("."), target.split(".")
        wires.append({"from_node": from_node, "from_port": from_port, "to_node": to_node, "to_port": to_port})
    listed = [
        {"id": name, **({"node_type": given} if isinstance(given, str) else given)} for name, given in nodes.items()
    ]
    return {"name": "w", "nodes": listed, "connections": wires, **fields}


class Shelf:
    """A library of these documents by id."""

    def __init__(self, **documents: dict[str, Any]) -> None:
        self.workflows = {name: parse_workflow({"id": name, **given}) for name, given in documents.items()}

    def get(self, name: str) -> Workflow | None:
        return self.workflows.get(name)

    def names(self) -> Iterable[str]:
        return self.workflows


def check(source: Any, types: Iterable[NodeType] = TYPES, library: Library | None = None) -> Checked:
    return check_workflow(source, Types(types), SchemaCache(), library)


def plan_of(nodes: Mapping[str, Any], *connections: str, **fields: Any) -> Plan:
    return require_plan(check(document(nodes, *connections, **fields)))
