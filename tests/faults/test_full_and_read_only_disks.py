"""A disk that is full or read-only is told; what runs waits for it and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from flowcore.contracts import StoreUnavailable
from flowcore.errors import StoreError
from flowcore.events import ExecutionId, NodeWaiting
from flowruntime import Runtime
from flowruntime.stores.sqlite import SqliteStore

from tests.faults.small_disks import fill, remount, small_disk

WAITING = {
    "name": "waiting",
    "nodes": [{"id": "wait", "node_type": "control.wait", "config": {"signal": "go"}}],
}
QUICK = {"name": "quick", "nodes": [{"id": "a", "node_type": "debug.noop"}]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


async def test_on_a_full_disk_nothing_begins_and_what_runs_ends_once_there_is_room(disk: Path) -> None:
    async with Runtime(f"sqlite:///{disk}/flow.db") as runtime:
        waiting = await runtime.submit(WAITING)
        async for event in runtime.follow(waiting):
            if isinstance(event, NodeWaiting):
                break
        ballast = fill(disk)
        with pytest.raises(StoreUnavailable) as caught:
            await runtime.run(QUICK)
        assert caught.value.code == "store.full"
        with pytest.raises(StoreUnavailable):
            await runtime.submit(QUICK)
        runtime.signal(waiting, "go")
        ended: list[str] = []

        async def wait() -> None:
            ended.append((await runtime.wait(waiting)).status)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for _ in range(1_000):
                await anyio.lowlevel.checkpoint()
            assert ended == []
            ballast.unlink()
        assert ended == ["succeeded"]
        assert (await runtime.run(QUICK)).status == "succeeded"
    store = SqliteStore(disk / "flow.db")
    store.open()
    for summary in store.executions():
        seqs = [event.seq for event in store.read(ExecutionId(summary.execution_id)).events]
        assert seqs == list(range(1, summary.seq + 1))
    assert store.record(ExecutionId(waiting)) is not None
    store.close()


async def test_a_database_on_a_full_disk_is_told_when_it_is_opened(disk: Path) -> None:
    fill(disk)
    with pytest.raises(StoreError) as caught:
        async with Runtime(f"sqlite:///{disk}/flow.db"):
            pass
    assert caught.value.code in {"store.full", "store.io", "store.unopened"}
    assert caught.value.remedy


async def test_a_read_only_database_is_told_when_it_is_opened(disk: Path) -> None:
    async with Runtime(f"sqlite:///{disk}/flow.db") as runtime:
        await runtime.run(QUICK)
    remount(disk, "ro")
    with pytest.raises(StoreError) as caught:
        async with Runtime(f"sqlite:///{disk}/flow.db"):
            pass
    assert caught.value.code in {"store.read_only", "store.unopened"}
    remount(disk, "rw")
    async with Runtime(f"sqlite:///{disk}/flow.db") as runtime:
        assert (await runtime.run(QUICK)).status == "succeeded"
