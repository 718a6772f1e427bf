"""The rules "When a node runs" 1 to 4 for one node at one moment, by looking at the whole document every time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Decision", "Ended", "decide", "settle_races"]

REFERENCE = re.compile(r"nodes\.(\w+)\.(\w+)")


@dataclass(frozen=True)
class Ended:
    """How a node ended and what it gave."""

    how: Literal["completed", "failed", "skipped", "cancelled"]
    gives: dict[str, Any]

    def port(self, port: str) -> tuple[bool, Any]:
        """Whether an arrow from this port is live, and its value."""
        if port == "done":
            return self.how == "completed", True
        return port in self.gives, self.gives.get(port)


@dataclass(frozen=True)
class Decision:
    """The node runs, with these inputs; several values reached the contested ports."""

    inputs: dict[str, Any]
    contested: tuple[str, ...]


def settle_races(
    document: dict[str, Any],
    node_id: str,
    ended: Mapping[str, Ended],
    winners: dict[tuple[str, str], tuple[str, str]],
) -> None:
    """A node ended: the ports of `join: first` that it reaches first are won, if what it gives is live."""
    for wire in document["connections"]:
        key = wire["to_node"], wire["to_port"]
        is_open_race = wire["from_node"] == node_id and wire["to_port"] == "race" and key not in winners
        if is_open_race and ended[node_id].port(wire["from_port"])[0]:
            winners[key] = node_id, wire["from_port"]


def decide(
    document: dict[str, Any],
    node_id: str,
    ended: Mapping[str, Ended],
    winners: Mapping[tuple[str, str], tuple[str, str]],
) -> Decision | Literal["skip"] | None:
    """Whether the node runs; None while something it waits for has not ended."""
    node = next(given for given in document["nodes"] if given["id"] == node_id)
    wires = [wire for wire in document["connections"] if wire["to_node"] == node_id]
    references = {port: _reference(text) for port, text in node.get("inputs", {}).items()}
    waits_for = {source for source, _ in references.values()}
    waits_for |= {wire["from_node"] for wire in wires if (node_id, wire["to_port"]) not in winners}
    if not waits_for <= ended.keys():
        return None
    live = _live(node_id, wires, ended, winners)
    if not _runs(
        node, [port for port, _ in live], wires, [ended[source].port(port) for source, port in references.values()]
    ):
        return "skip"
    inputs: dict[str, Any] = {port: ended[source].port(name)[1] for port, (source, name) in references.items()}
    contested = []
    for port in dict.fromkeys(port for port, _ in live if port != "after"):
        values = [value for to_port, value in live if to_port == port]
        inputs[port] = values if port == "many" else values[-1]
        if len(values) > 1 and port != "many":
            contested.append(port)
    if node["node_type"] == "local.needy" and "needed" not in inputs:
        return "skip"
    return Decision(inputs, tuple(contested))


def _live(
    node_id: str,
    wires: list[dict[str, str]],
    ended: Mapping[str, Ended],
    winners: Mapping[tuple[str, str], tuple[str, str]],
) -> list[tuple[str, Any]]:
    """Port and value of the live arrows, in document order; of a race the winner alone."""
    live = []
    for wire in wires:
        winner = winners.get((node_id, wire["to_port"]))
        if winner is not None and winner != (wire["from_node"], wire["from_port"]):
            continue
        if wire["from_node"] in ended:
            is_live, value = ended[wire["from_node"]].port(wire["from_port"])
            if is_live:
                live.append((wire["to_port"], value))
    return live


def _runs(node: dict[str, Any], ports: list[str], wires: list[Any], references: list[tuple[bool, Any]]) -> bool:
    if node.get("disabled"):
        return False
    if wires:
        return bool(ports) and ("after" in ports or all(wire["to_port"] != "after" for wire in wires))
    return not references or any(is_live for is_live, _ in references)


def _reference(text: str) -> tuple[str, str]:
    found = REFERENCE.search(text)
    assert found is not None
    return found[1], found[2]
