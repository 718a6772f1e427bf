"""Events: everything that happens in an execution, one gapless sequence with `seq` from 1.

Inside the process an event is a named tuple (0.16 µs to make; a frozen dataclass costs three times that, and two
events a node are the most frequent objects there are). It holds no text timestamp: `at_us` counts microseconds
since the epoch, UTC. The wire form, one flat JSON object, is made at the edge by `to_wire` and read by `from_wire`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, NewType, TypeAlias

from flowcore.values import FrozenDict, Value

__all__ = [
    "EVENT_TYPES",
    "TOP",
    "ErrorObject",
    "Event",
    "ExecutionId",
    "NodeCancelled",
    "NodeCompleted",
    "NodeEvent",
    "NodeEventType",
    "NodeFailed",
    "NodeInterrupted",
    "NodeRetrying",
    "NodeSkipped",
    "NodeStarted",
    "NodeWaiting",
    "NodeWoken",
    "Path",
    "Then",
    "WorkflowCompleted",
    "WorkflowResumed",
    "WorkflowRetrying",
    "WorkflowStarted",
    "from_wire",
    "timestamp_text",
    "timestamp_us",
    "to_wire",
]

ExecutionId = NewType("ExecutionId", str)

#: Where in nested loops and subflows a node is: (container's node id, item index or None, container attempt) each.
Path: TypeAlias = tuple[tuple[str, int | None, int], ...]
#: The path of the workflow's own nodes.
TOP: Final[Path] = ()

Then: TypeAlias = Literal["stop", "continue", "route"]
NodeEventType: TypeAlias = Literal["Info", "Warning", "Progress", "StdoutLine", "StderrLine"]

#: An error object: `{type, code, message, node_id, path, attempt, details}` and more.
ErrorObject: TypeAlias = dict[str, Any]


class WorkflowStarted(NamedTuple):
    """Event 1: the execution exists. `types` are the node types used with their versions."""

    seq: int
    at_us: int
    workflow_id: str
    workflow_version: int | None
    inputs: dict[str, Value]
    origin: dict[str, Any]
    types: dict[str, int]


class WorkflowResumed(NamedTuple):
    """A process took the execution over after an interruption."""

    seq: int
    at_us: int
    reason: str


class WorkflowRetrying(NamedTuple):
    """All nodes start again at `retry_at_us`; `path` is a child's, empty at the top."""

    seq: int
    at_us: int
    path: Path
    run_attempt: int
    error: ErrorObject
    delay_ms: float
    retry_at_us: int


class WorkflowCompleted(NamedTuple):
    """The last event of every execution."""

    seq: int
    at_us: int
    status: Literal["succeeded", "failed", "cancelled"]
    outputs: Value
    error: ErrorObject | None
    duration_ms: float

    @property
    def success(self) -> bool:
        """Whether the run reached its end."""
        return self.status == "succeeded"


class NodeStarted(NamedTuple):
    """An attempt began."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    node_type: str


class NodeWaiting(NamedTuple):
    """The attempt ended in waiting for a time, a signal or an answer, and holds nothing meanwhile."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    until_us: int | None
    signal: str | None
    reason: str | None
    state: dict[str, Value] | None


class NodeWoken(NamedTuple):
    """What a node waited for is there."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    reason: Literal["due", "signal", "answer"]
    value: Value


class NodeEvent(NamedTuple):
    """Something the node says while it runs.

    `content` is {message} for Info and Warning, {percent, message} for Progress, {line} for StdoutLine and StderrLine.
    """

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    event_type: NodeEventType
    content: dict[str, Any]


class NodeRetrying(NamedTuple):
    """The attempt failed; the next one starts at `retry_at_us`."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    error: ErrorObject
    delay_ms: float
    retry_at_us: int
    state: dict[str, Value] | None


