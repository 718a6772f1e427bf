"""The rules "When a node runs" 1 to 4 and 7 once more, written for reading: no counters, no order, just recursion.

Valid where nothing depends on timing: without `join: first` and without failures that stop the workflow.
"""

from __future__ import annotations

import re
from typing import Any

from tests.properties.random_workflows import Scenario

REFERENCE = re.compile(r"nodes\.(\w+)\.(\w+)")


def final_states(  # noqa: C901 - one recursion over all the rules
    scenario: Scenario,
) -> dict[str, tuple[str, dict[str, Any] | None]]:
    """For each node how it ends and the inputs it saw (None when it did not run)."""
    nodes = {node["id"]: node for node in scenario.document["nodes"]}
    into: dict[str, list[dict[str, str]]] = {node_id: [] for node_id in nodes}
    for connection in scenario.document["connections"]:
        into[connection["to_node"]].append(connection)
    known: dict[str, tuple[str, dict[str, Any] | None]] = {}

    def value_of(node_id: str, port: str) -> tuple[bool, Any]:
        state, _ = state_of(node_id)
        outcome = scenario.outcomes[node_id]
        if port == "done":
            return state == "completed", True
        if port == "error":
            return state == "failed" and nodes[node_id]["on_error"] == "route", "error"
        return state == "completed" and port in outcome.gives, f"{node_id}.{port}"

    def state_of(node_id: str) -> tuple[str, dict[str, Any] | None]:
        if node_id not in known:
            known[node_id] = decide(node_id)
        return known[node_id]

    def runs(node_id: str, live: list[tuple[str, Any]], references: dict[str, tuple[str, str]]) -> bool:
        if nodes[node_id].get("disabled"):
            return False
        if into[node_id]:
            ports = [port for port, _ in live]
            has_after = any(connection["to_port"] == "after" for connection in into[node_id])
            return bool(ports) and ("after" in ports or not has_after)
        return not references or any(value_of(*reference)[0] for reference in references.values())

    def decide(node_id: str) -> tuple[str, dict[str, Any] | None]:
        node = nodes[node_id]
        arrows = [(wire["to_port"], value_of(wire["from_node"], wire["from_port"])) for wire in into[node_id]]
        live = [(port, value) for port, (is_live, value) in arrows if is_live]
        references = {port: _reference(text) for port, text in node.get("inputs", {}).items()}
        if not runs(node_id, live, references):
            return "skipped", None
        inputs: dict[str, Any] = {}
        for port, reference in references.items():
            is_live, value = value_of(*reference)
            inputs[port] = value if is_live else None
        for port, value in live:
            if port == "many":
                inputs.setdefault("many", []).append(value)
            elif port != "after":
                inputs[port] = value
        if node["node_type"] == "local.needy" and "needed" not in inputs:
            return "skipped", None
        return ("failed" if scenario.outcomes[node_id].fails else "completed"), inputs

    for node_id in nodes:
        state_of(node_id)
    return known


def _reference(text: str) -> tuple[str, str]:
    found = REFERENCE.search(text)
    assert found is not None
    return found[1], found[2]
