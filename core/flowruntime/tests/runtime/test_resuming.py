"""What is taken up, and who takes up by themselves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.errors import ExecutionError, StoreError
from flowcore.events import (
    TOP,
    Event,
    ExecutionId,
    NodeCancelled,
    NodeCompleted,
    NodeFailed,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowResumed,
)
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing import ManualClock

from core.flowruntime.tests.runtime.interrupted import (
    BEGAN_US,
    GIVE,
    WAIT,
    begun,
    ended,
    kinds,
    leave,
    numbered,
    on,
    record_of,
    refusal,
    started,
    until_status,
)
from tests.engine_nodes import ALL, connect, workflow

pytestmark = pytest.mark.anyio


async def test_what_was_pending_begins_as_if_nothing_had_happened(database: Path) -> None:
    leave(database, GIVE, numbered(begun()))
    result, log = await ended(database)
    assert result.outputs == {"gave": 1}
    assert kinds(log) == ["WorkflowStarted", "NodeStarted", "NodeCompleted", "WorkflowCompleted"]


async def test_an_attempt_that_was_running_is_interrupted_and_made_again(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), started("g")))
    result, log = await ended(database)
    assert result.outputs == {"gave": 1}
    assert kinds(log)[2:5] == ["WorkflowResumed", "NodeInterrupted", "NodeStarted"]
    assert [event.attempt for event in log if isinstance(event, NodeStarted)] == [1, 2]


async def test_what_had_completed_does_not_run_again(database: Path) -> None:
    completed = NodeCompleted(0, begun().at_us, TOP, "g", 1, {"result": 7}, 1.0, None, None)
    leave(database, GIVE, numbered(begun(), started("g"), completed))
    result, log = await ended(database)
    assert result.outputs == {"gave": 7}
    assert kinds(log)[3:] == ["WorkflowResumed", "WorkflowCompleted"]


# --- time and stops ----------------------------------------------------------------------------------


async def test_the_time_in_which_it_waits_or_nobody_runs_it_does_not_count(database: Path) -> None:
    hour_us = 3_600_000_000
    nap = {"id": "n", "node_type": "local.nap", "config": {"seconds": 0.9}}
    document = {
        **WAIT,
        "nodes": [*WAIT["nodes"], nap],
        "connections": connect("w.value -> n.value"),
        "settings": {"max_execution_time_ms": 1000},
    }
    waiting = NodeWaiting(0, BEGAN_US, TOP, "w", 1, None, "go", None, None)
    taken_up = WorkflowResumed(0, BEGAN_US + hour_us, "the process that ran it is gone")
    woken = NodeWoken(0, BEGAN_US + 2 * hour_us, TOP, "w", 1, "signal", 5)
    leave(database, document, numbered(begun(), started("w"), waiting, taken_up, woken))
    result, _ = await ended(database, clock=ManualClock(BEGAN_US + 3 * hour_us, autojump=True))
    assert (result.status, result.node_outputs["n"]) == ("succeeded", {"result": 5})


async def test_the_time_that_was_used_before_counts(database: Path) -> None:
    document = workflow(
        {"a": "give", "n": {"node_type": "nap", "config": {"seconds": 0.9}}},
        "a.result -> n.value",
        settings={"max_execution_time_ms": 1000},
    )
    completed = NodeCompleted(0, BEGAN_US + 200_000, TOP, "a", 1, {"result": 1}, 200.0, None, None)
    leave(database, document, numbered(begun(), started("a"), completed))
    result, _ = await ended(database, clock=ManualClock(BEGAN_US + 300_000, autojump=True))
    assert (result.status, result.error["code"]) == ("failed", "execution.timeout")


async def test_what_was_interrupted_and_cannot_begin_again_before_a_stop_is_cancelled(database: Path) -> None:
    document = workflow(
        {"f": {"node_type": "fail"}, "g": "give"}, settings={"max_parallel_nodes": 1, "on_error": "StopWorkflow"}
    )
    leave(database, document, numbered(begun(), started("g")))
    result, log = await ended(database)
    assert result.status == "failed"
    assert [(event.node_id, event.attempt) for event in log if isinstance(event, NodeCancelled)] == [("g", 1)]


async def test_what_ran_inside_of_what_was_stopped_gets_its_end(database: Path) -> None:
    inner = workflow({"a": "nap", "b": "nap"})
    document = workflow({"f": "fail"})
    document["nodes"].append({"id": "s", "node_type": "control.subflow", "config": {"workflow": inner}})
    inside: Any = (("s", None, 1),)
    failed = NodeFailed(0, BEGAN_US, TOP, "f", 1, {"code": "x", "message": "x", "retryable": False}, "stop", 1.0, None)
    cancelled = NodeCancelled(0, BEGAN_US, inside, "a", 1, "the workflow failed at node 'f'", None)
    running = [started("f"), started("s"), started("a", path=inside), started("b", path=inside)]
    leave(database, document, numbered(begun(), *running, failed, cancelled))
    result, log = await ended(database)
    assert result.status == "failed"
    assert [event.node_id for event in log if isinstance(event, NodeCancelled)] == ["a", "b", "s"]


async def test_a_loop_whose_time_was_over_fails_though_its_items_were_cancelled_already(database: Path) -> None:
    config = {"mode": "times", "times": 1, "on_item_error": "collect", "body": workflow({"a": "nap", "b": "nap"})}
    loop = {"id": "l", "node_type": "control.loop", "config": config, "timeout_ms": 1000}
    inside: Any = (("l", 0, 1),)
    cancelled = NodeCancelled(0, BEGAN_US + 1_000_000, inside, "a", 1, "'l' failed", None)
    running = [started("l"), started("a", path=inside), started("b", path=inside)]
    leave(database, {"name": "loop", "nodes": [loop]}, numbered(begun(), *running, cancelled))
    result, log = await ended(database, clock=ManualClock(BEGAN_US + 2_000_000, autojump=True))
    assert (result.status, result.error["code"]) == ("failed", "node.timeout")
    assert [event.node_id for event in log if isinstance(event, NodeCancelled)] == ["a", "b"]


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("the execution took too long", "execution.timeout"),
        ("the execution has too many events", "execution.too_many_events"),
        ("the engine failed", "internal"),
    ],
)
async def test_what_was_failing_as_a_whole_fails_though_only_its_cancelled_nodes_are_kept(
    database: Path, why: str, code: str
) -> None:
    running: list[Event] = [started("a"), started("b"), NodeCancelled(0, BEGAN_US, TOP, "a", 1, why, None)]
    leave(database, workflow({"a": "nap", "b": "nap"}), numbered(begun(), *running))
    result, log = await ended(database)
    assert (result.status, result.error["code"]) == ("failed", code)
    assert [event.why for event in log if isinstance(event, NodeCancelled)] == [why, why]


def _limited(container: str, config: dict[str, Any]) -> dict[str, Any]:
    """A container whose child naps and has a second, beside another node."""
    nap = {"id": "n", "node_type": "local.nap", "config": {"seconds": 0.5}}
    body = {"name": "child", "nodes": [nap], "settings": {"max_execution_time_ms": 1_000}}
    key = "workflow" if container == "control.subflow" else "body"
    other = {"id": "o", "node_type": "local.give"}
    return {"name": "limited", "nodes": [{"id": "c", "node_type": container, "config": {**config, key: body}}, other]}


async def _after_a_nap(database: Path) -> Any:
    """The result of what is taken up 900 ms after it began, and naps for half a second."""
    clock = ManualClock(BEGAN_US + 900_000)
    async with on(database, clock=clock) as runtime:
        await runtime.resume("one")
        with anyio.fail_after(30):
            while clock.sleepers < 2:
                await anyio.lowlevel.checkpoint()
            for _ in range(6):
                clock.advance(0.1)
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
            return await runtime.wait("one")


async def test_the_time_in_which_a_child_had_no_slot_yet_counts_as_it_did_before(database: Path) -> None:
    inside: Any = (("c", None, 1),)
    other = NodeCompleted(0, BEGAN_US + 800_000, TOP, "o", 1, {"result": 1}, 800.0, None, None)
    nap = started("n", path=inside)._replace(at_us=BEGAN_US + 800_000)
    leave(database, _limited("control.subflow", {}), numbered(begun(), started("c"), started("o"), other, nap))
    result = await _after_a_nap(database)
    assert (result.status, (result.error or {}).get("code")) == ("failed", "execution.timeout")


async def test_the_time_of_a_child_begins_at_the_end_of_the_one_before(database: Path) -> None:
    document = _limited("control.loop", {"mode": "times", "times": 2})
    first, second = (("c", 0, 1),), (("c", 1, 1),)
    other = NodeCompleted(0, BEGAN_US, TOP, "o", 1, {"result": 1}, 0.0, None, None)
    napped = NodeCompleted(0, BEGAN_US + 800_000, first, "n", 1, {"result": None}, 800.0, None, None)
    nap = started("n", path=second)._replace(at_us=BEGAN_US + 850_000)
    log: list[Event] = [started("c"), started("o"), other, started("n", path=first), napped, nap]
    leave(database, document, numbered(begun(), *log))
    assert (await _after_a_nap(database)).status == "succeeded"


async def test_somebody_who_wanted_it_to_end_while_nobody_ran_it_gets_that(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), started("g")))
    store = SqliteStore(database)
    store.open()
    number = store.requests.put(ExecutionId("one"), "cancel", {"why": "enough"})
    result, _ = await ended(database)
    assert result.status == "cancelled"
    assert store.requests.answered(number) == {"error": None}
    store.close()


async def test_a_cancel_is_kept_though_its_process_ends_before_anything_came_of_it(database: Path) -> None:
    @node("local.stubborn", effects="pure")
    async def stubborn(ctx: Context) -> None:
        while True:
            try:
                await ctx.sleep(1e6)
            except anyio.get_cancelled_exc_class():
                continue

    document = workflow({"s": "stubborn"})
    clock = ManualClock()
    async with on(database, name="mine", nodes=[*ALL, stubborn], clock=clock) as runtime:
        execution_id = await runtime.submit(document)
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeStarted):
                break
        runtime.cancel(execution_id)  # the attempt has ten seconds, which do not pass
        with anyio.fail_after(30):
            while not _wants_cancel(database, execution_id):
                await anyio.lowlevel.checkpoint()
    _, log = await ended(database, execution_id, nodes=[*ALL, stubborn])
    assert kinds(log)[-3:] == ["WorkflowResumed", "NodeCancelled", "WorkflowCompleted"]


def _wants_cancel(database: Path, execution_id: str) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        (wants,) = connection.execute(
            "SELECT cancel_requested FROM executions WHERE id = ?", (execution_id,)
        ).fetchone()
    return bool(wants)


async def test_what_does_not_run_here_and_has_not_ended_has_no_result(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), started("g")))
    async with on(database) as runtime:
        with pytest.raises(ExecutionError) as caught:
            await runtime.wait("one")
    assert caught.value.code == "execution.elsewhere"


async def test_a_signal_that_came_before_the_end_of_its_process_is_not_lost(database: Path) -> None:
    waiting = NodeWaiting(0, BEGAN_US, TOP, "w", 1, None, "go", None, None)
    woken = NodeWoken(0, BEGAN_US, TOP, "w", 1, "signal", 5)
    leave(database, WAIT, numbered(begun(), started("w"), waiting, woken))
    result, log = await ended(database)
    assert result.node_outputs["w"] == {"value": 5, "timed_out": False}
    assert [event.attempt for event in log if isinstance(event, NodeStarted)] == [1, 2]


async def test_a_signal_that_came_while_nobody_ran_it_is_not_lost(database: Path) -> None:
    waiting = NodeWaiting(0, BEGAN_US, TOP, "w", 1, None, "go", None, None)
    leave(database, WAIT, numbered(begun(), started("w"), waiting))
    store = SqliteStore(database)
    store.open()
    store.requests.put(ExecutionId("one"), "signal", {"name": "go", "value": 6})
    result, _ = await ended(database)
    store.close()
    assert result.node_outputs["w"] == {"value": 6, "timed_out": False}


# --- node types --------------------------------------------------------------------------------------


async def test_another_version_of_a_node_type_sets_it_aside_and_can_be_accepted(database: Path) -> None:
    leave(database, GIVE, numbered(begun({"local.give": 7})))
    error = await refusal(database)
    assert error.code == "execution.types_changed"
    assert "'local.give' was version 7 and is version 1" in error.message
    assert "--accept-packs" in error.remedy
    assert record_of(database).status == "quarantined"
    assert (await ended(database, accept_packs=True))[0].status == "succeeded"


async def test_a_missing_node_type_sets_it_aside_until_it_is_there(database: Path) -> None:
    @node("local.rare", effects="pure")
    def rare() -> int:
        return 3

    leave(database, workflow({"r": "rare"}), numbered(begun({"local.rare": 1})))
    error = await refusal(database)
    assert error.code == "execution.types_changed"
    assert "local.rare" in error.message
    assert "--nodes" in error.remedy
    assert (await ended(database, nodes=[rare]))[0].outputs == {"r": {"result": 3}}


# --- what cannot be taken up -------------------------------------------------------------------------


async def test_a_damaged_log_is_set_aside_and_others_are_unharmed(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), started("g")), recovery="mine")
    leave(database, GIVE, numbered(begun(), started("g")), execution_id="two", recovery="mine")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE events SET data = data || ' ' WHERE execution = 1")
    connection.close()
    async with on(database, name="mine") as runtime:
        await until_status(runtime, "two", "succeeded")
    record = record_of(database)
    assert record.status == "quarantined"
    assert "one" in record.quarantine


async def test_who_is_unknown_has_ended_or_is_held_is_refused(database: Path) -> None:
    assert (await refusal(database, "nobody")).code == "execution.unknown"
    leave(database, GIVE, numbered(begun()))
    await ended(database)
    assert (await refusal(database)).code == "execution.final"
    leave(database, WAIT, numbered(begun()), execution_id="two")
    async with on(database) as runtime:
        await runtime.resume("two")
        held = await refusal(database, "two")
        assert held.code == "lease.held"
        with pytest.raises(StoreError, match="two"):
            await runtime.resume("two")
        runtime.cancel("two")
        assert (await runtime.wait("two")).status == "cancelled"


async def test_a_runtime_in_memory_has_nothing_to_take_up() -> None:
    async with Runtime(nodes=ALL) as runtime:
        execution_id = (await runtime.run(GIVE)).execution_id
        with pytest.raises(StoreError, match="database") as caught:
            await runtime.resume(execution_id)
        assert "sqlite:///" in (caught.value.remedy or "")


# --- names -------------------------------------------------------------------------------------------


async def test_a_runtime_with_a_name_takes_up_what_its_name_began_and_nothing_else(database: Path) -> None:
    leave(database, GIVE, numbered(begun()), recovery="mine")
    leave(database, GIVE, numbered(begun()), execution_id="other", recovery="yours")
    leave(database, GIVE, numbered(begun()), execution_id="nameless")
    async with on(database, name="mine") as runtime:
        await until_status(runtime, "one", "succeeded")
        assert runtime._journal.record("other").status == "pending"
        assert runtime._journal.record("nameless").status == "pending"


async def test_a_runtime_without_a_name_takes_up_nothing_unasked(database: Path) -> None:
    leave(database, GIVE, numbered(begun()), recovery="mine")
    async with on(database) as runtime:
        await runtime.run(GIVE)
        assert runtime._journal.record("one").status == "pending"


async def test_what_a_name_leaves_behind_goes_on_with_the_next_one_of_that_name(database: Path) -> None:
    async with on(database, name="mine") as runtime:
        execution_id = await runtime.submit(WAIT)
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeWaiting):
                break
    assert record_of(database, execution_id).status in {"running", "waiting"}
    async with on(database, name="mine") as runtime:
        with anyio.fail_after(30):
            while not runtime._supervisor.has(execution_id):
                await anyio.lowlevel.checkpoint()
            while True:
                try:
                    runtime.signal(execution_id, "go", 5)
                except ExecutionError:  # it is being unfolded
                    await anyio.lowlevel.checkpoint()
                else:
                    break
            result = await runtime.wait(execution_id)
    assert result.node_outputs["w"] == {"value": 5, "timed_out": False}


async def test_a_runtime_without_a_name_cancels_what_it_leaves(database: Path) -> None:
    async with on(database) as runtime:
        execution_id = await runtime.submit(WAIT)
    assert record_of(database, execution_id).status == "cancelled"


async def test_a_name_is_refused_while_it_is_in_use_and_free_afterwards(database: Path) -> None:
    async with on(database, name="mine"):
        with pytest.raises(StoreError) as caught:
            async with on(database, name="mine"):
                pass
        assert caught.value.code == "runtime.name_taken"
        async with on(database, name="yours"):
            pass
    async with on(database, name="mine"):
        pass


async def test_two_runtimes_on_one_database_take_up_each_execution_once(database: Path) -> None:
    names = [leave(database, GIVE, numbered(begun()), execution_id=f"e{number}") for number in range(20)]
    taken: list[str] = []
    refused: set[str] = set()

    async def take_all(runtime: Runtime) -> None:
        for name in names:
            try:
                await runtime.resume(name)
            except StoreError as error:
                refused.add(error.code)
            else:
                taken.append(name)
                assert (await runtime.wait(name)).status == "succeeded"

    async with on(database) as one, on(database) as other, anyio.create_task_group() as tasks:
        tasks.start_soon(take_all, one)
        tasks.start_soon(take_all, other)
    assert sorted(taken) == sorted(names)
    assert refused <= {"lease.held", "execution.final"}


# --- under which policy ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("began", "here", "expected"),
    [("public", "open", "public"), ("open", "public", "public"), ("open", "open", "open")],
)
async def test_the_stricter_network_policy_holds(database: Path, began: str, here: Any, expected: str) -> None:
    made: list[Any] = []

    @node("local.asks", effects="pure")
    def asks(ctx: Context) -> str:
        made.append(ctx.http)
        return "asked"

    leave(database, workflow({"a": "asks"}), numbered(begun(net=began)))
    async with on(database, nodes=[asks], net=here) as runtime:
        await runtime.resume("one")
        await runtime.wait("one")
        assert list(runtime._http) == [expected]


async def test_a_clock_that_was_set_back_between_two_processes_does_no_harm(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), started("g")))
    result, _ = await ended(database, clock=ManualClock(begun().at_us - 3_600_000_000))
    assert result.status == "succeeded"
