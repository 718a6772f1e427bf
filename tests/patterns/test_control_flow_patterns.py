"""The control-flow patterns of van der Aalst, ter Hofstede, Kiepuszewski and Barros.

Numbers and names are those of "Workflow Control-Flow Patterns: A Revised View" (Russell et al., 2006). An execution of
a workflow is what the patterns call a case, a node a task. A node runs at most once at its place in an execution; what
is to run again stands in the body of a loop, or in a workflow that is run several times.
"""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from flowcore.errors import ExecutionError
from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    WorkflowCompleted,
)
from flowruntime import Runtime
from flowruntime.testing import ManualClock

from tests.control_flows import case, events_of, flow, of, problems_of, runtime_on
from tests.engine_nodes import connect


def task(seconds: float = 1, value: Any = None, **more: Any) -> dict[str, Any]:
    """A task that takes a while and gives what it was given, or a value of its own."""
    fixed = {} if value is None else {"inputs": {"value": value}}
    return {"node_type": "nap", "config": {"seconds": seconds}, **fixed, **more}


def switch(*ports: str, match: str = "first") -> dict[str, Any]:
    """A choice by the value: of all ports whose names stand in the array that it is."""
    cases = [case(port, f"contains(inputs.value, '{port}')") for port in ports]
    return {"node_type": "control.switch", "config": {"cases": cases, "match": match}}


def loop(body: Any, items: Any = None, **config: Any) -> dict[str, Any]:
    """A body that runs again and again."""
    fixed = {} if items is None else {"inputs": {"items": items}}
    return {"node_type": "control.loop", "config": {"body": body, **config}, **fixed}


def subflow(workflow: Any) -> dict[str, Any]:
    """A workflow as one task."""
    return {"node_type": "control.subflow", "config": {"workflow": workflow}}


def started(events: Sequence[Any]) -> list[str]:
    return [event.node_id for event in of(list(events), NodeStarted)]


def completed(events: Sequence[Any]) -> list[str]:
    return [event.node_id for event in of(list(events), NodeCompleted)]


def seconds_of(events: Sequence[Any], kind: type, node_id: str) -> list[float]:
    """How long after the start of the execution each such event of a node was."""
    begin_us = events[0].at_us
    return [(event.at_us - begin_us) / 1e6 for event in of(list(events), kind) if event.node_id == node_id]


async def until_waiting(runtime: Runtime, execution_id: str, count: int) -> None:
    """Go on once so many nodes wait for something from outside."""
    waiting = 0
    async for event in runtime.follow(execution_id):
        waiting += isinstance(event, NodeWaiting)
        if waiting == count:
            break
    await anyio.wait_all_tasks_blocked()


async def events_so_far(runtime: Runtime, execution_id: str) -> list[Any]:
    return [event async for event in runtime.follow(execution_id)]


# --- basic control flow ------------------------------------------------------------------------------


async def test_tasks_in_a_row_run_one_after_the_other() -> None:
    """Pattern 1, Sequence."""
    events = await events_of(flow({"c": task(), "a": task(), "b": task()}, "a.result -> b.value", "b.done -> c.after"))
    assert [type(event).__name__ + " " + event.node_id for event in events[1:-1]] == [
        f"{kind} {node}" for node in "abc" for kind in ("NodeStarted", "NodeCompleted")
    ]
    assert seconds_of(events, NodeStarted, "c") == [2]


async def test_after_a_split_the_branches_run_at_the_same_time() -> None:
    """Pattern 2, Parallel split: several connections from one port."""
    document = flow({"a": task(), "b": task(5), "c": task(3)}, "a.result -> b.value", "a.result -> c.value")
    events = await events_of(document)
    assert started(events) == ["a", "b", "c"]
    assert completed(events) == ["a", "c", "b"]
    assert [seconds_of(events, NodeStarted, node) for node in "bc"] == [[1], [1]]


async def test_a_synchronization_waits_for_all_branches_and_runs_once() -> None:
    """Pattern 3, Synchronization: every port joins all its connections, also over several ports."""
    document = flow(
        {"a": task(1, "a"), "b": task(5, "b"), "c": task(3), "m": "control.merge"},
        "a.result -> m.values",
        "b.result -> m.values",
        "c.done -> m.after",
    )
    events = await events_of(document)
    assert seconds_of(events, NodeStarted, "m") == [5]
    assert events[-1].outputs == {"m": {"merged": ["a", "b"]}}


