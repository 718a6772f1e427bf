"""What comes to nothing again and again is set aside, until somebody says that it shall go on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.events import (
    TOP,
    Event,
    ExecutionId,
    NodeCompleted,
    NodeInterrupted,
    WorkflowResumed,
)
from flowruntime.authoring import Context, node
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore

from core.flowruntime.tests.runtime.interrupted import (
    GIVE,
    TWO,
    begun,
    ended,
    interruptions,
    kinds,
    leave,
    numbered,
    on,
    record_of,
    refusal,
    resumptions,
    started,
    until_status,
)
from tests.engine_nodes import workflow

pytestmark = pytest.mark.anyio


async def test_five_recoveries_without_progress_are_borne_and_the_next_one_sets_it_aside(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), started("g"), *resumptions(4)))
    assert (await ended(database))[0].status == "succeeded"
    leave(database, GIVE, numbered(begun(), started("g"), *resumptions(5)), execution_id="two")
    error = await refusal(database, "two")
    assert error.code == "execution.quarantined"
    assert "'two'" in error.message
    assert "resume ID" in error.remedy
    record = record_of(database, "two")
    assert (record.status, "5 times" in record.quarantine) == ("quarantined", True)


async def test_nothing_runs_before_it_is_on_the_disk_that_it_was_taken_up(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    @node("local.run", effects="pure")
    async def run(ctx: Context) -> None:
        """Might end its process."""
        ran.append(ctx.attempt)

    free, commit = threading.Event(), SqliteStore.commit

    def waiting(store: SqliteStore, changes: Any) -> Any:
        free.wait()
        return commit(store, changes)

    leave(database, workflow({"r": "run"}), numbered(begun(), started("r")))
    monkeypatch.setattr(SqliteStore, "commit", waiting)
    async with on(database, nodes=[run]) as runtime:
        await runtime.resume("one")
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
        ran_before = ran.copy()
        free.set()
        assert (await runtime.wait("one")).success
    assert (ran_before, ran) == ([], [2])


async def test_what_never_gets_beyond_its_first_event_is_counted_as_well(database: Path) -> None:
    leave(database, GIVE, [begun()])
    store = SqliteStore(database)
    store.open()
    number = store.register(this_process(), lease_seconds=600).number
    for _ in range(2):
        store.release(ExecutionId("one"), store.claim(ExecutionId("one"), number).token)
    store.close()
    result, log = await ended(database)
    assert result.success
    assert kinds(log)[:2] == ["WorkflowStarted", "WorkflowResumed"]


async def test_a_sixth_interruption_of_one_node_sets_it_aside_though_others_came_on(database: Path) -> None:
    progress: list[Event] = [started("h"), NodeCompleted(0, begun().at_us, TOP, "h", 1, {"result": 1}, 1.0, None, None)]
    leave(database, TWO, numbered(begun(), *interruptions("g", 4), *progress))
    assert (await ended(database))[0].status == "succeeded"
    leave(database, TWO, numbered(begun(), *interruptions("g", 5), *progress), execution_id="two")
    assert "'g'" in (await refusal(database, "two")).message
    assert record_of(database, "two").status == "quarantined"


async def test_who_takes_it_out_of_quarantine_by_hand_begins_counting_anew(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), *interruptions("g", 5)))
    await refusal(database)
    result, log = await ended(database)
    assert result.status == "succeeded"
    assert log[-5:-4] == [event for event in log if isinstance(event, WorkflowResumed)][-1:]
    assert "quarantine" in log[-5].reason
    assert record_of(database).quarantine is None


async def test_what_is_set_aside_before_its_log_is_closed_harms_nobody(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(database, GIVE, numbered(begun(), *interruptions("g", 5)))
    is_aside = threading.Event()
    commit, quarantine = SqliteStore.commit, SqliteStore.quarantine

    def late(self: SqliteStore, changes: Any) -> Any:
        assert is_aside.wait(30)
        return commit(self, changes)

    def first(self: SqliteStore, *words: Any) -> None:
        quarantine(self, *words)
        is_aside.set()

    monkeypatch.setattr(SqliteStore, "commit", late)
    monkeypatch.setattr(SqliteStore, "quarantine", first)
    await refusal(database)
    assert record_of(database).status == "quarantined"


async def test_what_was_released_once_bears_five_further_interruptions(database: Path) -> None:
    released = WorkflowResumed(0, begun().at_us, "it was taken out of quarantine")
    again: list[Event] = [NodeInterrupted(0, begun().at_us, TOP, "g", 6), started("g", 7)]
    leave(database, GIVE, numbered(begun(), *interruptions("g", 5), released, *again))
    assert (await ended(database))[0].status == "succeeded"


async def test_what_is_in_quarantine_is_not_taken_up_by_itself(database: Path) -> None:
    leave(database, GIVE, numbered(begun(), *interruptions("g", 5)), recovery="mine")
    leave(database, GIVE, numbered(begun()), execution_id="two", recovery="mine")
    async with on(database, name="mine") as runtime:
        await until_status(runtime, "two", "succeeded")
        assert runtime._journal.record("one").status == "quarantined"
    async with on(database, name="mine") as runtime:
        leave(database, GIVE, numbered(begun()), execution_id="three", recovery="mine")
    async with on(database, name="mine") as runtime:
        await until_status(runtime, "three", "succeeded")
        assert runtime._journal.record("one").status == "quarantined"
