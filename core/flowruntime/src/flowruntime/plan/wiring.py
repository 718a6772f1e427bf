"""Builds the plan's arrays from documents and drafts that are known to be free of errors."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from flowcore.nodes import DEFAULT_TIMEOUT_MS, Port, effects_of
from flowcore.policies import ContinueOnError, NodeOnError, RetryPolicy, resolve_retry_policy
from flowcore.schemas import default_of
from flowcore.validation import NodePorts, Reference
from flowcore.values import Value
from flowcore.workflows import AFTER, DONE, Workflow

from flowruntime.authoring import Body
from flowruntime.expressions import CompiledValue
from flowruntime.plan.drafting import Draft
from flowruntime.plan.model import Follower, Plan, PlannedNode, Source, Wire
from flowruntime.plan.schemas import CompiledSchema

__all__ = ["build_plan"]

_ANY_PORT: Final = Port(name="")
_NO_CHECKS: Final[dict[str, CompiledSchema]] = {}
_NO_SOURCES: Final[tuple[Source, ...]] = ()
_NO_ROOTS: Final[dict[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What follows from the ports alone, once for all nodes that share them."""

    declared: Mapping[str, Port]
    #: None: any.
    output_names: frozenset[str] | None
    defaults: Mapping[str, Value]
    #: Ports without which a node cannot run, and that no default fills.
    required: frozenset[str]

    @classmethod
    def of(cls, ports: NodePorts) -> _Shape:
        """The shape of these ports."""
        defaults: dict[str, Value] = {}
        for port in ports.inputs:
            given, default = default_of(port.schema)
            if given:
                defaults[port.name] = default
        return cls(
            declared={port.name: port for port in ports.inputs},
            output_names=None if ports.any_output else frozenset([port.name for port in ports.outputs]),
            defaults=defaults,
            required=frozenset([port.name for port in ports.inputs if port.required and port.name not in defaults]),
        )


def build_plan(
    workflow: Workflow,
    drafts: Sequence[Draft],
    ports: Sequence[NodePorts],
    outputs: CompiledValue | None,
    *,
    types: Mapping[str, int],
    names: frozenset[str] = frozenset(),
    on_error: Body | None = None,
    checked: Mapping[int, Mapping[str, CompiledSchema]] = MappingProxyType({}),
    checked_outputs: Mapping[int, tuple[tuple[str, CompiledSchema], ...]] = MappingProxyType({}),
) -> Plan:
    """The plan of a valid workflow. Costs time linear in nodes, connections and references.

    `checked` are the ports of each node whose values are looked at when they come, `checked_outputs` those whose values
    are looked at before they go on.
    """
    return _Wiring(workflow, drafts, ports, outputs, checked=checked, checked_outputs=checked_outputs).plan(
        types, names, on_error
    )


