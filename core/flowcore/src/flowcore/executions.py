"""An execution as the fold over its events: a snapshot at any `seq`, and the result at the end.

`Execution.apply` is total over well-formed logs: it never fails on an event that an engine wrote, and a prefix of a
log is always a valid execution.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from flowcore.events import (
    TOP,
    ErrorObject,
    Event,
    ExecutionId,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    Path,
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowRetrying,
    WorkflowStarted,
    timestamp_text,
)
from flowcore.values import Value

__all__ = [
    "FINAL_STATUSES",
    "Execution",
    "ExecutionResult",
    "FinalStatus",
    "NodeStatus",
    "NodeView",
    "Status",
    "idempotency_key",
]

FinalStatus: TypeAlias = Literal["succeeded", "failed", "cancelled"]
Status: TypeAlias = Literal["pending", "running", "waiting", "quarantined"] | FinalStatus
NodeStatus: TypeAlias = Literal[
    "running", "retrying", "waiting", "interrupted", "completed", "failed", "skipped", "cancelled"
]

#: A final status is final: such an execution can be rerun or replayed, not resumed.
FINAL_STATUSES: Final[frozenset[Status]] = frozenset({"succeeded", "failed", "cancelled"})

#: The events that change the view of a node.
_NodeChange: TypeAlias = (
    NodeStarted
    | NodeWaiting
    | NodeWoken
    | NodeRetrying
    | NodeInterrupted
    | NodeCompleted
    | NodeFailed
    | NodeSkipped
    | NodeCancelled
)
_FINAL_NODES: Final[frozenset[NodeStatus]] = frozenset({"completed", "failed", "skipped", "cancelled"})


@dataclass(slots=True, kw_only=True)
class NodeView:
    """What is known of one node at one path. Times in microseconds since the epoch."""

    path: Path
    node_id: str
    status: NodeStatus
    attempt: int = 0
    node_type: str | None = None
    started_us: int | None = None
    ended_us: int | None = None
    duration_ms: float | None = None
    outputs: dict[str, Value] | None = None
    error: ErrorObject | None = None
    state: dict[str, Value] | None = None
    why: str | None = None
    #: Nodes inside it have run; what it does is what they do.
    is_container: bool = False

    def to_json(self) -> dict[str, Any]:
        """The node as snapshots give it; outputs are left to the node's own page."""
        view: dict[str, Any] = {
            "path": [list(step) for step in self.path],
            "node_id": self.node_id,
            "node_type": self.node_type,
            "status": self.status,
            "attempt": self.attempt,
            "duration_ms": self.duration_ms,
        }
        if self.started_us is not None:
            view["started_at"] = timestamp_text(self.started_us)
        if self.error is not None:
            view["error"] = self.error
        if self.why is not None:
            view["why"] = self.why
        return view


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionResult:
    """What an execution came to. Node ids stand in the order of the nodes' ends, the workflow's own nodes only."""

    execution_id: ExecutionId
    workflow_id: str
    status: Status
    outputs: Value
    node_outputs: dict[str, dict[str, Value]]
    completed_nodes: tuple[str, ...]
    skipped_nodes: tuple[str, ...]
    failed_nodes: tuple[str, ...]
    total_nodes: int
    error: ErrorObject | None
    #: Microseconds since the epoch; `started_at` is the same as text.
    started_us: int
    duration_ms: float

    @property
    def started_at(self) -> str:
        """When it began, RFC 3339 in UTC."""
        return timestamp_text(self.started_us)

    @property
    def success(self) -> bool:
        """Whether the run reached its end."""
        return self.status == "succeeded"

    def to_json(self) -> dict[str, Any]:
        """The result as `flow run --json` and the HTTP API give it."""
        return {
            "execution_id": self.execution_id,
            "workflow_id": self.workflow_id,
            "status": self.status,
            "outputs": self.outputs,
            "node_outputs": self.node_outputs,
            "completed_nodes": list(self.completed_nodes),
            "skipped_nodes": list(self.skipped_nodes),
            "failed_nodes": list(self.failed_nodes),
            "total_nodes": self.total_nodes,
            "error": self.error,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
        }


