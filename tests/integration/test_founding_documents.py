"""Runs the data-flow and the parallel example of the founding documents, and checks the order of their events."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flowcore.events import to_wire
from flowruntime import Runtime
from flowruntime.journal import HistoryGap

from tests.http_server import App, serving

BODY = '{"wisdom": "Keep it logically awesome."}'
PARSED = {"wisdom": "Keep it logically awesome."}

DATA_FLOW = {
    "id": "workflow-xyz",
    "name": "HTTP Request → Parse JSON → Log Result",
    "nodes": [
        {"id": "node-1", "node_type": "http.request", "config": {"method": {"type": "String", "value": "GET"}}},
        {"id": "node-2", "node_type": "transform.json_parse"},
        {"id": "node-3", "node_type": "debug.log"},
    ],
    "connections": [
        {"from_node": "node-1", "from_port": "body", "to_node": "node-2", "to_port": "json"},
        {"from_node": "node-2", "from_port": "parsed", "to_node": "node-3", "to_port": "message"},
    ],
    "triggers": [{"id": "by-hand", "trigger_type": {"type": "Manual"}, "enabled": True}],
}

PARALLEL = {
    "name": "Parallel branches",
    "nodes": [
        {"id": "trigger", "node_type": "debug.noop"},
        {"id": "api-1", "node_type": "http.request"},
        {"id": "api-2", "node_type": "http.request"},
        {"id": "merge", "node_type": "control.merge"},
        {"id": "log", "node_type": "debug.log"},
    ],
    "connections": [
        {"from_node": "trigger", "from_port": "url", "to_node": "api-1", "to_port": "url"},
        {"from_node": "trigger", "from_port": "url", "to_node": "api-2", "to_port": "url"},
        {"from_node": "api-1", "from_port": "body", "to_node": "merge", "to_port": "values"},
        {"from_node": "api-2", "from_port": "body", "to_node": "merge", "to_port": "values"},
        {"from_node": "merge", "from_port": "merged", "to_node": "log", "to_port": "message"},
    ],
}


def wise(_environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answers everything with the same JSON."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [BODY.encode()]


def holding_until_both_are_there(patience_seconds: float) -> App:
    """A server that answers neither of two requests before both have arrived, and 500 when one stays alone."""
    barrier = threading.Barrier(2)

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            barrier.wait(patience_seconds)
        except threading.BrokenBarrierError:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"alone"]
        return wise(environ, start_response)

    return answer


async def followed(document: dict[str, Any], inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that a follower of the execution is told, as they go over the wire."""
    async with Runtime() as runtime:
        execution_id = await runtime.submit(document, inputs)
        events = []
        async for event in runtime.follow(execution_id):
            assert not isinstance(event, HistoryGap)
            events.append(to_wire(event, execution_id))
        return events


def printed(document: dict[str, Any], inputs: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The events that `flow run --events` prints."""
    file = folder / "workflow.json"
    file.write_text(json.dumps(document))
    command = [sys.executable, "-m", "flowcli", "run", str(file), "--input", json.dumps(inputs), "--events"]
    environment = {**os.environ, "FLOW_HOME": str(folder)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture(params=["Runtime.follow", "flow run --events"])
async def data_flow(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, list[dict[str, Any]]]:
    """The URL that the data-flow example asked, and its events, through either door."""
    with serving(wise) as server:
        inputs = {"url": f"{server}/zen"}
        if request.param == "Runtime.follow":
            return inputs["url"], await followed(DATA_FLOW, inputs)
        return inputs["url"], printed(DATA_FLOW, inputs, tmp_path)


def kind_and_node(event: dict[str, Any]) -> tuple[str, str | None]:
    return event["type"], event.get("node_id")


async def test_the_data_flow_example_has_exactly_the_events_of_the_founding_document(
    data_flow: tuple[str, list[dict[str, Any]]],
) -> None:
    url, events = data_flow
    assert list(map(kind_and_node, events)) == [
        ("WorkflowStarted", None),
        ("NodeStarted", "node-1"),
        ("NodeEvent", "node-1"),
        ("NodeCompleted", "node-1"),
        ("NodeStarted", "node-2"),
        ("NodeCompleted", "node-2"),
        ("NodeStarted", "node-3"),
        ("NodeEvent", "node-3"),
        ("NodeCompleted", "node-3"),
        ("WorkflowCompleted", None),
    ]
    started, requesting, asking, answered, parsing, parsed, logging, said, logged, completed = events
    assert started["workflow_id"] == "workflow-xyz"
    assert started["inputs"] == {"url": url}
    assert requesting["node_type"] == "http.request"
    assert (asking["event_type"], asking["message"]) == ("Info", f"GET {url}")
    assert (answered["outputs"]["status"], answered["outputs"]["body"]) == (200, BODY)
    assert answered["outputs"]["headers"]["content-type"] == "application/json"
    assert (parsing["node_type"], parsed["outputs"]) == ("transform.json_parse", {"parsed": PARSED})
    assert logging["node_type"] == "debug.log"
    assert (said["event_type"], said["message"]) == ("Info", f'DEBUG: {{"wisdom":"{PARSED["wisdom"]}"}}')
    assert logged["outputs"] == {"message": PARSED}
    assert (completed["success"], completed["status"]) == (True, "succeeded")
    assert completed["outputs"] == {"node-3": {"message": PARSED}}


async def test_the_events_are_numbered_dated_and_timed(data_flow: tuple[str, list[dict[str, Any]]]) -> None:
    _, events = data_flow
    assert [event["seq"] for event in events] == list(range(1, 11))
    assert len({event["execution_id"] for event in events}) == 1
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    ends = [event for event in events if event["type"] in {"NodeCompleted", "WorkflowCompleted"}]
    assert all(event["duration_ms"] >= 0 for event in ends)
    assert ends[-1]["duration_ms"] >= max(event["duration_ms"] for event in ends[:-1])


@pytest.mark.parametrize("door", ["Runtime.follow", "flow run --events"])
async def test_both_requests_are_under_way_before_either_is_answered(door: str, tmp_path: Path) -> None:
    with serving(holding_until_both_are_there(patience_seconds=30)) as server:
        inputs = {"url": server}
        events = await followed(PARALLEL, inputs) if door == "Runtime.follow" else printed(PARALLEL, inputs, tmp_path)
    order = list(map(kind_and_node, events))
    assert order[:3] == [("WorkflowStarted", None), ("NodeStarted", "trigger"), ("NodeCompleted", "trigger")]
    # Which of the two is first is nobody's business, so long as both have begun before one ends.
    apis = ("api-1", "api-2")
    assert set(order[3:7]) == {(kind, node) for kind in ("NodeStarted", "NodeEvent") for node in apis}
    assert set(order[7:9]) == {("NodeCompleted", node) for node in apis}
    assert order[9:] == [
        ("NodeStarted", "merge"),
        ("NodeCompleted", "merge"),
        ("NodeStarted", "log"),
        ("NodeEvent", "log"),
        ("NodeCompleted", "log"),
        ("WorkflowCompleted", None),
    ]
    assert events[10]["outputs"] == {"merged": [BODY, BODY]}
    assert events[-1]["success"] is True


async def test_without_parallelism_the_server_would_have_waited_in_vain() -> None:
    one_by_one = {**PARALLEL, "settings": {"max_parallel_nodes": 1}}
    with serving(holding_until_both_are_there(patience_seconds=0.2)) as server:
        events = await followed(one_by_one, {"url": server})
    assert events[-1]["status"] == "failed"
    assert events[-1]["error"]["code"] == "http.500"