class _Wiring:
    def __init__(
        self,
        workflow: Workflow,
        drafts: Sequence[Draft],
        ports: Sequence[NodePorts],
        outputs: CompiledValue | None,
        *,
        checked: Mapping[int, Mapping[str, CompiledSchema]],
        checked_outputs: Mapping[int, tuple[tuple[str, CompiledSchema], ...]],
    ) -> None:
        self.workflow = workflow
        self.checked = checked
        self.checked_outputs = checked_outputs
        self.drafts = drafts
        self.ports = ports
        self.outputs = outputs
        self.index: dict[str, int] = {node.id: index for index, node in enumerate(workflow.nodes)}
        count = len(workflow.nodes)
        self.need = [0] * count
        self.plain: list[dict[int, int]] = [{} for _ in range(count)]
        self.racing: dict[int, list[Follower]] = {}
        self.group_sizes: list[int] = []
        self.shapes: dict[tuple[int, int, bool], _Shape] = {}
        #: What a node does that fails and says nothing about it itself.
        self.then: NodeOnError = "continue" if isinstance(workflow.settings.on_error, ContinueOnError) else "stop"

    def plan(self, types: Mapping[str, int], names: frozenset[str], on_error: Body | None) -> Plan:
        into: list[dict[str, list[Source]]] = [defaultdict(list) for _ in self.drafts]
        for connection in self.workflow.connections:
            source = self._source(connection.from_node, connection.from_port)
            into[self.index[connection.to_node]][connection.to_port].append(source)
        nodes = tuple([self._node(index, wires) for index, wires in enumerate(into)])
        numbers = range(len(nodes))
        settings = self.workflow.settings
        return Plan(
            workflow=self.workflow,
            nodes=nodes,
            index=self.index,
            need=tuple(self.need),
            simple_wires=tuple(
                [
                    None
                    if node.skipped_because is not None or node.node_type.trigger or node.at_most_once
                    else node.plain_wires
                    for node in nodes
                ]
            ),
            plain_followers=tuple([tuple(followers.items()) for followers in self.plain]),
            racing_followers=tuple([tuple(self.racing.get(index, ())) for index in numbers]),
            group_sizes=tuple(self.group_sizes),
            starts=tuple([index for index in numbers if self.need[index] == 0]),
            asking=tuple(_asking(nodes)),
            ends=tuple([index for index in numbers if not self.plain[index] and index not in self.racing]),
            triggers=tuple([node.index for node in nodes if node.node_type.trigger]),
            max_parallel_nodes=settings.max_parallel_nodes or sys.maxsize,
            outputs=self.outputs,
            output_references=() if self.outputs is None else self._by_name(self.outputs.references),
            types=types,
            names=names,
            on_error=on_error,
        )

    def _source(self, node_id: str, port: str) -> Source:
        return Source(self.index[node_id], None if port == DONE else port)

    def _node(self, index: int, into: Mapping[str, list[Source]]) -> PlannedNode:
        node, draft, ports = self.workflow.nodes[index], self.drafts[index], self.ports[index]
        shape = self._shape(ports)
        wires = tuple([self._wire(index, shape, name, sources) for name, sources in into.items() if name != AFTER])
        after = tuple(into.get(AFTER, _NO_SOURCES))
        if after:
            self._plain_arrows(index, after)
        referenced: tuple[tuple[str, str, Source], ...] = ()
        references = _NO_SOURCES
        if draft.references:
            referenced = self._by_name(draft.references)
            references = tuple(dict.fromkeys([source for _, _, source in referenced]))
            self._plain_arrows(index, references)
        from_inputs: tuple[str, ...] | None = ()
        if not (wires or after or references):
            from_inputs = None if ports.any_input or draft.node_type.trigger else tuple(shape.declared)
        static_config = None if draft.config.dynamic else draft.config.resolve(_NO_ROOTS)
        checked = tuple(self.checked.get(index, _NO_CHECKS).items())
        checked_outputs = self.checked_outputs.get(index, ())
        return PlannedNode(
            index=index,
            id=node.id,
            document=node,
            node_type=draft.node_type,
            type_id=draft.node_type.id,
            wires=wires,
            plain_wires=_plain_wires(wires, after, references),
            after=after,
            references=references,
            referenced=referenced,
            required=shape.required,
            must_have=tuple(
                [wire.port for wire in wires if wire.port in shape.required and wire.port not in node.inputs]
            ),
            from_inputs=from_inputs,
            fixed=draft.fixed,
            defaults=shape.defaults,
            config=draft.config,
            static_config=static_config,
            static_fields=draft.static_fields,
            written_config=draft.written_config,
            check_config=draft.check_config,
            # Inputs that the workflow does not declare pass through, too.
            output_ports=None if from_inputs is None and draft.node_type.outputs.passthrough else shape.output_names,
            retry_policy=RetryPolicy(max_attempts=1)
            if node.delivery == "at_most_once"
            else resolve_retry_policy(node.retry_policy, draft.node_type.retry_policy),
            timeout_us=round((node.timeout_ms or draft.node_type.timeout_ms or DEFAULT_TIMEOUT_MS) * 1000),
            then=self.then if node.on_error is None else node.on_error,
            effects=effects_of(draft.node_type.effects if node.effects is None else node.effects, draft.written_config),
            at_most_once=node.delivery == "at_most_once",
            checked=checked,
            checked_outputs=checked_outputs,
            direct=(
                static_config is not None
                and draft.fixed is None
                and not shape.defaults
                and from_inputs == ()
                and not checked
                and not checked_outputs
            ),
            skipped_because="it is disabled" if node.disabled else None,
        )

    def _shape(self, ports: NodePorts) -> _Shape:
        # Nodes of a type share the tuples of its ports, and `self.ports` keeps these alive: an identity stays theirs.
        key = (id(ports.inputs), id(ports.outputs), ports.any_output)
        shape = self.shapes.get(key)
        if shape is None:
            shape = self.shapes[key] = _Shape.of(ports)
        return shape

    def _wire(self, index: int, shape: _Shape, name: str, sources: list[Source]) -> Wire:
        port = shape.declared.get(name, _ANY_PORT)
        group = -1
        if port.join == "first":
            group = len(self.group_sizes)
            self.group_sizes.append(len(sources))
            self.need[index] += 1
            for source in sources:
                self.racing.setdefault(source.node, []).append(Follower(index, source.port, group))
        else:
            self._plain_arrows(index, sources)
        return Wire(name, tuple(sources), port.multiple, group)

    def _plain_arrows(self, index: int, sources: Sequence[Source]) -> None:
        self.need[index] += len(sources)
        for node, _ in sources:
            followers = self.plain[node]
            followers[index] = followers.get(index, 0) + 1

    def _by_name(self, references: Iterable[Reference]) -> tuple[tuple[str, str, Source], ...]:
        found = {(ref.node_id, ref.port): self._source(ref.node_id, ref.port) for ref in references}
        return tuple([(node_id, port, source) for (node_id, port), source in found.items()])


def _plain_wires(
    wires: tuple[Wire, ...], after: tuple[Source, ...], references: tuple[Source, ...]
) -> tuple[tuple[str, int, str], ...] | None:
    if after or (references and not wires):
        return None
    plain: list[tuple[str, int, str]] = []
    for port, sources, multiple, group in wires:
        if multiple or group >= 0 or len(sources) != 1:
            return None
        node, from_port = sources[0]
        if from_port is None:
            return None
        plain.append((port, node, from_port))
    return tuple(plain)


def _asking(nodes: Sequence[PlannedNode]) -> Iterator[tuple[int, tuple[str, ...]]]:
    for node in nodes:
        if node.required and node.from_inputs != () and node.skipped_because is None:
            ports = tuple(sorted(port for port in node.required if port not in node.document.inputs))
            if ports:
                yield node.index, ports