@dataclass(slots=True, kw_only=True)
class Execution:
    """A snapshot of an execution, moved forward event by event with `apply`."""

    execution_id: ExecutionId
    seq: int = 0
    status: Status = "pending"
    workflow_id: str = ""
    inputs: dict[str, Value] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    run_attempt: int = 1
    #: By path and node id, in the order of their first event.
    nodes: dict[tuple[Path, str], NodeView] = field(default_factory=dict)
    #: Ids of the workflow's own nodes in the order of their ends.
    ended: dict[str, NodeView] = field(default_factory=dict)
    outputs: Value = None
    error: ErrorObject | None = None
    started_us: int = 0
    duration_ms: float | None = None
    #: How many nodes run, containers left out, and how many wait: a running execution in which all wait is `waiting`.
    active: int = 0
    asleep: int = 0

    @classmethod
    def fold(cls, execution_id: str, events: Iterable[Event]) -> Execution:
        """The execution after these events, which start at seq 1."""
        execution = cls(execution_id=ExecutionId(execution_id))
        for event in events:
            execution.apply(event)
        return execution

    def apply(self, event: Event) -> None:
        """Take the next event of the log into account."""
        self.seq = event.seq
        match event:
            case WorkflowStarted():
                self.workflow_id = event.workflow_id
                self.inputs, self.origin = event.inputs, event.origin
                self.started_us = event.at_us
                self.status = "pending"
            case WorkflowCompleted():
                self.status = event.status
                self.outputs, self.error, self.duration_ms = event.outputs, event.error, event.duration_ms
            case WorkflowResumed():
                self.status = self._going()
            case WorkflowRetrying():
                self._restart(event)
            case NodeEvent():
                pass
            case _:
                self._apply_to_node(event)

    def result(self, total_nodes: int) -> ExecutionResult:
        """The result of a final execution (or what there is of one that still runs)."""
        ended = self.ended
        return ExecutionResult(
            execution_id=self.execution_id,
            workflow_id=self.workflow_id,
            status=self.status,
            outputs=self.outputs,
            node_outputs={
                node_id: view.outputs
                for node_id, view in ended.items()
                if view.status == "completed" and view.outputs is not None
            },
            completed_nodes=tuple(node_id for node_id, view in ended.items() if view.status == "completed"),
            skipped_nodes=tuple(node_id for node_id, view in ended.items() if view.status == "skipped"),
            failed_nodes=tuple(node_id for node_id, view in ended.items() if view.status == "failed"),
            total_nodes=total_nodes,
            error=self.error,
            started_us=self.started_us,
            duration_ms=self.duration_ms if self.duration_ms is not None else 0.0,
        )

    def to_json(self) -> dict[str, Any]:
        """The snapshot as the HTTP API gives it."""
        return {
            "execution_id": self.execution_id,
            "workflow_id": self.workflow_id,
            "status": self.status,
            "seq": self.seq,
            "started_at": timestamp_text(self.started_us),
            "nodes": [view.to_json() for view in self.nodes.values()],
        }

    def _restart(self, event: WorkflowRetrying) -> None:
        # The nodes at and below the path begin anew; attempts go on counting, so their views are kept.
        if event.path == TOP:
            self.run_attempt = event.run_attempt
            self.ended.clear()
        for (path, _), view in self.nodes.items():
            if path[: len(event.path)] == event.path:
                self._move(view, "interrupted")
                view.outputs = view.error = view.why = view.duration_ms = view.ended_us = None

    def _apply_to_node(self, event: _NodeChange) -> None:
        key = (event.path, event.node_id)
        view = self.nodes.get(key)
        if view is None:
            view = NodeView(path=event.path, node_id=event.node_id, status="interrupted")
            self.nodes[key] = view
            if event.path:
                self._contain(event.path)
        self._change(view, event)
        if view.status in _FINAL_NODES:
            view.ended_us = event.at_us
            if event.path == TOP:
                self.ended[event.node_id] = view
        if self.status not in FINAL_STATUSES:
            self.status = self._going()

    def _going(self) -> Status:
        return "waiting" if self.asleep and not self.active else "running"

    def _contain(self, path: Path) -> None:
        """The node that the path ends with has a node inside it."""
        container = self.nodes.get((path[:-1], path[-1][0]))
        if container is not None and not container.is_container:
            container.is_container = True
            self.active -= container.status == "running"

    def _change(self, view: NodeView, event: _NodeChange) -> None:
        view.attempt = event.attempt
        state = getattr(event, "state", None)
        if state is not None:
            view.state = state
        match event:
            case NodeStarted():
                self._move(view, "running")
                view.node_type, view.started_us = event.node_type, event.at_us
                view.error = view.why = None
            case NodeCompleted():
                self._move(view, "completed")
                view.outputs, view.duration_ms = event.outputs, event.duration_ms
            case NodeFailed():
                self._move(view, "failed")
                view.error, view.duration_ms = event.error, event.duration_ms
                if event.then == "route":
                    view.outputs = {"error": event.error}
            case NodeSkipped():
                self._move(view, "skipped")
                view.why = event.why
            case NodeCancelled():
                self._move(view, "cancelled")
                view.why = event.why
            case NodeRetrying():
                self._move(view, "retrying")
                view.error = event.error
            case NodeWaiting():
                self._move(view, "waiting")
                view.why = event.reason
            case NodeWoken():
                self._move(view, "running")
                view.why = None
            case NodeInterrupted():
                self._move(view, "interrupted")

    def _move(self, view: NodeView, status: NodeStatus) -> None:
        if not view.is_container:
            self.active += (status == "running") - (view.status == "running")
        self.asleep += (status in _ASLEEP) - (view.status in _ASLEEP)
        view.status = status


_ASLEEP: Final[frozenset[NodeStatus]] = frozenset({"waiting", "retrying"})


def idempotency_key(execution_id: str, path: Path, node_id: str) -> str:
    """The key that all attempts of a node at a path share: 32 hex digits of SHA-256.

    Container attempts are left out of the path, so a retried loop repeats its children's keys.

    >>> idempotency_key("e1", (("loop", 3, 1),), "send") == idempotency_key("e1", (("loop", 3, 2),), "send")
    True
    """
    steps = [[name, index] for name, index, _ in path]
    text = json.dumps([execution_id, steps, node_id], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
