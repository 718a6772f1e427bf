"""The plan: a workflow compiled to integers and arrays, so that running it looks nothing up by name.

Nodes are numbered in document order. An *arrow* is a connection or an expression's reference to another node. A node
waits for `need` units: one for each arrow into its ports, except that a port of `join: first` is one unit altogether,
settled by its first live arrow or by the last of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowcore.nodes import EffectKind, NodeType
from flowcore.policies import NodeOnError, RetryPolicy
from flowcore.values import Value
from flowcore.workflows import Workflow, WorkflowNode

from flowruntime.authoring import Body
from flowruntime.expressions import CompiledValue
from flowruntime.plan.schemas import CompiledSchema

__all__ = ["Follower", "Plan", "PlannedNode", "Source", "Wire"]


class Source(NamedTuple):
    """Where a value comes from: a node's number and its output port; None is the implicit port `done`."""

    node: int
    port: str | None


class Wire(NamedTuple):
    """All connections into one input port, in document order. `group` numbers the ports of `join: first`, else -1."""

    port: str
    sources: tuple[Source, ...]
    multiple: bool
    group: int


class Follower(NamedTuple):
    """An arrow out of a node: which node it leads to, from which port, and the `join: first` group or -1."""

    node: int
    port: str | None
    group: int


@dataclass(slots=True, kw_only=True, eq=False)  # not frozen: that would take three times as long to make
class PlannedNode:
    """Everything an attempt of one node needs. Never changed."""

    index: int
    id: str
    document: WorkflowNode
    node_type: NodeType
    type_id: str
    #: Connected ports, `after` excepted.
    wires: tuple[Wire, ...]
    #: (port, node, from port) when every wire is one plain connection and nothing special applies, else None.
    plain_wires: tuple[tuple[str, int, str], ...] | None
    after: tuple[Source, ...]
    references: tuple[Source, ...]
    #: The same references by name, for the expression root `nodes`.
    referenced: tuple[tuple[str, str, Source], ...]
    #: Required ports without a default.
    required: frozenset[str]
    #: Those of them that only a live connection can fill.
    must_have: tuple[str, ...]
    #: Ports that take the execution input of their name; None: every name. Empty for nodes with arrows.
    from_inputs: tuple[str, ...] | None
    fixed: CompiledValue | None
    defaults: Mapping[str, Value]
    config: CompiledValue
    #: The resolved config when no expression is in it.
    static_config: dict[str, Any] | None
    #: The fields marked `x-static` alone, for `initialize`.
    static_fields: CompiledValue | None
    #: The written config with defaults, for `Node.create`.
    written_config: dict[str, Any]
    #: Names of the output ports; None: any.
    output_ports: frozenset[str] | None
    retry_policy: RetryPolicy
    #: Microseconds that one attempt may take.
    timeout_us: int
    then: NodeOnError
    effects: EffectKind
    #: Whether it must not begin a second time unasked.
    at_most_once: bool
    #: Whether inputs are just the wired values and the config is constant: nothing to resolve for an attempt.
    direct: bool
    #: Checks a resolved config that was written with expressions; None when nothing needs to be checked.
    check_config: Callable[[dict[str, Any]], None] | None
    #: Ports whose values may not be what the port takes, and are looked at for each attempt.
    checked: tuple[tuple[str, CompiledSchema], ...] = ()
    #: Output ports whose values are looked at before they go on.
    checked_outputs: tuple[tuple[str, CompiledSchema], ...] = ()
    #: Why the node never runs, e.g. because it is disabled.
    skipped_because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A compiled workflow; immutable, shared by all its executions."""

    workflow: Workflow
    nodes: tuple[PlannedNode, ...]
    index: Mapping[str, int]
    #: Units that each node waits for.
    need: tuple[int, ...]
    #: For each node its `plain_wires`, None where deciding it takes more than looking at those.
    simple_wires: tuple[tuple[tuple[str, int, str], ...] | None, ...]
    #: For each node the followers without groups, merged: (node, number of arrows).
    plain_followers: tuple[tuple[tuple[int, int], ...], ...]
    #: For each node the arrows into ports of `join: first`.
    racing_followers: tuple[tuple[Follower, ...], ...]
    #: How many arrows each `join: first` group has.
    group_sizes: tuple[int, ...]
    #: Nodes without arrows, in document order.
    starts: tuple[int, ...]
    #: Of those, the ones with required ports that only the execution inputs can fill, and these ports.
    asking: tuple[tuple[int, tuple[str, ...]], ...]
    #: Nodes that nothing follows, in document order.
    ends: tuple[int, ...]
    #: Nodes whose type is a trigger, in document order: one at most of them fires.
    triggers: tuple[int, ...]
    max_parallel_nodes: int
    outputs: CompiledValue | None
    output_references: tuple[tuple[str, str, Source], ...]
    #: Node types used, with their versions; those of the documents that nodes run, too.
    types: Mapping[str, int] = field(default_factory=dict)
    #: Every name by which a workflow of the library is referred to, also by such workflows themselves.
    names: frozenset[str] = frozenset()
    #: The workflow that `settings.on_error_workflow` names; it counts at the root only, elsewhere it is None.
    on_error: Body | None = None
