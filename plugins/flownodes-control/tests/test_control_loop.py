"""control.loop runs its body for each item, and the order, the failures and the limits are those it promises."""

from typing import Any

import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeFailed, NodeRetrying, NodeStarted

from tests.control_flows import codes_of, events_of, flow, of, problems_of, run


def loop(body: dict[str, Any], items: Any = None, **config: Any) -> dict[str, Any]:
    given = {} if items is None else {"inputs": {"items": items}}
    return {"node_type": "control.loop", "config": {"body": body, **config}, **given}


def body(nodes: dict[str, Any], *wires: str, result: Any = None, **more: Any) -> dict[str, Any]:
    """A body whose outputs are `{"r": result}`; without a result those of its last nodes."""
    return flow(nodes, *wires, **({} if result is None else {"outputs": {"r": result}}), **more)


def nap(seconds: Any, **more: Any) -> dict[str, Any]:
    return {"node_type": "nap", "config": {"seconds": seconds}, **more}


#: Naps as long as the item says, and gives the item.
NAPS = body({"n": nap("${{ input.item }}", inputs={"value": "${{ input.item }}"})}, result="${{ nodes.n.result }}")
#: Fails for an item that says so, else gives the item.
FAILS = body(
    {"if": {"node_type": "control.if", "inputs": {"value": "${{ input.item.fails }}"}}, "f": "fail", "n": "debug.noop"},
    "if.true -> f.value",
    "if.false -> n.x",
    result="${{ input.item.id }}",
)


def items(count: int, *failed: int) -> list[dict[str, Any]]:
    return [{"id": index, "fails": index in failed} for index in range(count)]


async def outputs_of(node: dict[str, Any], inputs: dict[str, Any] | None = None, **more: Any) -> Any:
    result = await run(flow({"l": node}, **more), inputs)
    assert result.status == "succeeded", result.error
    return result.outputs["l"]


def numbers(node_id: str, events: list[Any], kind: type) -> list[int]:
    """The indexes of the iterations in which a node of the body had such an event."""
    return [event.path[-1][1] for event in of(events, kind) if event.node_id == node_id]


# --- order and choice ------------------------------------------------------------------------------------


async def test_results_are_in_the_order_of_the_items_and_items_run_one_after_the_other() -> None:
    events = await events_of(flow({"l": loop(NAPS, [3, 1, 2])}))
    assert events[-1].outputs == {"l": {"results": [{"r": 3}, {"r": 1}, {"r": 2}], "errors": []}}
    assert (events[-1].duration_ms, numbers("n", events, NodeCompleted)) == (6000, [0, 1, 2])
    assert [event.path for event in of(events, NodeStarted) if event.node_id == "n"] == [
        (("l", index, 1),) for index in range(3)
    ]


async def test_with_concurrency_they_run_at_the_same_time_and_results_keep_their_order() -> None:
    events = await events_of(flow({"l": loop(NAPS, [5, 1, 2, 9, 1], concurrency=2)}))
    assert events[-1].outputs["l"]["results"] == [{"r": seconds} for seconds in (5, 1, 2, 9, 1)]
    assert numbers("n", events, NodeCompleted) == [1, 2, 0, 4, 3]
    assert events[-1].duration_ms == 12_000  # 1, 2 and 9 beside 5 and 1


async def test_items_and_others_may_come_along_connections() -> None:
    document = flow(
        {
            "items": {"node_type": "give", "config": {"value": ["a", "b"]}},
            "more": {"node_type": "give", "config": {"value": "!"}},
            "l": loop(body({"n": "debug.noop"}, result="${{ input.item }}${{ input.mark }}")),
        },
        "items.result -> l.items",
        "more.result -> l.mark",
    )
    assert (await run(document)).outputs["l"]["results"] == [{"r": "a!"}, {"r": "b!"}]


async def test_without_declared_outputs_a_result_is_what_the_last_nodes_gave() -> None:
    node = loop(flow({"n": {"node_type": "give", "config": {"value": "${{ input.item }}"}}}), [1])
    assert (await outputs_of(node))["results"] == [{"n": {"result": 1}}]


async def test_the_body_sees_the_vars_of_the_document_around_it() -> None:
    node = loop(body({"n": "debug.noop"}, result="${{ vars.rate }}${{ input.item }}"), [1, 2])
    assert (await outputs_of(node, vars={"rate": "x"}))["results"] == [{"r": "x1"}, {"r": "x2"}]


