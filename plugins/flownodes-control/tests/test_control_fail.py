"""control.fail ends the workflow as failed, with a message of its own, and nothing tries it again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcore.events import NodeCancelled, NodeRetrying, NodeStarted, WorkflowRetrying

from tests.control_flows import codes_of, events_of, flow, of, run

RETRY_WORKFLOW = {"on_error": {"RetryWorkflow": {"max_attempts": 3}}}


def fail(message: str = "It must not be.", **config: Any) -> dict[str, Any]:
    return {"node_type": "control.fail", "config": {"message": message, **config}}


async def error_of(document: dict[str, Any], inputs: dict[str, Any] | None = None) -> Any:
    result = await run(document, inputs)
    assert result.status == "failed"
    return result.error


async def test_the_execution_fails_with_that_message_and_code() -> None:
    error = await error_of(flow({"a": "give", "f": fail(code="order.unpaid")}, "a.result -> f.value"))
    assert (error["type"], error["code"], error["message"]) == ("FatalNodeError", "order.unpaid", "It must not be.")
    assert (error["node_id"], error["attempt"], error["details"], error["completed"]) == ("f", 1, {}, ["a"])
    assert "'f'" in error["remedy"]
    assert "traceback" not in error


@pytest.mark.parametrize("config", [{}, {"code": None, "details": None}])
async def test_without_a_code_it_has_one_of_its_own(config: dict[str, Any]) -> None:
    error = await error_of(flow({"f": fail(**config)}))
    assert (error["code"], error["details"]) == ("control.fail", {})


async def test_message_code_and_details_may_hold_expressions() -> None:
    config = {"code": "order.${{ inputs.state }}", "details": "${{ inputs.order }}"}
    document = flow(
        {
            "o": {"node_type": "give", "config": {"value": {"id": 7}}},
            "f": fail("${{ inputs.order.id }} is bad", **config),
        },
        "o.result -> f.order",
    )
    document["nodes"][1]["inputs"] = {"state": "unpaid"}
    error = await error_of(document)
    assert (error["message"], error["code"], error["details"]) == ("7 is bad", "order.unpaid", {"id": 7})


@pytest.mark.parametrize("details", [5, "x", False, [1, {"a": None}]])
async def test_details_that_are_no_object_stand_in_one(details: Any) -> None:
    assert (await error_of(flow({"f": fail(details=details)})))["details"] == {"value": details}


@pytest.mark.parametrize("wire", ["a.result -> f.value", "a.result -> f.anything", "a.done -> f.after"])
async def test_it_can_be_reached_by_any_port(wire: str) -> None:
    assert (await error_of(flow({"a": "give", "f": fail()}, wire)))["node_id"] == "f"


@pytest.mark.parametrize(("value", "status"), [(True, "failed"), (False, "succeeded")])
async def test_it_fails_only_when_something_live_reaches_it(value: bool, status: str) -> None:
    document = flow({"if": "control.if", "f": fail(), "ok": "debug.noop"}, "if.true -> f.value", "if.false -> ok.value")
    result = await run(document, {"value": value})
    assert (result.status, result.failed_nodes) == (status, ("f",) if value else ())


async def test_a_routed_failure_can_be_given_another_name() -> None:
    document = flow(
        {
            "g": "give",
            "broken": {"node_type": "fail", "on_error": "route"},
            "f": fail("Sorry: ${{ inputs.cause.message }}"),
        },
        "g.result -> broken.value",
        "broken.error -> f.cause",
    )
    result = await run(document)
    assert result.error is not None
    assert result.error["message"] == "Sorry: It broke."
    assert result.failed_nodes == ("broken", "f")


async def test_no_retry_policy_tries_it_again() -> None:
    events = await events_of(flow({"f": {**fail(), "retry_policy": {"max_attempts": 5}}}))
    assert len(of(events, NodeStarted)) == 1
    assert of(events, NodeRetrying) == []


async def test_retry_workflow_does_not_answer_it() -> None:
    events = await events_of(flow({"f": fail()}, settings=RETRY_WORKFLOW))
    assert of(events, WorkflowRetrying) == []
    assert events[-1].status == "failed"


async def test_retry_workflow_answers_the_same_failure_of_another_node() -> None:
    events = await events_of(flow({"f": "fail"}, settings=RETRY_WORKFLOW))
    assert len(of(events, WorkflowRetrying)) == 2


async def test_what_runs_beside_it_is_cancelled() -> None:
    events = await events_of(flow({"slow": {"node_type": "nap", "config": {"seconds": 60}}, "f": fail()}))
    assert [event.node_id for event in of(events, NodeCancelled)] == ["slow"]


@pytest.mark.parametrize("by", ["node", "workflow"])
async def test_where_failures_are_continued_this_one_is_too(by: str) -> None:
    nodes = {"f": {**fail(), **({"on_error": "continue"} if by == "node" else {})}, "g": "give"}
    result = await run(flow(nodes, settings={} if by == "node" else {"on_error": "ContinueOnError"}))
    assert (result.status, result.failed_nodes, result.outputs) == ("succeeded", ("f",), {"g": {"result": 1}})


async def test_on_error_stop_makes_it_fail_a_workflow_that_continues_on_errors() -> None:
    document = flow({"f": {**fail(), "on_error": "stop"}}, settings={"on_error": "ContinueOnError"})
    assert (await error_of(document))["node_id"] == "f"


async def test_its_failure_can_be_routed() -> None:
    document = flow({"f": {**fail(code="x.y"), "on_error": "route"}, "n": "debug.noop"}, "f.error -> n.error_object")
    result = await run(document)
    assert result.outputs["n"]["error_object"]["code"] == "x.y"


def test_what_it_cannot_do_is_a_problem_of_the_document() -> None:
    document = flow(
        {"a": {"node_type": "control.fail"}, "b": fail(""), "c": fail(5, code=""), "d": fail(), "n": "debug.noop"},  # type: ignore[arg-type]
        "d.value -> n.x",
    )
    assert codes_of(document) == [
        ("config.schema", "/nodes/0/config"),
        ("config.schema", "/nodes/1/config/message"),
        ("config.schema", "/nodes/2/config/code"),
        ("config.schema", "/nodes/2/config/message"),
        ("port.unknown", "/connections/0/from_port"),
    ]


def test_flow_run_tells_the_message_and_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "failing.json"
    file.write_text(json.dumps(flow({"f": fail("Order ${{ input.id }} is not paid.", code="order.unpaid")})))
    command = [sys.executable, "-m", "flowcli", "run", str(file), "--input", '{"id": 17}']
    environment = {**os.environ, "FLOW_HOME": str(tmp_path), "NO_COLOR": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert ended.returncode == 1
    assert "Order 17 is not paid." in ended.stderr
    assert "order.unpaid" in ended.stderr
    assert "Traceback" not in ended.stderr
