"""Timeouts of attempts and executions, and workflows that start again, on a clock moved by hand."""

import threading
from typing import Any

import anyio
import pytest
from flowcore.events import NodeCancelled, NodeCompleted, NodeFailed, NodeRetrying, NodeStarted, WorkflowRetrying
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL, workflow


async def events_of(document: dict[str, Any], *, nodes: list[Any] | None = None) -> list[Any]:
    async with Runtime(nodes=nodes or ALL, clock=ManualClock(autojump=True)) as runtime:
        with anyio.fail_after(20):
            return [event async for event in runtime.follow(await runtime.submit(document))]


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_an_attempt_that_takes_longer_than_its_timeout_fails() -> None:
    events = await events_of(workflow({"n": {"node_type": "nap", "config": {"seconds": 60}, "timeout_ms": 1500}}))
    (failed,) = of(events, NodeFailed)
    assert (failed.error["code"], failed.duration_ms) == ("node.timeout", 1500)
    assert "1500 ms" in failed.error["message"]
    assert events[-1].status == "failed"
    assert events[-1].duration_ms == 1500


async def test_a_timeout_is_retried_unless_the_policy_says_otherwise() -> None:
    policy = {"max_attempts": 2, "delay_ms": 100, "jitter": 0}
    napping = {"node_type": "nap", "config": {"seconds": 60}, "timeout_ms": 1000, "retry_policy": policy}
    events = await events_of(workflow({"n": napping}))
    assert [event.attempt for event in of(events, NodeStarted)] == [1, 2]
    assert events[-1].duration_ms == 2100
    events = await events_of(workflow({"n": {**napping, "retry_policy": {**policy, "retry_on_timeout": False}}}))
    assert [event.attempt for event in of(events, NodeStarted)] == [1]


async def test_a_timeout_that_is_continued_lets_the_others_run_on() -> None:
    document = workflow(
        {
            "slow": {"node_type": "nap", "config": {"seconds": 60}, "timeout_ms": 10, "on_error": "continue"},
            "other": "nap",
            "then": "nap",
        },
        "other.result -> then.value",
        "slow.done -> then.after",
    )
    events = await events_of(document)
    assert events[-1].status == "succeeded"
    assert [event.node_id for event in of(events, NodeCompleted)] == ["other"]


async def test_only_the_attempt_that_is_late_is_ended() -> None:
    document = workflow(
        {
            "late": {"node_type": "nap", "config": {"seconds": 60}, "timeout_ms": 500, "on_error": "continue"},
            "fine": {"node_type": "nap", "config": {"seconds": 2}},
            "routed": {"node_type": "nap", "config": {"seconds": 60}, "timeout_ms": 700, "on_error": "route"},
            "c": "collect",
        },
        "routed.error -> c.extra",
    )
    events = await events_of(document)
    assert [event.node_id for event in of(events, NodeFailed)] == ["late", "routed"]
    assert [event.node_id for event in of(events, NodeCompleted)] == ["c", "fine"]


async def test_of_a_timeout_and_a_late_success_the_first_recorded_outcome_stands() -> None:
    @node("local.stubborn", effects="pure")
    async def stubborn(ctx: Context) -> str:
        try:
            await ctx.sleep(60)
        except anyio.get_cancelled_exc_class():
            return "too late"
        return "slept"

    document = workflow({"s": {"node_type": "stubborn", "timeout_ms": 10, "on_error": "continue"}, "g": "give"})
    events = await events_of(document, nodes=[*ALL, stubborn])
    assert [event.node_id for event in of(events, NodeFailed)] == ["s"]
    assert [event.node_id for event in of(events, NodeCompleted)] == ["g"]


async def test_a_blocking_thread_is_abandoned_at_its_timeout_and_its_result_dropped() -> None:
    release = threading.Event()

    @node("local.block")
    def block() -> str:
        release.wait(20)
        return "dropped"

    async with Runtime(nodes=[block]) as runtime:
        document = workflow({"b": {"node_type": "block", "timeout_ms": 20}})
        result = await runtime.run(document)
        release.set()
    assert result.error is not None
    assert result.error["code"] == "node.timeout"
    assert result.node_outputs == {}