async def test_the_four_modes_end_when_they_should() -> None:
    last = body({"n": "debug.noop"}, result="${{ [input.index, input.total, input.item, input.last.r[0]] }}")
    times = await outputs_of(loop(last, mode="times", times=3))
    assert times["results"] == [{"r": [0, 3, None, None]}, {"r": [1, 3, None, 0]}, {"r": [2, 3, None, 1]}]
    asked = await outputs_of(loop(last, mode="while", **{"while": "input.index < inputs.most"}), {"most": 2})
    assert asked["results"] == [{"r": [0, None, None, None]}, {"r": [1, None, None, 0]}]
    ended = await outputs_of(loop(last, mode="until", until="input.last.r[0] >= vars.most"), vars={"most": 1})
    assert ended["results"] == asked["results"]


@pytest.mark.parametrize("count", [0, 2, 2.0])
async def test_times_may_come_from_an_expression(count: int) -> None:
    node = loop(body({"n": "debug.noop"}, result="x"), mode="times", times="${{ input.count }}")
    assert (await outputs_of(node, {"count": count}))["results"] == [{"r": "x"}] * int(count)


async def test_break_cancels_later_items_and_lets_earlier_ones_finish() -> None:
    node = loop(NAPS, [9, 2, 5, 7, 1], concurrency=3, break_when="input.item == `2`")
    events = await events_of(flow({"l": node}))
    assert events[-1].outputs == {"l": {"results": [{"r": 9}, {"r": 2}], "errors": []}}
    assert numbers("n", events, NodeStarted) == [0, 1, 2]
    assert numbers("n", events, NodeCancelled) == [2]
    assert (events[-1].status, events[-1].duration_ms) == ("succeeded", 9000)


async def test_a_merge_in_the_body_waits_for_the_branches_of_its_own_iteration() -> None:
    inner = body(
        {
            "quick": nap(1, inputs={"value": "${{ input.item }}a"}),
            "slow": nap("${{ input.item }}", inputs={"value": "${{ input.item }}b"}),
            "m": "control.merge",
        },
        "quick.result -> m.values",
        "slow.result -> m.values",
        result="${{ nodes.m.merged }}",
    )
    results = (await outputs_of(loop(inner, [5, 3, 4], concurrency=3)))["results"]
    assert results == [{"r": ["5a", "5b"]}, {"r": ["3a", "3b"]}, {"r": ["4a", "4b"]}]


async def test_loops_nest_and_an_inner_one_takes_what_the_outer_one_hands_it() -> None:
    inner = loop(
        body({"n": "debug.noop"}, result="${{ input.row }}${{ input.item }} ${{ input.index }}/${{ input.total }}"),
        items="${{ input.item.columns }}",
    )
    inner["inputs"]["row"] = "${{ input.item.row }}"
    rows = [{"row": "a", "columns": [1, 2]}, {"row": "b", "columns": []}, {"row": "c", "columns": [3]}]
    outer = loop(body({"inner": inner}, result="${{ nodes.inner.results[*].r }}"), rows, concurrency=3)
    assert (await outputs_of(outer))["results"] == [{"r": ["a1 0/2", "a2 1/2"]}, {"r": []}, {"r": ["c3 0/1"]}]


# --- failures --------------------------------------------------------------------------------------------


async def test_stop_fails_the_loop_with_the_item_and_cancels_the_others() -> None:
    slow_or_broken = body(
        {"if": {"node_type": "control.if", "inputs": {"value": "${{ input.item }}"}}, "f": "fail", "n": nap(60)},
        "if.true -> f.value",
        "if.false -> n.value",
    )
    events = await events_of(flow({"l": loop(slow_or_broken, [False, False, True, False], concurrency=3)}))
    error = events[-1].error
    assert (error["node_id"], error["code"], error["details"]["index"]) == ("l", "loop.item_failed", 2)
    assert error["message"] == "Item 2 failed at node 'f': It broke."
    assert error["details"]["error"]["path"] == [["l", 2, 1]]
    assert numbers("n", events, NodeCancelled) == [0, 1]
    assert (events[-1].status, events[-1].duration_ms) == ("failed", 0)


