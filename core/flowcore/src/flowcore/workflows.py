"""A workflow document as immutable Python objects; field for field what stands in the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NewType, TypeAlias

from flowcore.errors import Problem
from flowcore.policies import NodeOnError, PartialRetryPolicy, StopWorkflow, WorkflowOnError
from flowcore.schemas import Schema
from flowcore.values import FrozenDict

__all__ = [
    "AFTER",
    "DONE",
    "ERROR",
    "RESERVED_PORTS",
    "Cache",
    "Connection",
    "Delivery",
    "NodeId",
    "Settings",
    "Trigger",
    "Workflow",
    "WorkflowId",
    "WorkflowNode",
    "cycle_problem",
]

WorkflowId = NewType("WorkflowId", str)
NodeId = NewType("NodeId", str)

#: Implicit output: `true` when the node completed.
DONE = "done"
#: Implicit input: order without data.
AFTER = "after"
#: Implicit output: the error object of a routed failure.
ERROR = "error"
RESERVED_PORTS = frozenset({DONE, AFTER, ERROR})

Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]

_STOP_WORKFLOW = StopWorkflow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Results of a node are reused for `ttl_ms` milliseconds, for ever when None."""

    ttl_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowNode:
    """One node of a workflow. None everywhere means: what the node type or the workflow says."""

    id: NodeId
    node_type: str
    type_version: int | None = None
    name: str | None = None
    description: str | None = None
    config: FrozenDict = field(default_factory=FrozenDict)
    inputs: FrozenDict = field(default_factory=FrozenDict)
    position: FrozenDict | None = None
    retry_policy: PartialRetryPolicy | None = None
    timeout_ms: float | None = None
    on_error: NodeOnError | None = None
    disabled: bool = False
    effects: Any = None
    delivery: Delivery = "at_least_once"
    placement: str | None = None
    cache: Cache | None = None
    extensions: FrozenDict = field(default_factory=FrozenDict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A wire from an output port to an input port."""

    from_node: NodeId
    from_port: str
    to_node: NodeId
    to_port: str
    extensions: FrozenDict = field(default_factory=FrozenDict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Something that starts the workflow; `trigger_type` is an object whose `type` says what."""

    id: str
    trigger_type: FrozenDict
    enabled: bool = True
    extensions: FrozenDict = field(default_factory=FrozenDict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the whole workflow runs. `max_parallel_nodes` None is no limit; times in milliseconds."""

    max_execution_time_ms: float | None = None
    max_parallel_nodes: int | None = 10
    on_error: WorkflowOnError = _STOP_WORKFLOW
    on_error_workflow: str | None = None
    concurrency: int | None = None
    priority: int | None = None
    placement: str | None = None
    extensions: FrozenDict = field(default_factory=FrozenDict)


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Workflow:
    """A whole workflow document. Order of nodes and connections is the document's."""

    id: WorkflowId
    name: str
    description: str | None = None
    inputs: Schema | None = None
    vars: FrozenDict = field(default_factory=FrozenDict)
    nodes: tuple[WorkflowNode, ...] = ()
    connections: tuple[Connection, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    outputs: FrozenDict | None = None
    settings: Settings = field(default_factory=Settings)
    extensions: FrozenDict = field(default_factory=FrozenDict)

    def node(self, node_id: str) -> WorkflowNode:
        """The node of that id; raises KeyError. Looks through the list: not for hot paths."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


def cycle_problem(node_ids: Sequence[str], pointer: str) -> Problem:
    """The problem of nodes that wait for each other in a circle; the last of them leads back to the first.

    `pointer` is the place of that last step, a connection or an expression.

    >>> cycle_problem(["a", "b"], "/connections/1").message
    "The nodes wait for each other in a circle: 'a' → 'b' → 'a'."
    """
    circle = " → ".join(map(repr, [*node_ids, node_ids[0]]))
    return Problem(
        code="workflow.cycle",
        pointer=pointer,
        message=f"The nodes wait for each other in a circle: {circle}.",
        remedy="Take out one of these steps; to repeat nodes, put them into the body of a control.loop.",
    )
