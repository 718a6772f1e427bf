"""The cases that the contract says must be tested as written, and what stands near them."""

import asyncio
import threading
from typing import Any

import anyio
import pytest
from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    WorkflowRetrying,
)
from flowruntime import Runtime
from flowruntime.authoring import Context, FatalNodeError, RetryableNodeError, node
from flowruntime.testing import ManualClock

from core.flowruntime.tests.engine.running import events_of, log_of, of, turns_until
from tests.engine_nodes import ALL, workflow


def napping(seconds: float, **fields: Any) -> dict[str, Any]:
    return {"node_type": "nap", "config": {"seconds": seconds}, **fields}


def failing_at(seconds: float, **fields: Any) -> dict[str, Any]:
    return napping(900, timeout_ms=seconds * 1000, **fields)


# --- races ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_error", "status"), [("stop", "failed"), ("continue", "succeeded")])
async def test_a_race_that_one_racer_has_won_does_not_answer_the_failure_of_another(on_error: str, status: str) -> None:
    document = workflow(
        {
            "quick": napping(1, inputs={"value": "quick"}),
            "fails": failing_at(5, on_error=on_error),
            "winner": "race",
            "then": napping(2),
        },
        "quick.result -> winner.value",
        "fails.result -> winner.value",
        "winner.result -> then.value",
    )
    events = await events_of(document)
    assert events[-1].status == status
    assert [event.node_id for event in of(events, NodeCompleted)] == ["quick", "winner", "then"]
    assert [event.outputs for event in of(events, NodeCompleted)][1] == {"result": "quick"}
    assert [event.node_id for event in of(events, NodeFailed)] == ["fails"]
    if status == "failed":
        assert events[-1].error["node_id"] == "fails"


async def test_a_racer_that_fails_first_leaves_the_race_to_the_others() -> None:
    document = workflow(
        {"fails": failing_at(1, on_error="continue"), "slow": napping(3, inputs={"value": "slow"}), "winner": "race"},
        "fails.result -> winner.value",
        "slow.result -> winner.value",
    )
    events = await events_of(document)
    assert events[-1].outputs == {"winner": {"result": "slow"}}


# --- absent values ----------------------------------------------------------------------------------


async def test_an_optional_port_whose_source_was_skipped_is_the_parameter_s_default_and_null_in_expressions() -> None:
    @node("local.shows", effects="pure")
    async def shows(x: int, y: str = "the function's own", *, seen: Any = None) -> Any:
        return [x, y, seen]

    document = workflow(
        {"g": "give", "s": "split", "shows": {"node_type": "shows", "config": {"seen": "${{ inputs.y }}"}}},
        "g.result -> shows.x",
        "s.high -> shows.y",
    )
    async with Runtime(nodes=[*ALL, shows]) as runtime:
        result = await runtime.run(document, {"x": 1})
    assert result.node_outputs["shows"] == {"result": [1, "the function's own", None]}


@pytest.mark.parametrize(
    ("wires", "outcome"),
    [
        ((), "skipped"),
        (("g.done -> c.after",), "d"),
        (("s.low -> c.values",), "d"),
        (("s.high -> c.values",), "skipped"),
    ],
)
async def test_the_default_of_an_expression_counts_only_with_another_live_arrow(
    wires: tuple[str, ...], outcome: str
) -> None:
    document = workflow(
        {"s": "split", "g": "give", "c": {"node_type": "collect", "inputs": {"extra": "${{ nodes.s.high || 'd' }}"}}},
        *wires,
    )
    async with Runtime(nodes=ALL) as runtime:
        result = await runtime.run(document, {"x": 1})
    if outcome == "skipped":
        assert result.skipped_nodes == ("c",)
    else:
        value: Any = result.node_outputs["c"]["result"]
        assert value["extra"] == outcome