class NodeInterrupted(NamedTuple):
    """The attempt was running when its process went away."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int


class NodeCompleted(NamedTuple):
    """The node gave its outputs, `{port: value}`; `cached` names the event they were taken from."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    outputs: dict[str, Value]
    duration_ms: float
    cached: dict[str, Any] | None
    state: dict[str, Value] | None


class NodeFailed(NamedTuple):
    """The last attempt failed; `then` says what follows."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    error: ErrorObject
    then: Then
    duration_ms: float
    state: dict[str, Value] | None


class NodeSkipped(NamedTuple):
    """The node does not run: nothing live reached it, it is disabled, or a trigger that did not fire."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    why: str


class NodeCancelled(NamedTuple):
    """The node was running or waiting when the workflow stopped."""

    seq: int
    at_us: int
    path: Path
    node_id: str
    attempt: int
    why: str
    state: dict[str, Value] | None


Event: TypeAlias = (
    WorkflowStarted
    | WorkflowResumed
    | WorkflowRetrying
    | WorkflowCompleted
    | NodeStarted
    | NodeWaiting
    | NodeWoken
    | NodeEvent
    | NodeRetrying
    | NodeInterrupted
    | NodeCompleted
    | NodeFailed
    | NodeSkipped
    | NodeCancelled
)

EVENT_TYPES: Final = FrozenDict(
    {
        kind.__name__: kind
        for kind in (
            WorkflowStarted,
            WorkflowResumed,
            WorkflowRetrying,
            WorkflowCompleted,
            NodeStarted,
            NodeWaiting,
            NodeWoken,
            NodeEvent,
            NodeRetrying,
            NodeInterrupted,
            NodeCompleted,
            NodeFailed,
            NodeSkipped,
            NodeCancelled,
        )
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)  # its text has no offset to be cut off
#: Stored with the event, not sent.
_NOT_SENT = frozenset({"state"})
_TIMES = {"retry_at_us": "retry_at", "until_us": "until"}


def timestamp_text(at_us: int) -> str:
    """Microseconds since the epoch as RFC 3339 text in UTC.

    >>> timestamp_text(1_700_000_000_000_001)
    '2023-11-14T22:13:20.000001Z'
    """
    return (_NAIVE_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds") + "Z"


def timestamp_us(text: str) -> int:
    """The inverse of `timestamp_text`; takes any RFC 3339 text with an offset."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def to_wire(event: Event, execution_id: str, *, stored: bool = False) -> dict[str, Any]:
    """The event as one flat JSON object; `stored` adds what is kept with it but not sent."""
    values = event._asdict()
    wire: dict[str, Any] = {
        "type": type(event).__name__,
        "execution_id": execution_id,
        "seq": values.pop("seq"),
        "timestamp": timestamp_text(values.pop("at_us")),
    }
    for name, value in values.items():
        if name in _TIMES:
            wire[_TIMES[name]] = None if value is None else timestamp_text(value)
        elif name == "path":
            wire["path"] = [list(step) for step in value]
        elif name == "content":
            wire.update(value)
        elif name not in _NOT_SENT or (stored and value is not None):
            wire[name] = value
    if isinstance(event, WorkflowCompleted):
        wire["success"] = event.success
    return wire


def from_wire(wire: dict[str, Any]) -> Event:
    """The event that `to_wire` made this object from. Raises KeyError for an unknown type or a missing field."""
    kind = EVENT_TYPES[wire["type"]]
    values: list[Any] = []
    for name in kind._fields:
        if name == "at_us":
            values.append(timestamp_us(wire["timestamp"]))
        elif name in _TIMES:
            text = wire[_TIMES[name]]
            values.append(None if text is None else timestamp_us(text))
        elif name == "path":
            values.append(tuple((step[0], step[1], step[2]) for step in wire["path"]))
        elif name == "content":
            values.append({key: wire[key] for key in ("message", "percent", "line") if key in wire})
        elif name in _NOT_SENT:
            values.append(wire.get(name))
        else:
            values.append(wire[name])
    return kind(*values)  # type: ignore[no-any-return]
