"""control.loop and control.subflow decide what to run next and what it came to, shown without an engine."""

import heapq
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jmespath
import pytest
from flowcore.errors import FatalNodeError, NodeError, RetryableNodeError
from flowcore.values import FrozenDict
from flowcore.workflows import NodeId, Workflow, WorkflowId, WorkflowNode
from flownodes_control.loop import Loop
from flownodes_control.subflow import Subflow
from flowruntime.authoring import Body, ChildEnd, Container, Context, Expression
from hypothesis import given
from hypothesis import strategies as st

from tests.attempts import Attempt

BODY = Body(Workflow(id=WorkflowId("body"), name="The body"))
DEFAULTS = {
    "mode": "for_each",
    "body": BODY,
    "times": None,
    "while": None,
    "until": None,
    "break_when": None,
    "concurrency": 1,
    "on_item_error": "stop",
    "max_iterations": 10_000,
}


class Failure:
    """What a child came to, when it failed."""

    def __init__(self, *, retryable: bool = True) -> None:
        self.error = {"code": "x.y", "message": "It broke.", "node_id": "n", "details": {}, "retryable": retryable}


@dataclass
class Driven:
    """What came of a container."""

    outputs: dict[str, Any] | None = None
    #: The inputs of each child in the order of their starts.
    inputs: list[dict[str, Any]] = field(default_factory=list)
    ended: list[int | None] = field(default_factory=list)
    cancelled: list[int | None] = field(default_factory=list)
    most_at_once: int = 0

    @property
    def started(self) -> list[int]:
        return [inputs["index"] for inputs in self.inputs]

    @property
    def results(self) -> list[Any]:
        assert self.outputs is not None
        results: list[Any] = self.outputs["results"]
        return results


def expression(search: Any) -> Any:
    """A bare expression as the engine hands it over; None and what is no text stay what they are."""
    return Expression(search, jmespath.compile(search).search) if isinstance(search, str) else search


async def begin(inputs: dict[str, Any], *, fixed: dict[str, Any] | None = None, **config: Any) -> Container:
    """The container of a loop."""
    given = DEFAULTS | config
    given |= {name: expression(given[name]) for name in ("while", "until", "break_when")}
    node = WorkflowNode(id=NodeId("n"), node_type="control.loop", inputs=FrozenDict(fixed or {}))
    workflow = Workflow(id=WorkflowId("w"), name="w", nodes=(node,), vars=FrozenDict(most=3))
    run = Attempt(workflow=workflow, inputs={"from": "outside"})
    container: Container = await Loop().execute(Context(run, (), "n", 1, {**inputs, **(fixed or {})}, given))
    return container


def drive(
    container: Container, work: Callable[[dict[str, Any]], Any], takes: Callable[[int], float] = lambda _index: 1
) -> Driven:
    """Run the children on a clock of their own, as an engine would; `takes` says how long each one needs."""
    driven, now, running, results = Driven(), 0.0, list[tuple[float, int]](), dict[int, Any]()
    while True:
        if container.cancel_from is not None:
            driven.cancelled += sorted(index for _, index in running if index >= container.cancel_from)
            running = [one for one in running if one[1] < container.cancel_from]
            heapq.heapify(running)
        while len(running) < container.concurrency and (child := container.next()) is not None:
            index = -1 if child.index is None else child.index
            assert child.body is BODY
            driven.inputs.append(child.inputs)
            results[index] = work(child.inputs)
            heapq.heappush(running, (now + takes(index), index))
        driven.most_at_once = max(driven.most_at_once, len(running))
        if not running:
            driven.outputs = container.outputs()
            return driven
        assert container.outputs() is None
        now, index = heapq.heappop(running)
        result, item = results.pop(index), None if index == -1 else index
        driven.ended.append(item)
        if isinstance(result, Failure):
            container.ended(ChildEnd(index=item, status="failed", error=result.error))
        else:
            container.ended(ChildEnd(index=item, status="succeeded", outputs=result))


def double(inputs: dict[str, Any]) -> Any:
    return {"twice": inputs["item"] * 2}


async def loop(work: Callable[[dict[str, Any]], Any], inputs: dict[str, Any], **config: Any) -> Driven:
    return drive(await begin(inputs, **config), work)


# --- for_each and times --------------------------------------------------------------------------------


async def test_every_item_is_run_in_order_with_what_the_body_may_ask_for() -> None:
    driven = await loop(double, {"items": [1, 2, 3], "rate": 7})
    assert driven.outputs == {"results": [{"twice": 2}, {"twice": 4}, {"twice": 6}], "errors": []}
    assert driven.inputs == [
        {"rate": 7, "item": 1, "index": 0, "total": 3, "last": None},
        {"rate": 7, "item": 2, "index": 1, "total": 3, "last": {"twice": 2}},
        {"rate": 7, "item": 3, "index": 2, "total": 3, "last": {"twice": 4}},
    ]