# --- late outcomes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["succeeds", "fails"])
async def test_after_a_timeout_the_next_attempt_counts_whatever_the_late_one_does(late: str) -> None:
    @node("local.stubborn", effects="pure")
    async def stubborn(ctx: Context) -> str:
        if ctx.attempt == 1:
            try:
                await ctx.sleep(60)
            except asyncio.CancelledError:
                await ctx.sleep(3)
                ctx.events.info("said too late")
                if late == "fails":
                    raise FatalNodeError("Too late.") from None
                return "too late"
        await ctx.sleep(5)
        return "in time"

    policy = {"max_attempts": 2, "delay_ms": 1000, "jitter": 0}
    document = workflow({"s": {"node_type": "stubborn", "timeout_ms": 10_000, "retry_policy": policy}})
    events = await events_of(document, nodes=[stubborn])
    assert [type(event).__name__ for event in events] == [
        "WorkflowStarted",
        "NodeStarted",
        "NodeRetrying",
        "NodeStarted",
        "NodeCompleted",
        "WorkflowCompleted",
    ]
    assert events[-1].outputs == {"s": {"result": "in time"}}
    assert events[-1].duration_ms == 16_000


async def test_a_thread_that_is_late_does_not_disturb_the_attempt_that_follows_it() -> None:
    clock, begun, release, ended = ManualClock(), threading.Event(), threading.Event(), threading.Event()

    @node("local.slow_once")
    def slow_once(ctx: Context) -> str:
        if ctx.attempt == 1:
            ctx.state["from"] = "the late one"
            begun.set()
            release.wait(30)
            ctx.state["from"] = "the late one, later"
            ended.set()
            return "late"
        return f"attempt {ctx.attempt}, state {ctx.state.get('from')}"

    policy = {"max_attempts": 2, "delay_ms": 1000, "jitter": 0}
    document = workflow({"s": {"node_type": "slow_once", "timeout_ms": 5000, "retry_policy": policy}})
    async with Runtime(nodes=[slow_once], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        await turns_until(begun.is_set)
        await anyio.wait_all_tasks_blocked()
        clock.advance(5)
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
        result = await runtime.wait(execution_id)
        release.set()
        await turns_until(ended.is_set)
        events = await log_of(runtime, execution_id)
    assert result.node_outputs == {"s": {"result": "attempt 2, state the late one"}}
    assert len(of(events, NodeCompleted)) == 1


# --- retries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish_seconds", "max_delay_ms", "delay_ms"),
    [
        (5, 60_000, 5000),
        (0.5, 60_000, 1000),
        (90, 60_000, 60_000),
        (90, 2000, 2000),
        (0, 60_000, 1000),
        (-3, 60_000, 1000),
    ],
)
async def test_the_longer_of_policy_and_wish_is_the_delay_up_to_the_policy_s_maximum(
    wish_seconds: float, max_delay_ms: float, delay_ms: float
) -> None:
    @node("local.wishes", effects="pure")
    async def wishes(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryableNodeError("Later.", retry_after_seconds=wish_seconds)

    policy = {"max_attempts": 2, "delay_ms": 1000, "jitter": 0, "max_delay_ms": max_delay_ms}
    events = await events_of(workflow({"w": {"node_type": "wishes", "retry_policy": policy}}), nodes=[wishes])
    (retrying,) = of(events, NodeRetrying)
    assert retrying.delay_ms == delay_ms
    assert retrying.retry_at_us - retrying.at_us == delay_ms * 1000
    assert of(events, NodeStarted)[1].at_us == retrying.retry_at_us


async def test_without_a_policy_there_is_one_attempt() -> None:
    events = await events_of(workflow({"f": "fail"}))
    assert len(of(events, NodeStarted)) == 1


async def test_the_document_overrides_the_type_s_policy_field_by_field() -> None:
    @node("local.policed", effects="pure", retry_policy={"max_attempts": 3, "delay_ms": 100, "jitter": 0})
    async def policed() -> None:
        raise ValueError("It broke.")

    document = workflow(
        {
            "type": {"node_type": "policed", "on_error": "continue"},
            "both": {"node_type": "policed", "on_error": "continue", "retry_policy": {"backoff_multiplier": 10}},
        }
    )
    events = await events_of(document, nodes=[policed])
    delays = {name: [e.delay_ms for e in of(events, NodeRetrying) if e.node_id == name] for name in ("type", "both")}
    assert delays == {"type": [100, 200], "both": [100, 1000]}


async def test_retry_workflow_does_not_answer_a_fatal_failure_that_comes_first() -> None:
    document = workflow(
        {"fatal": {"node_type": "fail", "config": {"how": "fatal"}}, "nap": napping(5)},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}},
    )
    events = await events_of(document)
    assert of(events, WorkflowRetrying) == []
    assert (events[-1].status, events[-1].error["code"]) == ("failed", "test.fatal")