@pytest.mark.parametrize(
    ("value", "chosen"), [(["red"], "red"), (["blue"], "blue"), (["blue", "red"], "red"), ([], "other")]
)
async def test_an_exclusive_choice_takes_one_branch_and_no_other(value: list[str], chosen: str) -> None:
    """Pattern 4, Exclusive choice: control.switch (or control.if), decided by data."""
    document = flow(
        {"s": switch("red", "blue"), "red": task(), "blue": task(), "other": task()},
        "s.red -> red.value",
        "s.blue -> blue.value",
        "s.default -> other.value",
    )
    events = await events_of(document, {"value": value})
    assert started(events) == ["s", chosen]
    assert {event.node_id for event in of(events, NodeSkipped)} == {"red", "blue", "other"} - {chosen}


@pytest.mark.parametrize("chosen", ["red", "blue"])
async def test_a_simple_merge_goes_on_when_the_branch_that_was_taken_ends(chosen: str) -> None:
    """Pattern 5, Simple merge: control.first, where one branch at most was taken."""
    document = flow(
        {"s": switch("red", "blue"), "red": task(1), "blue": task(5), "first": "control.first", "then": task()},
        "s.red -> red.value",
        "s.blue -> blue.value",
        "red.result -> first.value",
        "blue.result -> first.value",
        "first.value -> then.value",
    )
    events = await events_of(document, {"value": [chosen]})
    assert started(events) == ["s", chosen, "first", "then"]
    assert seconds_of(events, NodeStarted, "then") == [1 if chosen == "red" else 5]


# --- advanced branching and synchronization ----------------------------------------------------------


@pytest.mark.parametrize("chosen", [["red"], ["blue", "green"], ["red", "blue", "green"], []])
async def test_a_multi_choice_takes_every_branch_that_fits_at_once(chosen: list[str]) -> None:
    """Pattern 6, Multi-choice: control.switch with `match: all`."""
    colours = ["red", "blue", "green"]
    document = flow(
        {"s": switch(*colours, match="all"), **dict.fromkeys(colours, task())},
        *[f"s.{colour} -> {colour}.value" for colour in colours],
    )
    events = await events_of(document, {"value": chosen})
    assert started(events) == ["s", *(colour for colour in colours if colour in chosen)]
    assert {event.node_id for event in of(events, NodeSkipped)} == set(colours) - set(chosen)


@pytest.mark.parametrize(
    ("chosen", "second"), [(["red"], 1), (["blue"], 5), (["red", "blue"], 5), (["red", "blue", "green"], 9)]
)
async def test_a_synchronizing_merge_waits_for_the_branches_that_were_taken_and_for_no_other(
    chosen: list[str], second: float
) -> None:
    """Pattern 7, Structured synchronizing merge: control.merge; a branch that is not taken is skipped."""
    seconds = {"red": 1, "blue": 5, "green": 9}
    document = flow(
        {
            "s": switch(*seconds, match="all"),
            **{colour: task(taken) for colour, taken in seconds.items()},
            "m": {"node_type": "control.merge", "config": {"as": "object"}},
        },
        *[f"s.{colour} -> {colour}.value" for colour in seconds],
        *[f"{colour}.result -> m.values" for colour in seconds],
    )
    events = await events_of(document, {"value": chosen})
    assert seconds_of(events, NodeStarted, "m") == [second]
    assert set(events[-1].outputs["m"]["merged"]) == set(chosen)


async def test_a_multi_merge_runs_what_follows_once_for_each_branch_that_arrives() -> None:
    """Pattern 8, Multi-merge, as a structured equivalent.

    A node runs once, so what follows stands in a workflow of its own, by document or by name, that each branch runs for
    itself. A connection into one node from both branches would run it once.
    """
    follows = flow({"x": task(2)}, outputs={"result": "${{ nodes.x.result }}"})
    document = flow(
        {"a": task(1, "a"), "b": task(5, "b"), "after a": subflow(follows), "after b": subflow(follows)},
        "a.result -> after a.value",
        "b.result -> after b.value",
    )
    events = await events_of(document)
    assert seconds_of(events, NodeStarted, "x") == [1, 5]
    assert events[-1].outputs == {"after a": {"result": "a"}, "after b": {"result": "b"}}


