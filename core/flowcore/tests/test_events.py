"""Events: the wire form is flat JSON, and what is stored comes back the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flowcore.events import (
    EVENT_TYPES,
    TOP,
    Event,
    NodeCompleted,
    NodeEvent,
    NodeRetrying,
    NodeStarted,
    NodeWaiting,
    WorkflowCompleted,
    WorkflowStarted,
    from_wire,
    timestamp_text,
    timestamp_us,
    to_wire,
)
from flowcore.values import resolve_blobs, write_json
from hypothesis import given
from hypothesis import strategies as st

from core.flowcore.tests.workflow_strategies import KEYS, OBJECTS, VALUES

TIMES = st.integers(0, 253_402_300_799_999_999)  # to the end of the year 9999
TEXTS = st.text(max_size=8)
NUMBERS = st.integers(1, 99)
DURATIONS = st.floats(0, 10**9)
PATHS = st.lists(st.tuples(TEXTS, st.none() | st.integers(0, 99), NUMBERS), max_size=2).map(tuple)
OUTPUTS = st.dictionaries(KEYS, VALUES, max_size=2)
CONTENTS = st.one_of(
    st.fixed_dictionaries({"message": TEXTS}),
    st.fixed_dictionaries({"percent": st.floats(0, 100), "message": st.none() | TEXTS}),
    st.fixed_dictionaries({"line": TEXTS}),
)
#: What each field of an event may hold, by its name.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "seq": NUMBERS,
    "at_us": TIMES,
    "workflow_id": TEXTS,
    "workflow_version": st.none() | NUMBERS,
    "inputs": OUTPUTS,
    "origin": OBJECTS,
    "types": st.dictionaries(TEXTS, NUMBERS, max_size=2),
    "reason": TEXTS,
    "path": PATHS,
    "run_attempt": NUMBERS,
    "error": OBJECTS,
    "delay_ms": DURATIONS,
    "retry_at_us": TIMES,
    "status": st.sampled_from(["succeeded", "failed", "cancelled"]),
    "outputs": OUTPUTS,
    "duration_ms": DURATIONS,
    "node_id": TEXTS,
    "attempt": NUMBERS,
    "node_type": TEXTS,
    "until_us": st.none() | TIMES,
    "signal": st.none() | TEXTS,
    "state": st.none() | OUTPUTS,
    "value": VALUES,
    "event_type": st.sampled_from(["Info", "Warning", "Progress", "StdoutLine", "StderrLine"]),
    "content": CONTENTS,
    "cached": st.none() | st.fixed_dictionaries({"execution_id": TEXTS, "seq": NUMBERS}),
    "then": st.sampled_from(["stop", "continue", "route"]),
    "why": TEXTS,
}


def events_of(kind: type[Any]) -> st.SearchStrategy[Event]:
    return st.tuples(*(FIELDS[name] for name in kind._fields)).map(lambda values: kind(*values))


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=list(EVENT_TYPES))
@given(data=st.data())
def test_a_stored_event_comes_back_the_same_through_text(kind: type[Any], data: st.DataObject) -> None:
    event = data.draw(events_of(kind))
    wire = to_wire(event, "e1", stored=True)
    assert wire["type"] == kind.__name__
    assert wire["execution_id"] == "e1"
    assert from_wire(wire) == event
    read = from_wire(resolve_blobs(json.loads(write_json(wire))))
    assert read == event
    assert type(read) is kind


def test_every_event_of_the_contract_is_known() -> None:
    assert list(EVENT_TYPES) == [
        *("WorkflowStarted", "WorkflowResumed", "WorkflowRetrying", "WorkflowCompleted"),
        *("NodeStarted", "NodeWaiting", "NodeWoken", "NodeEvent", "NodeRetrying", "NodeInterrupted"),
        *("NodeCompleted", "NodeFailed", "NodeSkipped", "NodeCancelled"),
    ]


def test_node_events_are_flat_with_path_node_and_attempt() -> None:
    event = NodeStarted(2, 1_700_000_000_000_000, (("loop", 3, 1),), "send", 1, "http.request")
    assert to_wire(event, "e1") == {
        "type": "NodeStarted",
        "execution_id": "e1",
        "seq": 2,
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "path": [["loop", 3, 1]],
        "node_id": "send",
        "attempt": 1,
        "node_type": "http.request",
    }


def test_the_content_of_a_node_event_stands_beside_its_type() -> None:
    event = NodeEvent(3, 0, TOP, "a", 1, "Progress", {"percent": 50, "message": "half"})
    wire = to_wire(event, "e1")
    assert (wire["event_type"], wire["percent"], wire["message"]) == ("Progress", 50, "half")
    assert "content" not in wire


@pytest.mark.parametrize(("status", "success"), [("succeeded", True), ("failed", False), ("cancelled", False)])
def test_the_last_event_says_whether_the_run_succeeded(status: Any, *, success: bool) -> None:
    event = WorkflowCompleted(9, 0, status, {}, None, 1.5)
    assert to_wire(event, "e1")["success"] is success


def test_state_is_stored_and_never_sent() -> None:
    event = NodeCompleted(3, 0, TOP, "a", 1, {}, 1.0, None, {"cursor": 5})
    assert "state" not in to_wire(event, "e1")
    assert to_wire(event, "e1", stored=True)["state"] == {"cursor": 5}
    assert from_wire(to_wire(event, "e1")) == event._replace(state=None)


def test_times_are_sent_as_text_under_names_without_unit() -> None:
    retrying = to_wire(NodeRetrying(1, 0, TOP, "a", 1, {}, 1000.0, 1_000_000, None), "e1")
    assert retrying["retry_at"] == "1970-01-01T00:00:01.000000Z"
    waiting = to_wire(NodeWaiting(1, 0, TOP, "a", 1, None, "go", None, None), "e1")
    assert waiting["until"] is None
    assert not any(name.endswith("_us") for name in {**retrying, **waiting})


@given(TIMES)
def test_timestamps_are_exact_to_the_microsecond(at_us: int) -> None:
    assert timestamp_us(timestamp_text(at_us)) == at_us


def test_timestamps_with_other_offsets_are_read() -> None:
    assert timestamp_us("1970-01-01T01:00:00+01:00") == 0


@pytest.mark.parametrize("wire", [{"type": "NodeExploded"}, {"type": "NodeStarted", "seq": 1}, {}], ids=str)
def test_an_unknown_type_or_a_missing_field_is_a_key_error(wire: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        from_wire(wire)


def test_events_hold_their_values_by_reference() -> None:
    inputs = {"a": [1]}
    event = WorkflowStarted(1, 0, "w", None, inputs, {}, {})
    assert to_wire(event, "e1")["inputs"] is inputs
