"""Random workflows over one node type that has every kind of port, and what each node will do when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowcore.nodes import NodeType, Port, Ports
from flowruntime.authoring import Definition
from flowruntime.plan import Checked, Plan, SchemaCache, check_workflow
from hypothesis import strategies as st

TYPE_ID = "local.work"
INPUTS = ("a", "b", "race", "many", "needed")
OUTPUTS = ("x", "y")

NODE_TYPE = NodeType(
    id=TYPE_ID,
    implementation="tests:work",
    inputs=Ports(
        ports=(
            Port(name="a"),
            Port(name="b"),
            Port(name="race", join="first"),
            Port(name="many", multiple=True),
            Port(name="needed"),
        )
    ),
    outputs=Ports(ports=(Port(name="x"), Port(name="y"))),
    effects="pure",
)

NEEDY_TYPE = NodeType(
    id="local.needy",
    implementation="tests:work",
    inputs=Ports(
        ports=(
            Port(name="a"),
            Port(name="b"),
            Port(name="race", join="first"),
            Port(name="many", multiple=True),
            Port(name="needed", required=True),
        )
    ),
    outputs=Ports(ports=(Port(name="x"), Port(name="y"))),
    effects="pure",
)


@dataclass(frozen=True)
class Outcome:
    """What a node does: it gives values on some ports, or it fails; and how long it takes."""

    gives: tuple[str, ...]
    fails: bool
    takes_ms: int


@dataclass(frozen=True)
class Scenario:
    document: dict[str, Any]
    outcomes: dict[str, Outcome]

    @property
    def has_races(self) -> bool:
        return any(connection["to_port"] == "race" for connection in self.document["connections"])

    def plan(self) -> Plan:
        checked = check(self.document)
        assert checked.plan is not None, [str(problem) for problem in checked.problems]
        return checked.plan


class Types:
    """A source of the two types."""

    def get(self, type_id: str, version: int | None = None) -> NodeType | None:
        return {TYPE_ID: NODE_TYPE, "local.needy": NEEDY_TYPE}.get(type_id)

    def replacing(self, type_id: str) -> tuple[NodeType, ...]:
        return ()

    def load(self, node_type: NodeType) -> Definition:
        raise AssertionError(f"The code of {node_type.id!r} is not needed.")

    def type_ids(self) -> tuple[str, ...]:
        return (TYPE_ID, "local.needy")

    def explain_missing(self, type_id: str) -> str:
        return ""


def check(document: dict[str, Any]) -> Checked:
    return check_workflow(document, Types(), SchemaCache())


@st.composite
def scenarios(draw: st.DrawFn, *, max_nodes: int = 10, races: bool = True, stops: bool = True) -> Scenario:
    """A valid workflow with branches, joins, references and failures."""
    count = draw(st.integers(1, max_nodes))
    nodes: list[dict[str, Any]] = []
    connections: list[dict[str, str]] = []
    outcomes: dict[str, Outcome] = {}
    ports = [port for port in (*INPUTS, "after") if races or port != "race"]
    for index in range(count):
        node_id = f"n{index}"
        on_error = draw(st.sampled_from(["stop", "continue", "route"] if stops else ["continue", "route"]))
        node: dict[str, Any] = {"id": node_id, "node_type": TYPE_ID, "on_error": on_error}
        if draw(st.integers(0, 9)) == 0:
            node["disabled"] = True
        outcomes[node_id] = Outcome(
            gives=draw(st.sampled_from([("x",), ("y",), ("x", "y"), ()])),
            fails=draw(st.integers(0, 4)) == 0,
            takes_ms=draw(st.integers(0, 3)),
        )
        wired = set()
        for source in draw(st.lists(st.integers(0, index - 1), max_size=3)) if index else []:
            from_port = draw(st.sampled_from(["x", "y", "done"]))
            to_port = draw(st.sampled_from(ports))
            connection = {"from_node": f"n{source}", "from_port": from_port, "to_node": node_id, "to_port": to_port}
            if connection not in connections:
                connections.append(connection)
                wired.add(to_port)
        if index and draw(st.integers(0, 3)) == 0:
            source = draw(st.integers(0, index - 1))
            node["inputs"] = {"b": f"${{{{ nodes.n{source}.{draw(st.sampled_from(OUTPUTS))} }}}}"}
        if "needed" in wired:
            node["node_type"] = "local.needy"
        nodes.append(node)
    used = set()
    for index, node in enumerate(nodes):
        if node["on_error"] == "route":
            if index + 1 == count:
                node["on_error"] = "continue"
                continue
            target = draw(st.integers(index + 1, count - 1))
            to_port = draw(st.sampled_from([port for port in ports if port != "needed"]))
            connections.append(
                {"from_node": node["id"], "from_port": "error", "to_node": f"n{target}", "to_port": to_port}
            )
            used.add(node["id"])
    limit = draw(st.sampled_from([1, 2, 3, None]))
    document = {
        "name": "random",
        "nodes": nodes,
        "connections": draw(st.permutations(connections)),
        "settings": {"max_parallel_nodes": limit},
    }
    return Scenario(document=document, outcomes=outcomes)