async def test_a_discriminator_goes_on_with_the_first_branch_and_ignores_the_others() -> None:
    """Pattern 9, Structured discriminator: control.first; the other branches run to their ends."""
    document = flow(
        {"a": task(5, "a"), "b": task(1, "b"), "c": task(9, "c"), "first": "control.first", "then": task(2)},
        *[f"{node}.result -> first.value" for node in "abc"],
        "first.value -> then.value",
    )
    events = await events_of(document)
    assert completed(events) == ["b", "first", "then", "a", "c"]
    assert seconds_of(events, NodeStarted, "then") == [1]
    assert events[-1].outputs == {"then": {"result": "b"}}
    assert of(events, NodeCancelled) == []


async def test_arbitrary_cycles_are_refused_and_named_and_a_loop_goes_back_instead() -> None:
    """Pattern 10, Arbitrary cycles: refused, because a node runs once; a loop is the structured equivalent."""
    circle = flow(
        {"write": task(), "review": "control.if", "publish": task()},
        "write.result -> review.value",
        "review.false -> write.value",
        "review.true -> publish.value",
    )
    problem = next(problem for problem in problems_of(circle) if problem.code == "workflow.cycle")
    assert problem.message == "The nodes wait for each other in a circle: 'write' → 'review' → 'write'."
    assert "control.loop" in problem.remedy
    draft = flow({"write": task(1)}, outputs={"version": "${{ input.index }}"})
    document = flow(
        {"drafts": loop(draft, mode="until", until="input.last.version == `2`"), "publish": task(1)},
        "drafts.results -> publish.value",
    )
    events = await events_of(document)
    assert started(events) == ["drafts", "write", "write", "write", "publish"]
    assert seconds_of(events, NodeStarted, "publish") == [3]


async def test_an_execution_ends_by_itself_when_nothing_is_left_to_do() -> None:
    """Pattern 11, Implicit termination: there is no end node; branches may end anywhere."""
    document = flow(
        {"a": task(1), "b": task(7), "c": task(3), "if": "control.if", "never": task(100)},
        "a.result -> c.value",
        "c.done -> if.value",
        "if.false -> never.value",
    )
    events = await events_of(document)
    assert completed(events) == ["a", "c", "if", "b"]
    assert (type(events[-1]), events[-1].status, events[-1].duration_ms) == (WorkflowCompleted, "succeeded", 7000)


# --- multiple instances ------------------------------------------------------------------------------


async def test_as_many_instances_as_the_document_says_run_at_the_same_time_and_are_waited_for() -> None:
    """Pattern 13, Multiple instances with a priori design-time knowledge: mode `times`, with concurrency."""
    document = flow({"l": loop(flow({"x": task(4)}), mode="times", times=3, concurrency=3), "then": task()})
    document["connections"] = connect("l.done -> then.after")
    events = await events_of(document)
    assert seconds_of(events, NodeStarted, "x") == [0, 0, 0]
    assert seconds_of(events, NodeStarted, "then") == [4]


@pytest.mark.parametrize("items", [[], ["a"], ["a", "b", "c", "d"]])
async def test_as_many_instances_as_there_are_items_run_at_the_same_time_and_are_waited_for(items: list[str]) -> None:
    """Pattern 14, Multiple instances with a priori run-time knowledge: mode `for_each`, with concurrency."""
    body = flow({"x": task(4, "${{ input.item }}")}, outputs={"r": "${{ nodes.x.result }}"})
    document = flow({"g": task(2), "l": loop(body, concurrency=100), "then": "debug.noop"})
    document["connections"] = connect("g.result -> l.items", "l.results -> then.x")
    events = await events_of(document, {"value": items})
    assert seconds_of(events, NodeStarted, "x") == [2] * len(items)
    assert events[-1].outputs == {"then": {"x": [{"r": item} for item in items]}}
    assert events[-1].duration_ms == (6000 if items else 2000)


