"""control.subflow runs another workflow as one node: with its inputs, its outputs and its failures."""

from typing import Any

import pytest
from flowcore.events import NodeRetrying, NodeStarted, WorkflowRetrying
from flowcore.executions import ExecutionResult
from flowruntime.testing import ManualClock

from tests.control_flows import codes_of, events_of, flow, of, problems_of, run, runtime_on

ADDED = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 10}},
    "required": ["x"],
}
#: Adds two numbers.
ADD = flow({"a": "add"}, inputs=ADDED, outputs={"sum": "${{ nodes.a.result }}", "of": "${{ [input.x, input.y] }}"})


def subflow(workflow: Any, **inputs: Any) -> dict[str, Any]:
    return {"node_type": "control.subflow", "config": {"workflow": workflow}, "inputs": inputs}


async def test_the_outputs_that_it_declares_are_ports_and_its_inputs_have_their_defaults() -> None:
    document = flow({"s": subflow(ADD, x=1), "n": "debug.noop"}, "s.sum -> n.sum")
    result = await run(document)
    assert result.outputs == {"n": {"sum": 11}}
    assert result.node_outputs["s"] == {"sum": 11, "of": [1, 10]}


async def test_without_declared_outputs_all_is_at_one_port() -> None:
    document = flow({"s": subflow(flow({"a": "add", "b": "give"}), x=2)})
    assert (await run(document)).outputs == {"s": {"output": {"a": {"result": 12}, "b": {"result": 1}}}}


async def test_its_nodes_are_in_the_same_log_with_a_path() -> None:
    events = await events_of(flow({"s": subflow(ADD, x=1)}))
    assert [(event.node_id, event.path) for event in of(events, NodeStarted)] == [("s", ()), ("a", (("s", None, 1),))]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_inputs_along_connections_and_of_the_execution_reach_it() -> None:
    document = flow({"g": "give", "s": subflow(ADD)}, "g.result -> s.x")
    assert (await run(document)).outputs["s"]["sum"] == 11
    assert (await run(flow({"s": subflow(ADD)}), {"x": 5, "y": 6})).outputs["s"]["sum"] == 11


async def test_inputs_that_do_not_fit_fail_the_node() -> None:
    error = (await run(flow({"s": subflow(ADD)}), {"x": "one"})).error
    assert error is not None
    assert (error["node_id"], error["code"], error["retryable"]) == ("s", "input.schema", False)
    assert "of port 'x'" in error["message"]


def test_ports_that_it_does_not_have_are_problems_of_the_document() -> None:
    document = flow({"g": "give", "s": subflow(ADD), "n": "debug.noop"}, "g.result -> s.z", "s.summ -> n.x")
    found = problems_of(document)
    assert ("port.required", "/nodes/1") in [(problem.code, problem.pointer) for problem in found]
    unknown = [(problem.pointer, problem.remedy) for problem in found if problem.code == "port.unknown"]
    assert [pointer for pointer, _ in unknown] == ["/connections/0/to_port", "/connections/1/from_port"]
    assert "Did you mean 'sum'?" in unknown[1][1]


async def test_a_failure_inside_fails_the_node_with_its_code_and_names_the_node_inside() -> None:
    inner = flow({"g": "give", "f": {"node_type": "fail", "config": {"how": "fatal"}}}, "g.result -> f.value")
    error = (await run(flow({"s": subflow(inner)}))).error
    assert error is not None
    assert (error["code"], error["node_id"], error["retryable"]) == ("test.fatal", "s", False)
    assert error["message"] == "The workflow 'test' failed at node 'f': It is fatal."
    assert error["details"]["node_id"] == "f"
    assert error["details"]["error"]["path"] == [["s", None, 1]]
    assert error["details"]["error"]["details"] == {"n": 1}


async def test_its_failure_can_be_routed_as_that_of_any_node() -> None:
    node = {**subflow(flow({"f": "fail"})), "on_error": "route"}
    result = await run(flow({"s": node, "n": "debug.noop"}, "s.error -> n.why"))
    assert (result.status, result.failed_nodes) == ("succeeded", ("s",))
    assert result.outputs["n"]["why"]["details"]["node_id"] == "f"


async def test_what_it_is_retried_for_starts_it_from_nothing_after_its_own_retries() -> None:
    inner = flow(
        {"g": "give", "f": {"node_type": "fail", "config": {"times": 3}}},
        "g.result -> f.value",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 2}}},
    )
    node = {**subflow(inner), "retry_policy": {"max_attempts": 3}}
    events = await events_of(flow({"s": node}))
    # `fail` counts its attempts at its path, and each attempt of the subflow has a path of its own.
    assert [(event.path, event.run_attempt) for event in of(events, WorkflowRetrying)] == [
        ((("s", None, attempt),), 2) for attempt in (1, 2, 3)
    ]
    assert [event.node_id for event in of(events, NodeRetrying)] == ["s", "s"]
    assert [(event.path[0][2], event.attempt) for event in of(events, NodeStarted) if event.node_id == "g"] == [
        (container, attempt) for container in (1, 2, 3) for attempt in (1, 2)
    ]
    assert events[-1].status == "failed"