@pytest.mark.parametrize("given", [{"items": []}, {}])
async def test_nothing_to_do_gives_empty_results_and_runs_nothing(given: dict[str, Any]) -> None:
    config = {} if given else {"mode": "times", "times": 0}
    driven = await loop(double, given, **config)
    assert (driven.outputs, driven.inputs) == ({"results": [], "errors": []}, [])


async def test_results_stand_in_the_order_of_the_items_whatever_the_order_of_the_ends() -> None:
    container = await begin({"items": list(range(6))}, concurrency=3)
    driven = drive(container, double, takes=lambda index: [9.5, 5, 1, 9, 3, 1][index])
    assert driven.ended == [2, 1, 4, 5, 0, 3]
    assert driven.results == [{"twice": 2 * index} for index in range(6)]
    assert driven.most_at_once == 3
    assert [inputs["last"] for inputs in driven.inputs] == [None, None, None, {"twice": 4}, {"twice": 2}, {"twice": 8}]


async def test_times_runs_so_often_without_an_item() -> None:
    driven = await loop(lambda inputs: inputs["index"], {"items": "an input like any other"}, mode="times", times=3)
    assert driven.results == [0, 1, 2]
    assert driven.inputs[1] == {"items": "an input like any other", "item": None, "index": 1, "total": 3, "last": 0}


@pytest.mark.parametrize(
    ("items", "kind"), [(None, "null"), ("abc", "a string"), ({"a": 1}, "an object"), (3, "a number")]
)
async def test_items_that_are_no_array_fail_at_once(items: Any, kind: str) -> None:
    with pytest.raises(FatalNodeError, match=f"'items' is {kind}; it must be an array") as raised:
        await begin({"items": items})
    assert raised.value.code == "loop.no_array"


async def test_items_that_never_came_fail_at_once() -> None:
    with pytest.raises(FatalNodeError, match="'items' has no value") as raised:
        await begin({"other": 1})
    assert raised.value.code == "loop.no_items"


# --- while and until -----------------------------------------------------------------------------------


async def test_while_is_asked_before_each_iteration_with_the_input_that_it_would_get() -> None:
    driven = await loop(
        lambda inputs: {"sum": (inputs["last"] or {"sum": 0})["sum"] + inputs["step"]},
        {"step": 4},
        **{"mode": "while", "while": "input.last == `null` || input.last.sum < `10`"},
    )
    assert driven.results == [{"sum": 4}, {"sum": 8}, {"sum": 12}]
    assert driven.inputs[2] == {"step": 4, "item": None, "index": 2, "total": None, "last": {"sum": 8}}


async def test_while_that_never_holds_runs_nothing_and_until_that_always_holds_runs_once() -> None:
    never = await loop(double, {}, **{"mode": "while", "while": "inputs.go", "break_when": "`true`"})
    once = await loop(lambda inputs: 1, {}, mode="until", until="`true`")
    assert never.outputs == {"results": [], "errors": []}
    assert once.outputs == {"results": [1], "errors": []}


async def test_until_sees_the_iteration_that_has_ended_with_its_own_result_as_last() -> None:
    expression = "input.index == `2` && input.last == `20` && vars.most == `3` && inputs.factor == `10`"
    driven = await loop(lambda inputs: inputs["index"] * 10, {"factor": 10}, mode="until", until=expression)
    assert driven.results == [0, 10, 20]


@pytest.mark.parametrize("config", [{"mode": "while", "while": "`true`"}, {"mode": "until", "until": "`false`"}])
async def test_conditions_that_go_on_for_ever_fail_at_the_limit_and_name_it(config: dict[str, Any]) -> None:
    container = await begin({}, **config, max_iterations=5)
    ran: list[int] = []
    with pytest.raises(FatalNodeError, match=rf"'{config['mode']}' .* after 5 iterations.*max_iterations\) is 5") as it:
        drive(container, lambda inputs: ran.append(inputs["index"]))
    assert (ran, it.value.code) == ([0, 1, 2, 3, 4], "loop.too_many")


async def test_conditions_that_end_right_at_the_limit_are_well() -> None:
    ended = await loop(lambda _: 0, {}, mode="until", until="input.index == `4`", max_iterations=5)
    asked = await loop(lambda _: 0, {}, **{"mode": "while", "while": "input.index < `5`", "max_iterations": 5})
    assert ended.results == asked.results == [0] * 5


# --- limits --------------------------------------------------------------------------------------------