# --- state -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "taken"), [("accept", "ship"), ("reject", "refund"), (None, "remind")])
async def test_a_deferred_choice_is_made_by_what_happens_first_outside(sent: str | None, taken: str) -> None:
    """Pattern 16, Deferred choice: one control.wait for what may happen (a signal whose value says what, or the time).

    Nothing is decided until it happens, and with it all other ways are withdrawn.
    """
    document = flow(
        {
            "w": {"node_type": "control.wait", "config": {"signal": "answer", "timeout_ms": 60_000}},
            "late": "control.if",
            "s": switch("accept", "reject"),
            **dict.fromkeys(["ship", "refund", "remind"], "debug.noop"),
        },
        "w.timed_out -> late.value",
        "late.true -> remind.x",
        "late.false -> s.after",
        "w.value -> s.value",
        "s.accept -> ship.x",
        "s.reject -> refund.x",
    )
    clock = ManualClock()
    async with runtime_on(clock) as runtime:
        execution_id = await runtime.submit(document)
        await until_waiting(runtime, execution_id, 1)
        clock.advance(30)
        assert runtime.snapshot(execution_id).status == "waiting"
        if sent is None:
            clock.advance(30)
        else:
            runtime.signal(execution_id, "answer", sent)
        result = await runtime.wait(execution_id)
        with pytest.raises(ExecutionError):
            runtime.signal(execution_id, "answer", "reject")
    assert [node for node in ("ship", "refund", "remind") if node in result.completed_nodes] == [taken]


@pytest.mark.parametrize(("first", "second"), [("accept", "reject"), ("reject", "accept")])
async def test_of_two_signals_the_first_decides_and_the_other_changes_nothing(first: str, second: str) -> None:
    """Pattern 16, Deferred choice, as a race of two control.wait.

    A structured equivalent: the wait that lost is not withdrawn. The execution goes on at once and ends when that wait
    has its signal or its timeout, so give such waits one.
    """
    document = flow(
        {
            "accept": {"node_type": "control.wait", "config": {"signal": "accept", "timeout_ms": 60_000}},
            "reject": {"node_type": "control.wait", "config": {"signal": "reject", "timeout_ms": 60_000}},
            "first": "control.first",
            "then": "debug.noop",
        },
        "accept.value -> first.value",
        "reject.value -> first.value",
        "first.value -> then.x",
    )
    for late in ("signal", "timeout"):
        clock = ManualClock()
        async with runtime_on(clock) as runtime:
            execution_id = await runtime.submit(document)
            await until_waiting(runtime, execution_id, 2)
            runtime.signal(execution_id, first, f"{first} it")
            await anyio.wait_all_tasks_blocked()
            assert runtime.snapshot(execution_id).ended.keys() == {first, "first", "then"}
            if late == "signal":
                runtime.signal(execution_id, second, f"{second} it")
            else:
                clock.advance(60)
            result = await runtime.wait(execution_id)
        assert result.completed_nodes == (first, "first", "then", second)
        assert result.outputs == {"then": {"x": f"{first} it"}}


# --- cancellation ------------------------------------------------------------------------------------


async def test_a_task_that_takes_too_long_is_cancelled_alone() -> None:
    """Pattern 19, Cancel task, as a structured equivalent: what cancels a single running task is its timeout.

    Its failure is continued or routed, so that the execution goes on without it. A task that waits for something from
    outside is withdrawn by the timeout of its control.wait. Nobody can cancel a single task of an execution by hand.
    """
    document = flow(
        {
            "a": task(60, timeout_ms=2000, on_error="route"),
            "b": task(5, "b"),
            "lost": task(),
            "instead": "debug.noop",
        },
        "a.result -> lost.value",
        "a.error -> instead.reason",
    )
    events = await events_of(document)
    ended = [event.node_id for event in events if isinstance(event, NodeCompleted | NodeFailed | NodeSkipped)]
    assert ended == ["a", "lost", "instead", "b"]
    assert seconds_of(events, NodeFailed, "a") == [2]
    assert events[-1].outputs["instead"]["reason"]["code"] == "node.timeout"
    assert (events[-1].status, events[-1].duration_ms) == ("succeeded", 5000)  # not the 60 s of the cancelled task


async def test_cancelling_an_execution_ends_all_that_runs_and_waits_and_starts_nothing_more() -> None:
    """Pattern 20, Cancel case."""
    document = flow(
        {
            "done": "give",
            "runs": task(60),
            "waits": {"node_type": "control.wait", "config": {"signal": "never"}},
            "retries": {"node_type": "fail", "retry_policy": {"max_attempts": 5, "delay_ms": 60_000}},
            "next": task(),
        },
        "runs.result -> next.value",
    )
    async with runtime_on(ManualClock()) as runtime:
        other_id = await runtime.submit(flow({"w": {"node_type": "control.wait", "config": {"signal": "go"}}}))
        execution_id = await runtime.submit(document)
        await until_waiting(runtime, other_id, 1)
        await until_waiting(runtime, execution_id, 1)
        runtime.cancel(execution_id)
        result = await runtime.wait(execution_id)
        events = await events_so_far(runtime, execution_id)
        assert runtime.snapshot(other_id).status == "waiting"  # another case of its own
        runtime.signal(other_id, "go")
        assert (await runtime.wait(other_id)).success
    assert (result.status, result.completed_nodes, result.duration_ms) == ("cancelled", ("done",), 0)
    assert {event.node_id for event in of(events, NodeCancelled)} == {"runs", "waits", "retries"}
    assert "next" not in started(events)


