"""Nodes with `delivery: at_most_once` never begin twice unasked: they wait, and somebody says what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from flowcore.errors import ExecutionError
from flowcore.events import TOP, NodeCompleted, NodeFailed, NodeStarted, NodeWaiting, NodeWoken
from flowruntime import Runtime
from flowruntime.authoring import Context, node

from core.flowruntime.tests.runtime.interrupted import begun, leave, numbered, started
from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio

CALLS: list[tuple[Any, int]] = []


@node("local.pay", effects="write")
async def pay(ctx: Context, amount: int = 1) -> int:
    """Pay."""
    CALLS.append((ctx.path, ctx.attempt))
    return amount


@node("local.burst", effects="write")
async def burst(ctx: Context) -> int:
    """Fail."""
    CALLS.append((ctx.path, ctx.attempt))
    raise ValueError("It burst.")


ONCE = {"node_type": "pay", "delivery": "at_most_once"}
ALONE = workflow({"p": ONCE, "then": "add"}, "p.result -> then.x", outputs={"got": "${{ nodes.then.result }}"})


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "flow.db"


def on(database: Path) -> Runtime:
    return Runtime(f"sqlite:///{database}", nodes=[*ALL, pay, burst])


def loop(**config: Any) -> dict[str, Any]:
    body = workflow(
        {"p": {**ONCE, "inputs": {"amount": "${{ input.index }}"}}}, outputs={"paid": "${{ nodes.p.result }}"}
    )
    return {
        "name": "loop",
        "nodes": [
            {"id": "l", "node_type": "control.loop", "config": {"mode": "times", "times": 3, "body": body, **config}}
        ],
        "outputs": {"paid": "${{ nodes.l.results[].paid }}", "errors": "${{ length(nodes.l.errors) }}"},
    }


async def answered(
    database: Path, *answers: tuple[Literal["retry", "fail", "value"], Any], path: Any = TOP
) -> tuple[Any, list[Any]]:
    """Take it up, answer each time that it asks; the result and the log."""
    async with on(database) as runtime:
        await runtime.resume("one")
        with anyio.fail_after(30):
            for answer, value in answers:
                assert await runtime.wait_for_rest("one") is None
                runtime.answer("one", "p", answer, value, path=path)
            result = await runtime.wait_for_rest("one")
            return result, [event async for event in runtime.follow("one")]


def names(log: list[Any]) -> list[str]:
    return [type(event).__name__ for event in log]


async def test_it_runs_once_where_nothing_is_interrupted(database: Path) -> None:
    async with on(database) as runtime:
        assert (await runtime.run(ALONE)).outputs == {"got": 11}
    assert CALLS == [(TOP, 1)]


async def test_it_runs_when_the_process_was_gone_before_it_began(database: Path) -> None:
    leave(database, ALONE, numbered(begun()))
    result, _ = await answered(database)
    assert result.outputs == {"got": 11}


async def test_after_an_interruption_it_waits_and_says_why(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    result, log = await answered(database, ("retry", None))
    (waiting,) = [event for event in log if isinstance(event, NodeWaiting)]
    assert (waiting.node_id, waiting.attempt, waiting.until_us, waiting.signal) == ("p", 1, None, None)
    assert "must not run twice" in (waiting.reason or "")
    assert result.outputs == {"got": 11}


async def test_while_it_waits_the_execution_is_waiting_and_others_run_on(database: Path) -> None:
    document = workflow({"p": ONCE, "other": "give"})
    leave(database, document, numbered(begun(), started("p")))
    async with on(database) as runtime:
        await runtime.resume("one")
        assert await runtime.wait_for_rest("one") is None
        await runtime._journal.until_durable("one")
        execution = runtime.snapshot("one")
        assert execution.status == "waiting"
        assert list(execution.ended) == ["other"]
        assert CALLS == []
        runtime.cancel("one")
        assert (await runtime.wait("one")).status == "cancelled"


async def test_answered_retry_it_runs_again_under_the_next_number(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    _, log = await answered(database, ("retry", None))
    assert CALLS == [(TOP, 2)]
    assert [event.attempt for event in log if isinstance(event, NodeStarted) and event.node_id == "p"] == [1, 2]


async def test_answered_fail_it_fails_and_the_workflow_with_it(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    result, _ = await answered(database, ("fail", None))
    assert (result.status, result.error["code"], result.failed_nodes) == ("failed", "node.answered_fail", ("p",))
    assert CALLS == []


async def test_answered_fail_it_may_be_routed(database: Path) -> None:
    document = workflow({"p": {**ONCE, "on_error": "route"}, "then": "give"}, "p.error -> then.after")
    leave(database, document, numbered(begun(), started("p")))
    result, log = await answered(database, ("fail", None))
    assert (result.status, result.completed_nodes) == ("succeeded", ("then",))
    assert [event.then for event in log if isinstance(event, NodeFailed)] == ["route"]


@pytest.mark.parametrize("value", [5, {"result": 5}])
async def test_answered_with_a_value_it_completes_with_that(database: Path, value: Any) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    result, log = await answered(database, ("value", value))
    assert result.outputs == {"got": 15}
    assert CALLS == []
    woken = next(event for event in log if isinstance(event, NodeWoken))
    assert (woken.reason, woken.value) == ("answer", {"answer": "value", "value": value})


async def test_what_was_answered_is_known_to_the_next_process(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    _, log = await answered(database, ("value", 5))
    cut = next(event.seq for event in log if isinstance(event, NodeCompleted))
    leave(database, ALONE, log[:cut], execution_id="two")
    async with on(database) as runtime:
        await runtime.resume("two")
        assert (await runtime.wait("two")).outputs == {"got": 15}


async def test_who_answered_retry_need_not_answer_again_when_the_process_is_gone_before_it_starts(
    database: Path,
) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    _, log = await answered(database, ("retry", None))
    cut = next(event.seq for event in log if isinstance(event, NodeWoken))
    leave(database, ALONE, log[:cut], execution_id="two")
    CALLS.clear()
    async with on(database) as runtime:
        await runtime.resume("two")
        assert (await runtime.wait("two")).outputs == {"got": 11}
    assert CALLS == [(TOP, 2)]


@pytest.mark.parametrize(("answer", "status"), [("value", "succeeded"), ("fail", "failed")])
async def test_an_answer_holds_when_the_process_is_gone_before_anything_came_of_it(
    database: Path, answer: Any, status: str
) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    _, log = await answered(database, (answer, 5 if answer == "value" else None))
    cut = next(event.seq for event in log if isinstance(event, NodeWoken))
    leave(database, ALONE, log[:cut], execution_id="two")
    async with on(database) as runtime:
        await runtime.resume("two")
        with anyio.fail_after(30):
            result = await runtime.wait_for_rest("two")
        assert result is not None
        assert result.status == status
    assert CALLS == []


async def test_it_is_asked_for_again_after_a_further_interruption(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    _, log = await answered(database, ("retry", None))
    cut = next(event.seq for event in log if isinstance(event, NodeStarted) and event.attempt == 2)
    leave(database, ALONE, log[:cut], execution_id="two")
    async with on(database) as runtime:
        await runtime.resume("two")
        assert await runtime.wait_for_rest("two") is None
        runtime.cancel("two")


async def test_a_process_that_is_gone_while_it_waits_changes_nothing(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    _, log = await answered(database, ("value", 5))
    cut = next(event.seq for event in log if isinstance(event, NodeWaiting))
    leave(database, ALONE, log[:cut], execution_id="two")
    async with on(database) as runtime:
        await runtime.resume("two")
        assert await runtime.wait_for_rest("two") is None
        runtime.answer("two", "p", "value", 6)
        assert (await runtime.wait("two")).outputs == {"got": 16}
        resumed = [event async for event in runtime.follow("two", cut)]
        assert getattr(resumed[0], "reason", None) == "the process that ran it is gone"


# --- in loops ----------------------------------------------------------------------------------------


def in_loop(item: int, attempt: int = 1) -> Any:
    return (("l", item, attempt),)


async def test_in_a_loop_it_is_answered_by_its_path(database: Path) -> None:
    leave(database, loop(), numbered(begun(), started("l"), started("p", path=in_loop(0))))
    result, _ = await answered(database, ("value", 7), path=(("l", 0, 0),))
    assert result.outputs == {"paid": [7, 1, 2], "errors": 0}
    assert [(in_loop(1), 1), (in_loop(2), 1)] == CALLS


async def test_in_a_loop_whose_items_run_together_each_is_answered_for_itself(database: Path) -> None:
    begins = [started("p", path=in_loop(item)) for item in range(3)]
    leave(database, loop(concurrency=3, on_item_error="collect"), numbered(begun(), started("l"), *begins))
    async with on(database) as runtime:
        await runtime.resume("one")
        assert await runtime.wait_for_rest("one") is None
        runtime.answer("one", "p", "value", 9, path=(("l", 2, 0),))
        runtime.answer("one", "p", "fail", path=(("l", 0, 0),))
        runtime.answer("one", "p", "retry", path=(("l", 1, 0),))
        result = await runtime.wait("one")
    assert result.outputs == {"paid": [1, 9], "errors": 1}
    assert [(in_loop(1), 2)] == CALLS


async def test_in_a_second_attempt_of_a_loop_it_is_new(database: Path) -> None:
    document = loop()
    document["nodes"][0]["retry_policy"] = {"max_attempts": 2, "delay_ms": 0}
    leave(database, document, numbered(begun(), started("l"), started("p", path=in_loop(0))))
    result, _ = await answered(database, ("fail", None), path=(("l", 0, 0),))
    assert result.status == "failed"  # what was answered to have failed is not retried


# --- answers that do not fit -------------------------------------------------------------------------


async def test_answers_that_do_not_fit_are_refused_and_nothing_has_happened(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("p")))
    async with on(database) as runtime:
        await runtime.resume("one")
        assert await runtime.wait_for_rest("one") is None
        for node_id, path in [("then", TOP), ("nobody", TOP), ("p", (("l", 0, 1),))]:
            with pytest.raises(ExecutionError, match="does not wait for an answer") as caught:
                runtime.answer("one", node_id, "retry", path=path)
            assert caught.value.code == "execution.no_such_wait"
        with pytest.raises(ExecutionError, match="'one'") as caught:
            runtime.signal("one", "retry")
        seq = runtime._supervisor._get("one").log.seq
        runtime.answer("one", "p", "value", 5)
        assert runtime._supervisor._get("one").log.seq > seq
        with pytest.raises(ExecutionError):
            runtime.answer("one", "p", "value", 5)
        assert (await runtime.wait("one")).outputs == {"got": 15}
        with pytest.raises(ExecutionError):
            runtime.answer("one", "p", "value", 5)


async def test_a_value_that_its_ports_cannot_give_is_refused_and_it_waits_on(database: Path) -> None:
    document = workflow({"p": {"node_type": "split", "delivery": "at_most_once", "inputs": {"x": 1}}})
    leave(database, document, numbered(begun(), started("p")))
    async with on(database) as runtime:
        await runtime.resume("one")
        assert await runtime.wait_for_rest("one") is None
        for value in (5, {"nowhere": 1}):
            with pytest.raises(ExecutionError, match="output ports") as caught:
                runtime.answer("one", "p", "value", value)
            assert caught.value.code == "execution.bad_answer"
        assert await runtime.wait_for_rest("one") is None
        runtime.cancel("one")


# --- failures ----------------------------------------------------------------------------------------


async def test_its_retry_policy_does_not_hold_and_the_document_is_warned_of_it(database: Path) -> None:
    document = workflow(
        {"b": {"node_type": "burst", "delivery": "at_most_once", "retry_policy": {"max_attempts": 3, "delay_ms": 0}}}
    )
    async with on(database) as runtime:
        checked = runtime.check(document)
        assert [problem.code for problem in checked.problems] == ["node.never_retried"]
        assert checked.plan is not None
        assert (await runtime.run(document)).status == "failed"
    assert CALLS == [(TOP, 1)]


async def test_when_the_whole_workflow_starts_again_it_asks_first(database: Path) -> None:
    retrying = {"on_error": {"RetryWorkflow": {"max_attempts": 2}}}
    document = workflow(
        {"p": ONCE, "f": {"node_type": "fail", "config": {"times": 1}}},
        "p.result -> f.value",
        settings=retrying,
    )
    from flowruntime.testing import ManualClock

    async with Runtime(nodes=[*ALL, pay], clock=ManualClock(autojump=True)) as runtime:
        execution_id = await runtime.submit(document)
        assert await runtime.wait_for_rest(execution_id) is None
        assert CALLS == [(TOP, 1)]
        runtime.answer(execution_id, "p", "value", 4)
        result = await runtime.wait(execution_id)
    assert result.node_outputs["p"] == {"result": 4}
    assert CALLS == [(TOP, 1)]