async def test_a_million_items_fail_before_the_first_one_and_cost_no_memory() -> None:
    items = [None] * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(FatalNodeError, match=r"'items' holds 1000000 items, .*\(max_iterations\) is 10000"):
            await begin({"items": items})
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


async def test_the_limit_can_be_raised_and_lowered() -> None:
    container = await begin({"items": [None] * 10_001}, max_iterations=10_001)
    assert container.next() is not None
    with pytest.raises(FatalNodeError, match="'items' holds 3 items"):
        await begin({"items": [1, 2, 3]}, max_iterations=2)
    with pytest.raises(FatalNodeError, match="`times` is 3"):
        await begin({}, mode="times", times=3, max_iterations=2)


async def test_nothing_is_kept_of_an_iteration_but_its_result() -> None:
    container = await begin({"items": [None] * 10_000})
    for index in range(10_000):
        container.next()
        if index == 1000:
            tracemalloc.start()
        container.ended(ChildEnd(index=index, status="succeeded", outputs=None))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 5_000


# --- failures ------------------------------------------------------------------------------------------


def fails_on(*indexes: int, retryable: bool = True) -> Callable[[dict[str, Any]], Any]:
    return lambda inputs: Failure(retryable=retryable) if inputs["index"] in indexes else inputs["index"]


@pytest.mark.parametrize(("retryable", "kind"), [(True, RetryableNodeError), (False, FatalNodeError)])
async def test_the_first_item_that_fails_fails_the_loop_and_is_named(retryable: bool, kind: type) -> None:
    with pytest.raises(NodeError) as raised:
        await loop(fails_on(1, retryable=retryable), {"items": [1, 2, 3]})
    error = raised.value
    assert type(error) is kind
    assert (error.code, error.message) == ("loop.item_failed", "Item 1 failed at node 'n': It broke.")
    assert error.details == {"index": 1, "error": Failure(retryable=retryable).error}


async def test_collect_goes_on_and_gives_the_errors_by_index() -> None:
    container = await begin({"items": list(range(6))}, on_item_error="collect", concurrency=6)
    driven = drive(container, fails_on(4, 1), takes=lambda index: 6 - index)
    error = Failure().error
    assert driven.outputs == {
        "results": [0, None, 2, 3, None, 5],
        "errors": [{"index": 1, "error": error}, {"index": 4, "error": error}],
    }


async def test_after_a_failed_item_last_is_null() -> None:
    driven = await loop(fails_on(1), {"items": [0, 1, 2]}, on_item_error="collect", break_when="input.last == `null`")
    assert driven.results == [0, None]
    assert len((driven.outputs or {})["errors"]) == 1


async def test_a_child_that_was_cancelled_by_others_counts_as_failed() -> None:
    container = await begin({"items": [1]})
    container.next()
    with pytest.raises(RetryableNodeError, match="Item 0 failed: It has cancelled"):
        container.ended(ChildEnd(index=0, status="cancelled"))


# --- break ---------------------------------------------------------------------------------------------


async def test_break_ends_the_loop_with_the_item_that_it_holds_for() -> None:
    driven = await loop(double, {"items": [1, 2, 3, 4]}, break_when="input.item == `2` && input.last.twice == `4`")
    assert (driven.results, driven.started) == ([{"twice": 2}, {"twice": 4}], [0, 1])


async def test_break_cancels_later_items_and_lets_earlier_ones_finish() -> None:
    container = await begin({"items": list(range(10))}, concurrency=4, break_when="input.index == `1`")
    driven = drive(container, fails_on(2), takes=lambda index: [9, 3, 5, 7][index])
    assert (driven.ended, driven.cancelled, driven.started) == ([1, 0], [2, 3], [0, 1, 2, 3])
    assert driven.outputs == {"results": [0, 1], "errors": []}


async def test_an_earlier_item_may_break_after_a_later_one_did() -> None:
    container = await begin(
        {"items": list(range(9))}, concurrency=4, break_when="input.index == `3` || input.item == `1`"
    )
    driven = drive(container, fails_on(2), takes=lambda index: [9, 3, 5, 1][index])
    assert (driven.ended, driven.cancelled) == ([3, 1, 0], [2])
    assert driven.outputs == {"results": [0, 1], "errors": []}


@pytest.mark.parametrize(
    "config",
    [{"mode": "times", "times": 9}, {"mode": "while", "while": "`true`"}, {"mode": "until", "until": "inputs.x"}],
)
async def test_break_works_in_every_mode(config: dict[str, Any]) -> None:
    driven = await loop(lambda inputs: inputs["index"], {}, **config, break_when="input.last == `2`")
    assert driven.results == [0, 1, 2]


