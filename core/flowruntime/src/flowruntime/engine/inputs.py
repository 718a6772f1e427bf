"""Gathers what reaches a node, by the rules of the contract ("When a node runs", 2 to 4). Pure.

`gather` runs when a node is decided: it says whether the node runs and with which wired values. `complete_inputs` runs
when an attempt starts: it fills the ports that no live connection filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from flowcore.errors import FatalNodeError
from flowcore.values import Value

from flowruntime.plan.model import PlannedNode, Source

__all__ = ["Gathered", "Outputs", "Skip", "complete_inputs", "gather", "live_sources", "referenced_nodes"]

#: The outputs of each node by number; None where it gave none. The implicit `done` is not among them.
Outputs: TypeAlias = Sequence[dict[str, Value] | None]


class Gathered(NamedTuple):
    """The values that live connections bring, and ports where several were live but one is taken."""

    inputs: dict[str, Value]
    contested: tuple[str, ...] = ()


class Skip(NamedTuple):
    """The node does not run, and why."""

    why: str


NOTHING_LIVE = Skip("nothing live reached it")


def gather(
    node: PlannedNode, outputs: Outputs, completed: Sequence[int], winners: Mapping[int, Source]
) -> Gathered | Skip:
    """What reaches a decided node.

    `completed[n]` is true for completed nodes; `winners` are the sources that settled ports of `join: first`, by group.
    """
    if node.skipped_because is not None:
        return Skip(node.skipped_because)
    found = _gather_plain(node, outputs) if node.plain_wires is not None else _gather(node, outputs, completed, winners)
    if isinstance(found, Gathered):
        for port in node.must_have:
            if port not in found.inputs:
                return Skip(f"the required port {port!r} got no value")
    return found


def _gather_plain(node: PlannedNode, outputs: Outputs) -> Gathered | Skip:
    """The common case: one connection a port, and nothing special about any."""
    inputs: dict[str, Value] = {}
    for port, source, from_port in node.plain_wires or ():
        given = outputs[source]
        if given is not None and from_port in given:
            inputs[port] = given[from_port]
    if not inputs and node.plain_wires:
        return NOTHING_LIVE
    return Gathered(inputs)


def _gather(
    node: PlannedNode, outputs: Outputs, completed: Sequence[int], winners: Mapping[int, Source]
) -> Gathered | Skip:
    inputs: dict[str, Value] = {}
    contested: list[str] = []
    for wire in node.wires:
        sources = [source for source in wire.sources if _is_live(source, outputs, completed)]
        if wire.group in winners:
            sources = [winners[wire.group]]
        if not sources:
            continue
        if wire.multiple:
            inputs[wire.port] = [_value(source, outputs) for source in sources]
        else:
            inputs[wire.port] = _value(sources[-1], outputs)
            if len(sources) > 1:
                contested.append(wire.port)
    if node.after:
        if not any(_is_live(source, outputs, completed) for source in node.after):
            return Skip("nothing live reached 'after'")
    elif node.wires:
        if not inputs:
            return NOTHING_LIVE
    elif node.references and not any(_is_live(source, outputs, completed) for source in node.references):
        return Skip("nothing it refers to gave a value")
    return Gathered(inputs, tuple(contested))


def complete_inputs(
    node: PlannedNode, wired: dict[str, Value], execution_inputs: dict[str, Value], roots: Mapping[str, Any]
) -> dict[str, Value]:
    """Inputs of an attempt: wired values, over fixed ones, over execution inputs, over the schemas' defaults."""
    inputs: dict[str, Value] = dict(node.defaults)
    if node.from_inputs is None:
        inputs.update(execution_inputs)
    else:
        for port in node.from_inputs:
            if port in execution_inputs:
                inputs[port] = execution_inputs[port]
    if node.fixed is not None:
        inputs.update(node.fixed.resolve(roots))
    inputs.update(wired)
    for declared in node.node_type.inputs.ports:
        if declared.required and declared.name not in inputs:
            raise FatalNodeError(
                f"The required port {declared.name!r} got no value.",
                code="node.input_missing",
                remedy="Pass it as an execution input, connect it, or give it in the node's 'inputs'.",
            )
    return inputs


def referenced_nodes(
    references: Sequence[tuple[str, str, Source]], outputs: Outputs, completed: Sequence[int]
) -> dict[str, dict[str, Value]]:
    """The expression root `nodes`, as far as it is referred to; references that are not live are null."""
    nodes: dict[str, dict[str, Value]] = {}
    for node_id, port, source in references:
        live = _is_live(source, outputs, completed)
        nodes.setdefault(node_id, {})[port] = _value(source, outputs) if live else None
    return nodes


def live_sources(node: PlannedNode, port: str, outputs: Outputs, completed: Sequence[int]) -> list[int]:
    """The numbers of the nodes whose live connections lead into a port, in document order."""
    for wire in node.wires:
        if wire.port == port:
            return [source.node for source in wire.sources if _is_live(source, outputs, completed)]
    return []


def _is_live(source: Source, outputs: Outputs, completed: Sequence[int]) -> bool:
    if source.port is None:
        return bool(completed[source.node])
    given = outputs[source.node]
    return given is not None and source.port in given


def _value(source: Source, outputs: Outputs) -> Value:
    if source.port is None:
        return True
    given = outputs[source.node]
    return given[source.port] if given is not None else None