# --- iteration ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "rounds"),
    [
        ({"mode": "while", "while": "input.index < `3`"}, 3),
        ({"mode": "while", "while": "input.index < `0`"}, 0),
        ({"mode": "until", "until": "input.index == `3`"}, 4),
        ({"mode": "until", "until": "`true`"}, 1),
    ],
)
async def test_a_structured_loop_asks_before_or_after_each_round(config: dict[str, Any], rounds: int) -> None:
    """Pattern 21, Structured loop: the modes `while` (asked before) and `until` (asked after)."""
    events = await events_of(flow({"l": loop(flow({"x": task(2)}), **config)}))
    assert seconds_of(events, NodeStarted, "x") == [2 * index for index in range(rounds)]
    assert events[-1].duration_ms == 2000 * rounds


async def test_a_workflow_may_run_itself() -> None:
    """Pattern 22, Recursion: a workflow of the library names itself, in a loop or a subflow, up to 16 deep."""
    walk = {
        "id": "walk",
        **flow(
            {"here": task(1), "each": loop("walk", items="${{ input.item.children || input.children || `[]` }}")},
            "here.done -> each.after",
        ),
    }
    tree: dict[str, Any] = {"children": [{"children": [{}, {}]}, {}]}
    async with runtime_on(ManualClock(autojump=True)) as runtime:
        runtime.workflows.add(walk)
        execution_id = await runtime.submit(walk, tree)
        events = await events_so_far(runtime, execution_id)
    places = [[index for _, index, _ in event.path] for event in of(events, NodeStarted) if event.node_id == "here"]
    assert places == [[], [0], [0, 0], [0, 1], [1]]
    assert events[-1].status == "succeeded"


# --- discriminators ----------------------------------------------------------------------------------


async def test_a_discriminator_of_one_execution_takes_nothing_from_another() -> None:
    """Pattern 28, Blocking discriminator, as a structured equivalent.

    The pattern holds a second round back until all branches of the first have arrived. Here every round is an execution
    with a discriminator of its own: it goes on once, the late branches of its own round are ignored, and those of
    overlapping rounds never reach it, so that nothing has to be held back.
    """
    document = flow(
        {
            "quick": task(1),
            "slow": task(10),
            "first": "control.first",
            "then": task(1),
        },
        "quick.result -> first.value",
        "slow.result -> first.value",
        "first.value -> then.value",
    )
    async with runtime_on(ManualClock(autojump=True)) as runtime:
        rounds = [await runtime.submit(document, {"value": number}) for number in range(5)]
        results = [await runtime.wait(execution_id) for execution_id in rounds]
        logs = [await events_so_far(runtime, execution_id) for execution_id in rounds]
    assert [result.outputs for result in results] == [{"then": {"result": number}} for number in range(5)]
    for events in logs:
        assert completed(events) == ["quick", "first", "then", "slow"]
        assert started(events).count("first") == started(events).count("then") == 1


async def test_a_round_begins_only_when_all_branches_of_the_one_before_have_ended() -> None:
    """Pattern 28, Blocking discriminator, within one execution: the next round comes after all branches, in order."""
    document = flow(
        {
            "quick": task(1, "one"),
            "slow": task(10),
            "first": "control.first",
            "then": task(1),
            "quick2": task(1, "two"),
            "slow2": task(10),
            "first2": "control.first",
        },
        "quick.result -> first.value",
        "slow.result -> first.value",
        "first.value -> then.value",
        *[f"{branch}.done -> {following}.after" for branch in ("quick", "slow") for following in ("quick2", "slow2")],
        "quick2.result -> first2.value",
        "slow2.result -> first2.value",
    )
    events = await events_of(document)
    assert [seconds_of(events, NodeStarted, node) for node in ("then", "quick2", "first2")] == [[1], [10], [11]]
    assert events[-1].outputs == {"then": {"result": "one"}, "first2": {"value": "two"}}