async def test_collect_gathers_the_errors_and_goes_on() -> None:
    outputs = await outputs_of(loop(FAILS, items(4, 1, 3), on_item_error="collect", concurrency=2))
    assert outputs["results"] == [{"r": 0}, None, {"r": 2}, None]
    assert [(one["index"], one["error"]["message"], one["error"]["path"]) for one in outputs["errors"]] == [
        (1, "It broke.", [["l", 1, 1]]),
        (3, "It broke.", [["l", 3, 1]]),
    ]


async def test_a_failure_that_the_body_routes_or_continues_is_no_failure_of_the_item() -> None:
    routed = body(
        {"f": {"node_type": "fail", "on_error": "route"}, "n": "debug.noop"},
        "f.error -> n.why",
        result="${{ nodes.n.why.message }}",
    )
    continued = flow({"f": "fail", "n": "debug.noop"}, settings={"on_error": "ContinueOnError"})
    assert await outputs_of(loop(routed, [1])) == {"results": [{"r": "It broke."}], "errors": []}
    assert await outputs_of(loop(continued, [{}], on_item_error="collect")) == {
        "results": [{"n": {"item": {}, "index": 0, "total": 1, "last": None}}],
        "errors": [],
    }


async def test_item_inputs_that_the_body_does_not_accept_fail_the_item() -> None:
    declared = {"type": "object", "properties": {"item": {"type": "integer"}}}
    node = loop(body({"n": "give"}, result="${{ input.item }}", inputs=declared), [1, "b", 3])
    outputs = await outputs_of({**node, "config": {**node["config"], "on_item_error": "collect"}})
    assert outputs["results"] == [{"r": 1}, None, {"r": 3}]
    assert (outputs["errors"][0]["index"], outputs["errors"][0]["error"]["code"]) == (1, "inputs.schema")


async def test_a_body_that_starts_again_does_so_before_the_item_fails() -> None:
    again = body(
        {"f": {"node_type": "fail", "config": {"times": 2}, "inputs": {"value": "${{ input.item }}"}}},
        result="${{ nodes.f.result }}",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}},
    )
    assert (await outputs_of(loop(again, ["a", "b"])))["results"] == [{"r": "a"}, {"r": "b"}]
    again["settings"]["on_error"]["RetryWorkflow"]["max_attempts"] = 2
    outputs = await outputs_of(loop(again, ["a", "b"], on_item_error="collect"))
    assert [one["index"] for one in outputs["errors"]] == [0, 1]


async def test_a_loop_is_retried_only_when_the_failure_of_the_item_may_pass() -> None:
    for how, attempts in (("error", 3), ("fatal", 1)):
        node = loop(body({"f": {"node_type": "fail", "config": {"how": how}}}), [1])
        events = await events_of(flow({"l": {**node, "retry_policy": {"max_attempts": 3}}}))
        assert [event.attempt for event in of(events, NodeFailed) if event.node_id == "l"] == [attempts]
        assert len([event for event in of(events, NodeRetrying) if event.node_id == "l"]) == attempts - 1


# --- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "inputs", "code", "words"),
    [
        ({}, {"items": "abc"}, "loop.no_array", "'items' is a string; it must be an array."),
        ({}, {"items": None}, "loop.no_array", "'items' is null"),
        ({}, {"other": 1}, "loop.no_items", "'items' has no value"),
        ({"mode": "times", "times": "${{ input.n }}"}, {"n": "3"}, "config.schema", "times"),
        ({"mode": "times", "times": "${{ input.n }}"}, {"n": -1}, "config.schema", "times"),
        ({"mode": "times", "times": "${{ input.n }}"}, {"n": 10_001}, "loop.too_many", "(max_iterations) is 10000"),
        ({"mode": "${{ input.n }}"}, {"n": "times"}, "config.schema", "times"),
        ({"mode": "while", "while": "`true`", "max_iterations": 7}, {}, "loop.too_many", "'while' lets the loop"),
        (
            {"mode": "until", "until": "`false`", "max_iterations": 7},
            {},
            "loop.too_many",
            "'until' lets the loop",
        ),
        (
            {"break_when": "length(input.item) == `1`"},
            {"items": [[], 5]},
            "expression.failed",
            "'break_when'",
        ),
        ({"mode": "while", "while": "length(input.index) > `1`"}, {}, "expression.failed", "'while' could not be"),
    ],
)
async def test_what_only_shows_at_run_time_fails_the_node_and_is_not_tried_again(
    config: dict[str, Any], inputs: dict[str, Any], code: str, words: str
) -> None:
    node = {**loop(body({"n": "debug.noop"}, result="x"), **config), "retry_policy": {"max_attempts": 3}}
    events = await events_of(flow({"l": node}), inputs)
    error = events[-1].error
    assert (error["code"], error["node_id"], error["retryable"]) == (code, "l", False)
    assert words in error["message"]
    assert error["remedy"]
    assert of(events, NodeRetrying) == []


