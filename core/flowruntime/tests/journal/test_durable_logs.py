"""In a database an event is decided, then durable, then told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest
from flowcore.contracts import Change, Page
from flowcore.errors import ExecutionError, StoreError
from flowcore.events import Event, ExecutionId
from flowruntime.journal import HistoryGap, Journal
from flowruntime.journal.durable import MAX_AHEAD, TAIL_EVENTS
from flowruntime.stores import MemoryStore
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore

from core.flowruntime.tests.journal.keeping import (
    ONE,
    WORKFLOW,
    Disk,
    begin,
    completed,
    journal_on,
    started,
    turns_until,
)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "flow.db")


async def collect(journal: Journal, execution_id: str = ONE, after: int = 0) -> list[Event | HistoryGap]:
    with anyio.fail_after(30):
        return [event async for event in journal.follow(execution_id, after)]


async def test_nobody_is_told_of_an_event_before_it_is_durable(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        log = begin(journal)
        await log.until_durable(1)
        disk.hold()
        log.append(started(2))
        told: list[Event | HistoryGap] = []

        async def follow() -> None:
            async for event in journal.follow(ONE):
                told.append(event)  # noqa: PERF401 - looked at while it grows

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            waiting = asyncio.ensure_future(log.until_durable(2))
            await turns_until(lambda: len(told) == 1)
            assert (log.seq, log.durable_seq, waiting.done()) == (2, 1, False)
            disk.let_go()
            await waiting
            assert log.durable_seq == 2
            await turns_until(lambda: len(told) == 2)
            log.append(completed(3))
            journal.close_log(log)
    assert [event.seq for event in told if not isinstance(event, HistoryGap)] == [1, 2, 3]


async def test_a_commit_takes_all_that_has_arrived_of_all_executions(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        logs = [begin(journal, f"e{number}") for number in range(20)]
        for log in logs:
            await log.until_durable(1)
        disk.hold()
        logs[0].append(started(2))  # whether it comes alone or not, the writer is held up by it
        await turns_until(lambda: not logs[0].pending)
        before = len(disk.commits)
        for seq in range(3, 303):
            for log in logs:
                log.append(started(seq - (log is not logs[0])))
        disk.let_go()
        for log in logs:
            await log.until_durable(log.seq)
        assert disk.commits[before:] == [1, 20 * 300]


async def test_a_follower_who_comes_late_gets_what_is_in_memory_no_more(disk: Disk) -> None:
    count = 3 * TAIL_EVENTS
    async with journal_on(disk) as journal:
        log = begin(journal)
        for seq in range(2, count):
            log.append(started(seq))
            if seq % 1_000 == 0:
                await log.until_durable(seq)
        log.append(completed(count))
        await log.until_durable(count)
        running = [asyncio.ensure_future(collect(journal)) for _ in range(3)]
        await turns_until(lambda: all(task.done() for task in running))
        journal.close_log(log)
        ended = await collect(journal, after=count - 10)
    for task in running:
        assert [event.seq for event in task.result()] == list(range(1, count + 1))  # type: ignore[union-attr]
    assert [event.seq for event in ended] == list(range(count - 9, count + 1))  # type: ignore[union-attr]


async def test_followers_who_come_late_together_read_the_database_once(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[int] = []
    read = Disk.read

    def counting(self: Disk, execution_id: ExecutionId, after: int = 0, limit: int = 1000) -> Page:
        pages.append(after)
        return read(self, execution_id, after, limit)

    monkeypatch.setattr(Disk, "read", counting)
    async with journal_on(disk) as journal:
        log = begin(journal)
        for seq in range(2, 12_000):
            log.append(started(seq))
        log.append(completed(12_000))
        journal.close_log(log)
        await log.until_durable(12_000)
        together = [asyncio.ensure_future(collect(journal)) for _ in range(50)]
        leaver = asyncio.ensure_future(collect(journal))
        await anyio.lowlevel.checkpoint()
        leaver.cancel()
        for follower in together:
            assert [event.seq for event in await follower] == list(range(1, 12_001))  # type: ignore[union-attr]
    assert len(pages) == len(set(pages)) == 3


async def test_a_hundred_followers_see_every_event_of_an_execution_that_runs(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        log = begin(journal)
        followers = [asyncio.ensure_future(collect(journal)) for _ in range(100)]
        for seq in range(2, 200):
            log.append(started(seq))
            if seq % 10 == 0:
                await anyio.lowlevel.checkpoint()
        log.append(completed(200))
        journal.close_log(log)
        for follower in followers:
            assert [event.seq for event in await follower] == list(range(1, 201))  # type: ignore[union-attr]


async def test_what_was_decided_before_the_end_is_durable_when_the_journal_is_closed(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "flow.db")
    async with journal_on(disk) as journal:
        log = begin(journal)
        for seq in range(2, 1_000):
            log.append(started(seq))
        journal.close_log(log)
    store = SqliteStore(tmp_path / "flow.db")
    store.open()
    assert [event.seq for event in store.read(ONE).events] == list(range(1, 1_000))
    store.close()


async def test_an_execution_that_another_process_goes_on_with_stops_here(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        log, other = begin(journal), begin(journal, "other")
        await log.until_durable(1)
        thief = SqliteStore(disk.path)
        thief.open()
        thief.commit([Change(ONE, [started(2)], token=1)])
        thief.close()
        log.append(started(2))
        with pytest.raises(StoreError) as caught:
            await log.until_durable(2)
        assert caught.value.code == "store.gap"
        log.append(started(3))
        with pytest.raises(StoreError):
            await log.until_durable(3)
        other.append(started(2))
        await other.until_durable(2)
        journal.close_log(log)
        assert len(journal.read(ONE).events) == 2


async def test_with_a_full_disk_nothing_begins_and_what_runs_goes_on_when_there_is_room(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with journal_on(disk) as journal:
        log = begin(journal)
        await log.until_durable(1)
        disk.full = True
        for seq in range(2, 500):
            log.append(started(seq))
        unkept = begin(journal, "unkept")
        with pytest.raises(StoreError) as caught:
            await unkept.until_durable(1)
        assert caught.value.code == "store.full"
        with pytest.raises(StoreError) as caught:
            begin(journal, "refused")
        assert caught.value.code == "store.full"
        assert journal.trouble is not None
        assert log.durable_seq == 1
        disk.full = False
        with anyio.fail_after(30):
            await log.until_durable(499)
        assert journal.trouble is None
        assert [event.seq for event in journal.read(ONE).events] == list(range(1, 500))
        begin(journal, "accepted")
    assert [record.message for record in caplog.records] == [
        "The disk is full. Check the database URL given by --db. Executions wait until it can be written again.",
        "The database can be written again.",
    ]


async def test_closing_while_the_disk_is_full_says_what_is_lost(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(disk)
    await journal.open(this_process())
    log = begin(journal)
    await log.until_durable(1)
    disk.full = True
    log.append(completed(2))
    journal.close_log(log)
    with pytest.raises(StoreError) as caught, anyio.fail_after(30):
        await journal.close()
    assert caught.value.code == "store.full"
    assert "lost" in caplog.text


async def test_an_unknown_execution_is_told_to_those_who_follow_it(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        with pytest.raises(ExecutionError) as caught:
            await collect(journal, "nobody")
        assert caught.value.code == "execution.unknown"


async def test_a_journal_that_is_not_open_begins_nothing(disk: Disk) -> None:
    with pytest.raises(StoreError) as caught:
        begin(Journal(disk))
    assert caught.value.code == "store.closed"


async def test_in_memory_everything_is_durable_at_once() -> None:
    journal = Journal(MemoryStore())
    await journal.open(this_process())
    log = begin(journal)
    log.append(started(2))
    await log.until_durable(2)
    assert (log.is_blocking, log.durable_seq, log.listening) == (False, 2, False)
    await journal.close()
    assert journal.record(ONE).workflow == WORKFLOW


async def test_an_execution_waits_for_the_disk_before_memory_grows(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        log = begin(journal)
        await log.until_durable(1)
        disk.hold()
        for seq in range(2, MAX_AHEAD + 2):
            log.append(started(seq))
        await log.until_room()  # so many may wait
        log.append(started(MAX_AHEAD + 2))
        waiting = asyncio.ensure_future(log.until_room())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        disk.let_go()
        with anyio.fail_after(30):
            await waiting
        journal.close_log(log)


async def test_what_has_ended_waits_for_no_room(disk: Disk) -> None:
    async with journal_on(disk) as journal:
        log = begin(journal)
        await log.until_durable(1)
        disk.hold()
        for seq in range(2, MAX_AHEAD + 10):
            log.append(started(seq))
        waiting = asyncio.ensure_future(log.until_room())
        await asyncio.sleep(0)
        journal.close_log(log)
        with anyio.fail_after(30):
            await waiting
        disk.let_go()