async def test_retry_workflow_does_not_answer_continued_and_routed_failures() -> None:
    document = workflow(
        {
            "continues": {"node_type": "fail", "on_error": "continue"},
            "routes": {"node_type": "fail", "on_error": "route"},
            "c": "collect",
        },
        "routes.error -> c.extra",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}},
    )
    events = await events_of(document)
    assert events[-1].status == "succeeded"
    assert of(events, WorkflowRetrying) == []


async def test_all_nodes_start_again_after_a_retry_of_the_workflow_and_their_attempts_go_on_counting() -> None:
    document = workflow(
        {"s": "split", "kept": "add", "lost": "add", "f": {"node_type": "fail", "config": {"times": 1}}},
        "s.low -> kept.x",
        "s.high -> lost.x",
        "kept.result -> f.value",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 2}}},
    )
    events = await events_of(document, {"x": 1})
    restart = of(events, WorkflowRetrying)[0].seq
    assert [(e.node_id, e.attempt) for e in of(events, NodeStarted) if e.seq < restart] == [
        ("s", 1),
        ("kept", 1),
        ("f", 1),
    ]
    assert [(e.node_id, e.attempt) for e in of(events, NodeStarted) if e.seq > restart] == [
        ("s", 2),
        ("kept", 2),
        ("f", 2),
    ]
    assert [event.node_id for event in of(events, NodeSkipped)] == ["lost", "lost"]
    assert events[-1].outputs == {"f": {"result": 11}}


async def test_the_delay_before_a_workflow_starts_again_does_not_count_against_its_time_limit() -> None:
    document = workflow(
        {"f": failing_at(0.5)},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}, "max_execution_time_ms": 2000},
    )
    events = await events_of(document)
    assert len(of(events, NodeStarted)) == 3  # one and two seconds of delay, three times half a second of work
    assert events[-1].error["code"] == "node.timeout"


async def test_that_delay_does_not_count_either_while_an_attempt_that_timed_out_still_cleans_up() -> None:
    @node("local.lingers", effects="pure")
    async def lingers(ctx: Context) -> None:
        try:
            await ctx.sleep(900)
        finally:
            await ctx.sleep(100)

    document = workflow(
        {"l": {"node_type": "lingers", "timeout_ms": 500}},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}, "max_execution_time_ms": 2000},
    )
    events = await events_of(document, nodes=[lingers])
    assert len(of(events, NodeStarted)) == 3
    assert events[-1].error["code"] == "node.timeout"


async def test_the_time_limit_is_kept_while_something_else_is_due_later_than_it_and_sooner_than_the_timeout() -> None:
    policy = {"max_attempts": 2, "delay_ms": 20_000, "jitter": 0, "max_delay_ms": 20_000}
    short = {"max_attempts": 2, "delay_ms": 1000, "jitter": 0}
    document = workflow(
        {
            "later": {"node_type": "fail", "retry_policy": policy},
            "sooner": {"node_type": "fail", "config": {"times": 1}, "retry_policy": short},
            "nap": napping(10),
        },
        "sooner.result -> nap.value",
        settings={"max_execution_time_ms": 5000},
    )
    events = await events_of(document)
    assert [event.node_id for event in of(events, NodeCancelled)] == ["later", "nap"]
    assert (events[-1].error["code"], events[-1].duration_ms) == ("execution.timeout", 6000)


async def test_waiting_for_backoffs_alone_never_exceeds_the_time_limit() -> None:
    policy = {"max_attempts": 4, "delay_ms": 50_000, "jitter": 0}
    document = workflow(
        {name: {"node_type": "fail", "config": {"times": 3}, "retry_policy": policy} for name in "ab"},
        settings={"max_execution_time_ms": 100},
    )
    events = await events_of(document)
    assert events[-1].status == "succeeded"