async def test_a_million_items_fail_before_the_first_one() -> None:
    events = await events_of(flow({"l": loop(FAILS)}), {"items": [0] * 1_000_000})
    assert events[-1].error["message"] == "'items' holds 1000000 items, and its limit (max_iterations) is 10000."
    assert [event.node_id for event in of(events, NodeStarted)] == ["l"]


WHILE = {"mode": "while", "while": "`false`"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"mode": "times"}, [("config.schema", "/times")]),
        ({"mode": "times", "times": -1}, [("config.schema", "/times")]),
        ({"mode": "times", "times": 1.5}, [("config.schema", "/times")] * 2),
        ({"times": 3}, [("config.schema", "/times")]),
        ({"mode": "while"}, [("config.schema", "/while")]),
        ({"while": "`true`"}, [("config.schema", "/while")]),
        ({"mode": "until", "until": "`true`", "while": "`true`"}, [("config.schema", "/while")]),
        ({"mode": "forever"}, [("config.schema", "/mode")]),
        ({**WHILE, "concurrency": 2}, [("config.schema", "/concurrency")]),
        ({"concurrency": 0}, [("config.schema", "/concurrency")]),
        ({"on_item_error": "ignore"}, [("config.schema", "/on_item_error")]),
        ({"max_iterations": 0}, [("config.schema", "/max_iterations")]),
        ({"max_iterations": 1_000_001}, [("config.schema", "/max_iterations")]),
        ({"break_if": "x"}, [("config.unknown_key", "/break_if")]),
        ({"break_when": "input.item >"}, [("expression.syntax", "/break_when")]),
        ({"break_when": "item > `5`"}, [("expression.root", "/break_when")]),
        ({"break_when": "nodes.x.y"}, [("expression.root", "/break_when")]),
        ({**WHILE, "while": "secrets.token"}, [("expression.root", "/while")]),
    ],
)
def test_configs_that_cannot_work_are_problems_of_the_document(
    config: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    document = flow({"l": loop(body({"n": "debug.noop"}), [1], **config)})
    assert codes_of(document) == [(code, f"/nodes/0/config{pointer}") for code, pointer in expected]


def test_a_loop_needs_a_body() -> None:
    assert codes_of(flow({"l": {"node_type": "control.loop", "inputs": {"items": []}}})) == [
        ("config.schema", "/nodes/0/config")
    ]


@pytest.mark.parametrize("given", [5, [], None, True])
def test_a_body_that_is_no_document_is_a_problem_of_the_document(given: Any) -> None:
    assert ("config.schema", "/nodes/0/config/body") in codes_of(flow({"l": loop(given, [1])}))


def test_problems_of_the_body_are_told_at_their_place() -> None:
    inner = body({"n": "debug.nop", "m": {"node_type": "give", "config": {"valu": 1}}})
    inner["outputs"] = {"x": "${{ nodes.q.result }}"}
    found = [(problem.code, problem.pointer) for problem in problems_of(flow({"l": loop(inner, [1])}))]
    place = "/nodes/0/config/body"
    assert found == [
        ("node_type.unknown", f"{place}/nodes/0/node_type"),
        ("config.unknown_key", f"{place}/nodes/1/config/valu"),
        ("reference.unknown_node", f"{place}/outputs/x"),
    ]


@pytest.mark.parametrize("name", ["item", "index", "total", "last"])
async def test_an_input_of_a_name_that_the_loop_gives_its_body_is_refused(name: str) -> None:
    wired = flow(
        {"g": "give", "l": loop(body({"n": "debug.noop"}), [1])},
        f"g.result -> l.{name}",
    )
    written = flow({"l": loop(body({"n": "debug.noop"}), [1])})
    written["nodes"][0]["inputs"][name] = 1
    for document in (wired, written):
        error = (await run(document)).error
        assert error is not None
        assert (error["code"], error["details"]) == ("loop.input_name", {"port": name})
