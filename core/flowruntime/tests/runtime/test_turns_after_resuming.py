"""Who goes on first of several that are taken up, and what is wanted of those that wait for their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.contracts import StoreUnavailable
from flowcore.errors import ExecutionError
from flowcore.events import TOP, ExecutionId, NodeWaiting, WorkflowResumed
from flowruntime import Runtime
from flowruntime.authoring import node
from flowruntime.engine.attempt import Instances
from flowruntime.stores.sqlite import SqliteStore

from core.flowruntime.tests.runtime.interrupted import (
    BEGAN_US,
    WAIT,
    begun,
    kinds,
    leave,
    numbered,
    on,
    record_of,
    started,
    until_status,
)
from tests.engine_nodes import workflow

pytestmark = pytest.mark.anyio

ALONE: dict[str, Any] = {**WAIT, "settings": {"concurrency": 1}}
WAITING = NodeWaiting(0, BEGAN_US, TOP, "w", 1, None, "go", None, None)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.lowlevel.checkpoint()


def is_here(runtime: Runtime, *execution_ids: str) -> bool:
    """Whether they have been taken up, and the last one stands where its log ends."""
    return all(runtime._supervisor.has(execution_id) for execution_id in execution_ids)


async def test_what_had_begun_goes_on_before_what_was_pending(database: Path) -> None:
    leave(database, ALONE, numbered(begun()), execution_id="pending", recovery="mine")
    leave(database, ALONE, numbered(begun(), started("w"), WAITING), execution_id="begun", recovery="mine")
    async with on(database, name="mine") as runtime:
        await until(lambda: is_here(runtime, "begun", "pending"))
        with anyio.fail_after(30):
            async for event in runtime.follow("begun", after=3):
                assert isinstance(event, WorkflowResumed)
                break
        assert record_of(database, "pending").status == "pending"
        runtime.signal("begun", "go")
        with anyio.fail_after(30):
            await runtime.wait("begun")
        await until_status(runtime, "pending", "waiting")


async def test_of_those_that_are_pending_the_higher_priority_begins_first(database: Path) -> None:
    ran: list[str] = []

    @node("local.note", effects="pure")
    def note(text: str) -> None:
        ran.append(text)

    for name, priority in (("low", 1), ("none", None), ("high", 9)):
        document = workflow({"n": {"node_type": "note", "inputs": {"text": name}}}, settings={"priority": priority})
        leave(database, document, numbered(begun()), execution_id=name, recovery="mine")
    async with on(database, name="mine", nodes=[note], max_executions=1) as runtime:
        for name in ("low", "none", "high"):
            await until_status(runtime, name, "succeeded")
    assert ran == ["high", "low", "none"]


async def _one_behind_another(runtime: Runtime, database: Path) -> None:
    """`first` runs, and `second`, whose node waits as well, waits for its turn."""
    for execution_id in ("first", "second"):
        leave(database, ALONE, numbered(begun(), started("w"), WAITING), execution_id=execution_id)
    await runtime.resume("first")
    await runtime.resume("second")


async def test_a_cancel_ends_at_once_what_waits_for_its_turn(database: Path) -> None:
    async with on(database) as runtime:
        await _one_behind_another(runtime, database)
        store = SqliteStore(database)
        store.open()
        number = store.requests.put(ExecutionId("second"), "cancel", {})
        with anyio.fail_after(30):
            assert (await runtime.wait("second")).status == "cancelled"
        assert store.requests.answered(number) == {"error": None}
        store.close()
        assert runtime._journal.record("first").status in {"running", "waiting"}
        runtime.signal("first", "go")
        assert (await runtime.wait("first")).status == "succeeded"


async def test_a_program_that_cancels_what_waits_for_its_turn_gets_that(database: Path) -> None:
    async with on(database) as runtime:
        await _one_behind_another(runtime, database)
        runtime.cancel("second")
        with anyio.fail_after(30):
            assert (await runtime.wait("second")).status == "cancelled"
            log: list[Any] = [event async for event in runtime.follow("second")]
        assert kinds(log)[3:] == ["WorkflowResumed", "NodeCancelled", "WorkflowCompleted"]


async def test_one_that_was_to_end_does_so_without_waiting_for_its_turn(database: Path) -> None:
    leave(database, ALONE, numbered(begun(), started("w"), WAITING), execution_id="first")
    leave(database, ALONE, numbered(begun(), started("w"), WAITING), execution_id="second")
    store = SqliteStore(database)
    store.open()
    store.requests.put(ExecutionId("second"), "cancel", {})
    store.close()
    async with on(database) as runtime:
        await runtime.resume("first")
        await runtime.resume("second")
        with anyio.fail_after(30):
            assert (await runtime.wait("second")).status == "cancelled"


async def test_a_signal_waits_for_the_turn_of_what_it_is_for(database: Path) -> None:
    async with on(database) as runtime:
        await _one_behind_another(runtime, database)
        with pytest.raises(ExecutionError, match="does not go on here yet"):
            runtime.signal("second", "go", 5)
        store = SqliteStore(database)
        store.open()
        number = store.requests.put(ExecutionId("second"), "signal", {"name": "go", "value": 6})
        tending = runtime._journal._tending
        assert tending is not None
        await until(lambda: number in tending._told)
        assert store.requests.answered(number) is None
        runtime.signal("first", "go")
        with anyio.fail_after(30):
            result = await runtime.wait("second")
        assert result.node_outputs["w"] == {"value": 6, "timed_out": False}
        assert store.requests.answered(number) == {"error": None}
        store.close()


async def test_a_cancel_while_it_is_unfolded_is_kept_in_mind(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "name": "subflow",
        "nodes": [{"id": "s", "node_type": "control.subflow", "config": {"workflow": WAIT}}],
    }
    inside: Any = (("s", None, 1),)
    waiting = WAITING._replace(path=inside)
    leave(database, document, numbered(begun(), started("s"), started("w", path=inside), waiting))
    asked, go_on = anyio.Event(), anyio.Event()
    prepare = Instances.prepare

    async def slow(self: Instances, index: int) -> Any:
        asked.set()
        await go_on.wait()
        return await prepare(self, index)

    monkeypatch.setattr(Instances, "prepare", slow)
    async with on(database) as runtime:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.resume, "one")
            await asked.wait()
            runtime.cancel("one")
            go_on.set()
        with anyio.fail_after(30):
            assert (await runtime.wait("one")).status == "cancelled"
            log: list[Any] = [event async for event in runtime.follow("one")]
    assert kinds(log)[4:] == ["WorkflowResumed", "NodeCancelled", "NodeCancelled", "WorkflowCompleted"]


async def test_nobody_takes_up_what_has_ended_here_and_is_not_on_the_disk_yet(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = threading.Event()
    commit = SqliteStore.commit

    def waiting(store: SqliteStore, changes: Any) -> Any:
        if any(kinds(change.events[-1:]) == ["WorkflowCompleted"] for change in changes):
            free.wait()
        return commit(store, changes)

    claimed: list[str] = []
    claim = SqliteStore.claim

    def noting(store: SqliteStore, execution_id: Any, owner: int) -> Any:
        claimed.append(execution_id)
        return claim(store, execution_id, owner)

    monkeypatch.setattr(SqliteStore, "commit", waiting)
    monkeypatch.setattr(SqliteStore, "claim", noting)
    async with on(database, name="mine") as runtime:
        execution_id = await runtime.submit(WAIT)
        with anyio.fail_after(30):
            async for event in runtime.follow(execution_id):
                if isinstance(event, NodeWaiting):
                    break
        runtime.signal(execution_id, "go")
        await until(lambda: not runtime._supervisor.has(execution_id))
        runtime._recovery.recover([execution_id])
        await until(lambda: not runtime._recovery._tasks)
        free.set()
        with anyio.fail_after(30):
            await runtime.wait(execution_id)
    assert claimed == []
    assert not [record for record in caplog.records if "not resumed" in record.message]


async def test_why_one_is_not_taken_up_is_told_once_however_often_it_is_tried(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(store: SqliteStore, execution_id: Any, owner: int) -> Any:
        raise StoreUnavailable("The database is locked.", code="store.locked")

    leave(database, WAIT, numbered(begun()))
    monkeypatch.setattr(SqliteStore, "claim", locked)
    async with on(database) as runtime:
        for _ in range(3):
            runtime._recovery.recover([ExecutionId("one")])
            await until(lambda: not runtime._recovery._tasks)
    assert len([record for record in caplog.records if "not resumed" in record.message]) == 1