@pytest.mark.parametrize(
    ("field", "config"),
    [("break_when", {}), ("while", {"mode": "while"}), ("until", {"mode": "until"})],
)
async def test_an_expression_that_cannot_be_evaluated_fails_the_loop_and_is_named(
    field: str, config: dict[str, Any]
) -> None:
    def search(root: Any) -> Any:
        if root["input"]["index"] == 2:
            raise NodeError("It takes a string.", code="expression.failed")
        return field == "while"

    given: dict[str, Any] = {**config, field: Expression("x", search)}
    container = await begin({"items": [1, 2, 3, 4]}, **given)
    with pytest.raises(FatalNodeError) as raised:
        drive(container, lambda _: 1)
    assert raised.value.message == f"{field!r} could not be decided at index 2: It takes a string."
    assert (raised.value.code, raised.value.details) == ("expression.failed", {"field": field, "index": 2})


@given(
    count=st.integers(0, 30),
    concurrency=st.integers(1, 8),
    durations=st.lists(st.integers(0, 20), min_size=30, max_size=30),
    breaks=st.sets(st.integers(0, 40), max_size=4),
    failed=st.sets(st.integers(0, 40), max_size=4),
)
async def test_whatever_the_order_of_ends_results_end_at_the_first_break(
    count: int, concurrency: int, durations: list[int], breaks: set[int], failed: set[int]
) -> None:
    config: dict[str, Any] = {"concurrency": concurrency, "on_item_error": "collect"}
    # By the item, because `index` is what the loop itself says.
    items = [{"number": index, "breaks": index in breaks} for index in range(count)]
    container = await begin({"items": items}, **config, break_when="input.item.breaks")
    driven = drive(container, fails_on(*failed), takes=lambda index: durations[index])
    end = min([count, *(index + 1 for index in breaks)])
    assert driven.results == [None if index in failed else index for index in range(end)]
    assert [error["index"] for error in (driven.outputs or {})["errors"]] == sorted(i for i in failed if i < end)
    assert driven.started == list(range(len(driven.started)))  # in order, each once
    assert driven.most_at_once <= concurrency


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["item", "index", "total", "last"])
async def test_an_input_of_a_name_that_the_loop_gives_its_body_is_refused(name: str) -> None:
    with pytest.raises(FatalNodeError, match=f"takes no input port '{name}'") as raised:
        await begin({"items": [1]}, fixed={name: 5})
    assert raised.value.code == "loop.input_name"


async def test_execution_inputs_of_these_names_come_along_unasked_and_the_loops_own_count() -> None:
    driven = await loop(lambda _: None, {"items": [7], "item": "outer", "index": 3, "total": 9, "last": "x", "more": 1})
    assert driven.inputs == [{"more": 1, "item": 7, "index": 0, "total": 1, "last": None}]


# --- subflow -------------------------------------------------------------------------------------------


async def subflow(body: Body, work: Callable[[dict[str, Any]], Any], inputs: dict[str, Any]) -> Any:
    container = await Subflow().execute(Context(Attempt(), (), "n", 1, inputs, {"workflow": body}))
    child = container.next()
    assert child is not None
    assert (child.body, child.index, container.next(), container.outputs()) == (body, None, None, None)
    result = work(child.inputs)
    if isinstance(result, Failure):
        container.ended(ChildEnd(index=None, status="failed", error=result.error))
    container.ended(ChildEnd(index=None, status="succeeded", outputs=result))
    assert container.next() is None
    return container.outputs()


async def test_a_subflow_hands_its_inputs_in_and_gives_each_declared_output_at_a_port() -> None:
    body = Body(Workflow(id=WorkflowId("c"), name="c", outputs=FrozenDict(sum="…", count="…")))
    assert await subflow(body, lambda inputs: {"sum": inputs["a"], "count": 1}, {"a": 5}) == {"sum": 5, "count": 1}


async def test_a_subflow_without_declared_outputs_gives_all_at_one_port() -> None:
    assert await subflow(BODY, lambda inputs: {"n": {"result": 1}}, {}) == {"output": {"n": {"result": 1}}}


@pytest.mark.parametrize(("retryable", "kind"), [(True, RetryableNodeError), (False, FatalNodeError)])
async def test_a_subflow_that_fails_fails_with_the_error_of_its_node(retryable: bool, kind: type) -> None:
    with pytest.raises(NodeError) as raised:
        await subflow(BODY, lambda _: Failure(retryable=retryable), {})
    error = raised.value
    assert type(error) is kind
    assert (error.code, error.message) == ("x.y", "The workflow 'The body' failed at node 'n': It broke.")
    assert (error.details["node_id"], error.details["error"]["code"]) == ("n", "x.y")