async def test_a_type_s_timeout_holds_where_the_document_has_none() -> None:
    @node("local.impatient", effects="pure", timeout_ms=250)
    async def impatient(ctx: Context) -> None:
        await ctx.sleep(60)

    events = await events_of(workflow({"i": "impatient"}), nodes=[impatient])
    assert of(events, NodeFailed)[0].duration_ms == 250


async def test_an_execution_that_takes_longer_than_its_limit_fails_as_a_whole() -> None:
    document = workflow(
        {"a": {"node_type": "nap", "config": {"seconds": 60}}, "b": {"node_type": "nap", "config": {"seconds": 60}}},
        settings={"max_execution_time_ms": 5000},
    )
    events = await events_of(document)
    assert {event.node_id for event in of(events, NodeCancelled)} == {"a", "b"}
    assert events[-1].status == "failed"
    assert events[-1].error["code"] == "execution.timeout"
    assert events[-1].duration_ms == 5000


async def test_time_in_which_nothing_runs_does_not_count_against_the_limit() -> None:
    policy = {"max_attempts": 3, "delay_ms": 60_000, "jitter": 0}
    document = workflow(
        {"f": {"node_type": "fail", "config": {"times": 2}, "retry_policy": policy}, "nap": "nap"},
        "f.result -> nap.value",
        settings={"max_execution_time_ms": 1500},
    )
    events = await events_of(document)
    assert events[-1].status == "succeeded"
    assert events[-1].duration_ms == 121_000
    document["settings"]["max_execution_time_ms"] = 500
    events = await events_of(document)
    assert events[-1].error["code"] == "execution.timeout"
    assert events[-1].duration_ms == 120_500


async def test_retry_workflow_starts_all_nodes_again_with_the_same_keys() -> None:
    keys: list[str] = []

    @node("local.key", effects="pure")
    async def key(ctx: Context) -> None:
        keys.append(ctx.idempotency_key)

    document = workflow(
        {"k": "key", "f": {"node_type": "fail", "config": {"times": 2}}},
        "k.done -> f.after",
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}},
    )
    events = await events_of(document, nodes=[*ALL, key])
    assert events[-1].status == "succeeded"
    assert [event.run_attempt for event in of(events, WorkflowRetrying)] == [2, 3]
    assert [(event.node_id, event.attempt) for event in of(events, NodeStarted)] == [
        ("k", 1),
        ("f", 1),
        ("k", 2),
        ("f", 2),
        ("k", 3),
        ("f", 3),
    ]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert 2700 <= events[-1].duration_ms <= 3300  # one and two seconds, a tenth of jitter


@pytest.mark.parametrize(("how", "times", "runs"), [("error", 9, 2), ("fatal", 9, 1)])
async def test_retry_workflow_is_bounded_and_does_not_answer_fatal_errors(how: str, times: int, runs: int) -> None:
    document = workflow(
        {"f": {"node_type": "fail", "config": {"how": how, "times": times}}},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 2}}},
    )
    events = await events_of(document)
    assert len(of(events, NodeStarted)) == runs
    assert events[-1].status == "failed"


async def test_failures_of_a_node_are_counted_anew_in_every_workflow_attempt() -> None:
    policy = {"max_attempts": 2, "delay_ms": 10, "jitter": 0}
    document = workflow(
        {"f": {"node_type": "fail", "config": {"times": 3}, "retry_policy": policy}},
        settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}},
    )
    events = await events_of(document)
    assert events[-1].status == "succeeded"
    assert [event.attempt for event in of(events, NodeStarted)] == [1, 2, 3, 4]
    assert [event.delay_ms for event in of(events, NodeRetrying)] == [10, 10]


async def test_cancel_between_two_workflow_attempts_ends_at_once() -> None:
    document = workflow({"f": "fail"}, settings={"on_error": {"RetryWorkflow": {"max_attempts": 3}}})
    async with Runtime(nodes=ALL, clock=ManualClock()) as runtime:
        execution_id = await runtime.submit(document)
        async for event in runtime.follow(execution_id):
            if isinstance(event, WorkflowRetrying):
                runtime.cancel(execution_id)
        result = await runtime.wait(execution_id)
    assert result.status == "cancelled"
