"""The database cannot be written in the middle of a run: no effect happens meanwhile, and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.events import ExecutionId, NodeStarted
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.stores.sqlite import SqliteStore

from tests.faults.small_disks import fill, small_disk

STEPS = 200
#: At this step the trouble begins.
MIDDLE = 80
EFFECTS: list[tuple[str, int]] = []
TROUBLE: list[Callable[[], None]] = []


@node(effects="write")
async def act(ctx: Context, value: int = 0) -> int:
    """Add one, with an effect."""
    if value == MIDDLE and TROUBLE:
        TROUBLE.pop()()
    EFFECTS.append((ctx.node_id, ctx.attempt))
    return value + 1


WORKFLOW = {
    "name": "steps",
    "nodes": [{"id": f"n{number}", "node_type": "local.act"} for number in range(STEPS)],
    "connections": [
        {"from_node": f"n{number}", "from_port": "result", "to_node": f"n{number + 1}", "to_port": "value"}
        for number in range(STEPS - 1)
    ],
    "outputs": {"steps": f"${{{{ nodes.n{STEPS - 1}.result }}}}"},
}


async def run_through(database: Path, trouble: Callable[[], None], *, code: str, over: Callable[[], None]) -> None:
    """Run it; when it has been troubled for long enough to be told, the trouble is over."""
    EFFECTS.clear()
    TROUBLE[:] = [trouble]
    async with Runtime(f"sqlite:///{database}", nodes=[act]) as runtime:
        execution_id = await runtime.submit(WORKFLOW)
        with anyio.fail_after(30):
            while runtime._journal.trouble is None:
                await anyio.lowlevel.checkpoint()
        assert runtime._journal.trouble.code == code
        for _ in range(1_000):
            await anyio.lowlevel.checkpoint()
        # The one that was running when it began, and none after it.
        assert len(EFFECTS) == MIDDLE + 1
        assert runtime.snapshot(execution_id).status == "running"
        over()
        with anyio.fail_after(30):
            result = await runtime.wait(execution_id)
    assert result.outputs == {"steps": STEPS}
    assert [(f"n{number}", 1) for number in range(STEPS)] == EFFECTS
    log = log_of(database, execution_id)
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert sum(isinstance(event, NodeStarted) for event in log) == STEPS


def log_of(database: Path, execution_id: str) -> list[Any]:
    store = SqliteStore(database)
    store.open()
    try:
        return list(store.read(ExecutionId(execution_id), limit=10_000).events)
    finally:
        store.close()


async def test_a_run_waits_for_room_on_a_full_disk_and_goes_on_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kib=16 * 1024) as disk:  # the write-ahead log alone may take 4
        ballast: list[Path] = []

        def make_room() -> None:
            ballast.pop().unlink()

        await run_through(disk / "flow.db", lambda: ballast.append(fill(disk)), code="store.full", over=make_room)


async def test_a_run_waits_for_a_lock_of_somebody_else_and_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "flow.db"
    monkeypatch.setattr("flowruntime.runtime.runtime.store_for", lambda _: SqliteStore(database, busy_seconds=0.05))
    others = sqlite3.connect(":memory:", isolation_level=None)
    others.execute("ATTACH ? AS flow", (str(database),))

    def tell(word: str) -> None:
        others.execute(word)

    try:
        await run_through(database, lambda: tell("BEGIN EXCLUSIVE"), code="store.locked", over=lambda: tell("ROLLBACK"))
    finally:
        others.close()
