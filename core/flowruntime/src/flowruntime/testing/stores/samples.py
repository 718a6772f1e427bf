"""Executions for the tests of stores: documents, events, owners."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from flowcore.contracts import Change, Owner, Store
from flowcore.documents import parse_workflow
from flowcore.errors import StoreError
from flowcore.events import (
    TOP,
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
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowRetrying,
    WorkflowStarted,
)
from flowcore.executions import FinalStatus
from flowcore.values import freeze

from flowruntime.stores.processes import this_process

__all__ = [
    "EVERY_EVENT",
    "FOUR",
    "ONE",
    "OTHER",
    "THREE",
    "TWO",
    "WORKFLOW",
    "append",
    "carrying",
    "codes",
    "completed",
    "create",
    "elsewhere",
    "first",
    "refusal",
    "started",
]

WORKFLOW: Final = parse_workflow({"name": "kept", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
OTHER: Final = parse_workflow({"name": "other", "nodes": [{"id": "b", "node_type": "debug.noop"}]})
ONE, TWO, THREE, FOUR = (ExecutionId(name) for name in ("one", "two", "three", "four"))
_INSIDE: Final = (("loop", 3, 1), ("sub", None, 2))
_ERROR: Final = {
    "type": "RetryableNodeError",
    "code": "x",
    "message": "é \u2028",
    "path": [["loop", 3, 1]],
    "details": {"n": 1},
}
_VALUE: Final = freeze(
    {
        "integers": [2**63 - 1, -(2**63), 0],
        "floats": [0.1, 1.0, 5e-324, -1e300],
        "text": "é\0\U0001f600",
        "": [None, True],
    }
)
_STATE: Final = {"cursor": 7}

#: One of each type of event, with everything that may stand in it.
EVERY_EVENT: Final[list[Event]] = [
    WorkflowStarted(1, 1_000, "kept", 3, {"x": _VALUE}, {"type": "Node", "node": "t"}, {"debug.noop": 1}),
    WorkflowResumed(2, 1_001, "crash"),
    NodeStarted(3, 1_002, _INSIDE, "a", 1, "debug.noop"),
    NodeEvent(4, 1_003, _INSIDE, "a", 1, "Progress", {"percent": 12.5, "message": "on"}),
    NodeWaiting(5, 1_004, TOP, "a", 1, 2_000_000, "go", None, _STATE),
    NodeWoken(6, 1_005, TOP, "a", 1, "signal", _VALUE),
    NodeRetrying(7, 1_006, TOP, "a", 1, _ERROR, 1.5, 3_000_000, None),
    NodeInterrupted(8, 1_007, TOP, "a", 2),
    NodeCompleted(
        9, 1_008, _INSIDE, "a", 3, {"result": _VALUE, "none": None}, 0.25, {"execution_id": "e", "seq": 4}, _STATE
    ),
    NodeFailed(10, 1_009, TOP, "b", 1, _ERROR, "route", 2.0, None),
    NodeSkipped(11, 1_010, TOP, "c", 0, "nothing live reached it"),
    NodeCancelled(12, 1_011, TOP, "d", 1, "stopped", _STATE),
    WorkflowRetrying(13, 1_012, _INSIDE, 2, _ERROR, 0.0, 4_000_000),
    WorkflowCompleted(14, 1_013, "failed", None, _ERROR, 13.0),
]


def first() -> WorkflowStarted:
    """Event 1."""
    return WorkflowStarted(1, 1_000, "kept", None, {"x": 1}, {"type": "Manual"}, {"debug.noop": 1})


def started(seq: int) -> NodeStarted:
    """An event in the middle."""
    return NodeStarted(seq, 1_000 + seq, TOP, "a", seq, "debug.noop")


def carrying(seq: int, value: Any = None) -> NodeCompleted:
    """An event with this value."""
    return NodeCompleted(seq, 1_000 + seq, TOP, "a", 1, {"result": value}, 0.5, None, None)


def completed(seq: int, status: FinalStatus = "succeeded") -> WorkflowCompleted:
    """The last event."""
    return WorkflowCompleted(seq, 2_000, status, {"a": {}}, None, 1.0)


def create(store: Store, *execution_ids: ExecutionId, **change: Any) -> None:
    """Begin executions with event 1; `change` as in `Change`. Raises what the store refuses."""
    fields: dict[str, Any] = {"workflow": WORKFLOW, **change}
    for execution_id in execution_ids:
        _commit(store, Change(execution_id, [first()], **fields))


def append(store: Store, execution_id: ExecutionId, *events: Event, **change: Any) -> None:
    """Keep the next events; `change` as in `Change`. Raises what the store refuses."""
    _commit(store, Change(execution_id, events, **change))


def refusal(store: Store, execution_id: ExecutionId, *events: Event, **change: Any) -> str | None:
    """The code with which a change is refused; None for one that is kept."""
    return codes(store, Change(execution_id, events, **change))[0]


def codes(store: Store, *changes: Change) -> list[str | None]:
    """The code with which each change is refused; None for those that are kept."""
    return [None if refused is None else refused.code for refused in store.commit(changes)]


def elsewhere(name: str, *, is_given: bool = False) -> Owner:
    """A process of another host, which nobody here can look at: its leases end when they run out."""
    return replace(this_process(name), is_given=is_given, host="elsewhere.example", pid=4_321)


def _commit(store: Store, change: Change) -> None:
    refused: StoreError | None = store.commit([change])[0]
    if refused is not None:
        raise refused