async def test_subflows_nest() -> None:
    inner = ADD
    for _ in range(10):
        inner = flow({"s": subflow(inner, x="${{ input.x }}")}, inputs=ADDED, outputs={"sum": "${{ nodes.s.sum }}"})
    assert (await run(flow({"s": subflow(inner, x=3)}))).outputs == {"s": {"sum": 13}}


async def run_with(library: list[dict[str, Any]], document: dict[str, Any], inputs: dict[str, Any]) -> ExecutionResult:
    async with runtime_on(ManualClock(autojump=True)) as runtime:
        runtime.workflows.add_all(library)
        return await runtime.run(document, inputs)


async def test_a_workflow_of_the_library_is_run_by_its_name() -> None:
    document = flow({"s": subflow("adder", x=1), "n": "debug.noop"}, "s.sum -> n.sum")
    assert (await run_with([{**ADD, "id": "adder"}], document, {})).outputs == {"n": {"sum": 11}}
    body = {"node_type": "control.loop", "config": {"body": "give"}, "inputs": {"items": [1, 2]}}
    result = await run_with([{**flow({"g": "give"}), "id": "give"}], flow({"l": body}), {})
    assert result.outputs["l"]["results"] == [{"g": {"result": 1}}] * 2


#: Runs itself with one element less, until none is left.
COUNTDOWN = {
    **flow(
        {
            "if": {"node_type": "control.if", "inputs": {"value": "${{ input.left }}"}},
            "again": {"node_type": "control.subflow", "config": {"workflow": "countdown"}},
            "rest": {"node_type": "transform.jmespath", "config": {"expression": "[1:]"}},
        },
        "if.true -> rest.data",
        "rest.result -> again.left",
        outputs={"left": "${{ length(input.left) }}"},
    ),
    "id": "countdown",
}


@pytest.mark.parametrize("count", [0, 1, 15])
async def test_a_workflow_may_run_itself_until_its_data_end(count: int) -> None:
    result = await run_with([COUNTDOWN], flow({"s": subflow("countdown", left=[0] * count)}), {})
    assert (result.status, result.outputs["s"]["left"]) == ("succeeded", count)


async def test_recursion_that_goes_too_deep_fails_with_the_limit_at_the_deepest_node() -> None:
    result = await run_with([COUNTDOWN], flow({"s": subflow("countdown", left=[0] * 16)}), {})
    error = result.error
    assert error is not None
    assert (error["code"], error["retryable"]) == ("execution.depth", False)
    assert error["message"].endswith("Loops and subflows are nested more than 16 deep.")
    depth = 0
    while "error" in error["details"]:
        error, depth = error["details"]["error"], depth + 1
    assert (depth, error["node_id"]) == (16, "again")


async def test_a_workflow_that_runs_itself_without_an_end_fails_with_the_limit() -> None:
    forever = {**flow({"s": subflow("forever")}), "id": "forever"}
    error = (await run_with([forever], forever, {})).error
    assert error is not None
    assert error["code"] == "execution.depth"


async def test_a_loop_in_a_subflow_in_a_loop_gives_results_of_results() -> None:
    one_more = flow(
        {"a": {"node_type": "add", "inputs": {"x": "${{ input.item }}", "y": 1}}},
        outputs={"sum": "${{ nodes.a.result }}"},
    )
    each = flow(
        {"l": {"node_type": "control.loop", "config": {"body": one_more}, "inputs": {"items": "${{ input.numbers }}"}}},
        outputs={"sums": "${{ nodes.l.results[*].sum }}"},
    )
    inner = flow({"s": subflow(each, numbers="${{ input.item }}")}, outputs={"sums": "${{ nodes.s.sums }}"})
    outer = {
        "node_type": "control.loop",
        "config": {"body": inner, "concurrency": 2},
        "inputs": {"items": [[1, 2], []]},
    }
    assert (await run(flow({"o": outer}))).outputs["o"]["results"] == [{"sums": [2, 3]}, {"sums": []}]


@pytest.mark.parametrize("given", [5, [], None])
def test_what_is_no_workflow_is_a_problem_of_the_document(given: Any) -> None:
    assert ("config.schema", "/nodes/0/config/workflow") in codes_of(flow({"s": subflow(given)}))


def test_a_workflow_that_is_missing_is_a_problem_of_the_document() -> None:
    assert codes_of(flow({"s": subflow("nowhere")})) == [("workflow.unknown", "/nodes/0/config/workflow")]
    assert codes_of(flow({"s": {"node_type": "control.subflow"}})) == [("config.schema", "/nodes/0/config")]
