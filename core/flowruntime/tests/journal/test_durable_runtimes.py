"""A runtime with a database answers once the disk has what it says, and knows what earlier ones ran."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from flowcore.contracts import Change
from flowcore.errors import ExecutionError, StoreError
from flowruntime import Runtime
from flowruntime.stores.sqlite import SqliteStore

from core.flowruntime.tests.journal.keeping import turns_until

WORKFLOW = {
    "name": "two",
    "nodes": [{"id": "a", "node_type": "debug.noop"}, {"id": "b", "node_type": "debug.noop"}],
    "connections": [{"from_node": "a", "from_port": "x", "to_node": "b", "to_port": "x"}],
}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Commits wait until this is set."""
    free = threading.Event()
    commit = SqliteStore.commit

    def waiting(self: SqliteStore, changes: Sequence[Change]) -> list[StoreError | None]:
        free.wait()
        return commit(self, changes)

    monkeypatch.setattr(SqliteStore, "commit", waiting)
    yield free
    free.set()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/flow.db"


async def test_submit_run_and_wait_answer_when_the_disk_has_it(url: str, disk: threading.Event) -> None:
    async with Runtime(url) as runtime:
        submitted = asyncio.ensure_future(runtime.submit(WORKFLOW, {"x": 1}))
        run = asyncio.ensure_future(runtime.run(WORKFLOW, {"x": 2}))
        turns: list[None] = []

        def had_turns() -> bool:
            turns.append(None)
            return len(turns) > 1_000

        await turns_until(had_turns)  # the loop goes on while the disk hangs
        assert (submitted.done(), run.done()) == (False, False)
        disk.set()
        assert (await run).outputs == {"b": {"x": 2}}
        execution_id = await submitted
        assert (await runtime.wait(execution_id)).outputs == {"b": {"x": 1}}
        assert runtime.snapshot(execution_id).status == "succeeded"


async def test_an_execution_of_an_earlier_runtime_can_be_waited_for_followed_and_looked_at(url: str) -> None:
    async with Runtime(url) as runtime:
        execution_id = await runtime.submit(WORKFLOW, {"x": [2**63 - 1, 0.1]})
        result = await runtime.wait(execution_id)
        events = [event async for event in runtime.follow(execution_id)]
    async with Runtime(url) as runtime:
        assert await runtime.wait(execution_id) == result
        assert [event async for event in runtime.follow(execution_id)] == events
        assert runtime.snapshot(execution_id).status == "succeeded"
        with pytest.raises(ExecutionError) as caught:
            await runtime.wait("nobody")
        assert caught.value.code == "execution.unknown"


async def test_a_runtime_may_be_entered_again(url: str) -> None:
    runtime = Runtime(url)
    for number in range(3):
        async with runtime:
            assert (await runtime.run(WORKFLOW, {"x": number})).success


async def test_executions_that_run_when_the_runtime_is_left_are_kept_with_their_end(url: str, tmp_path: Path) -> None:
    document: Any = {"name": "w", "nodes": [{"id": "w", "node_type": "control.wait", "config": {"signal": "go"}}]}
    async with Runtime(url) as runtime:
        ids = [await runtime.submit(document) for _ in range(5)]
    store = SqliteStore(tmp_path / "flow.db")
    store.open()
    assert [summary.execution_id for summary in store.executions(status="cancelled")] == ids[::-1]
    store.close()


async def test_a_database_that_cannot_be_opened_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "flow.db").write_text("This is a letter. " * 100)
    runtime = Runtime(f"sqlite:///{tmp_path}/flow.db")
    with pytest.raises(StoreError) as caught:
        async with runtime:
            pass
    assert caught.value.code == "store.foreign"
    with pytest.raises(StoreError):
        Runtime("postgres://host/db")


async def test_two_runtimes_share_one_database(url: str) -> None:
    async with Runtime(url) as one, Runtime(url) as other, anyio.create_task_group() as tasks:
        for runtime in (one, other):
            for number in range(20):
                tasks.start_soon(runtime.run, WORKFLOW, {"x": number})
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    assert connection.execute("SELECT count(*), min(status) FROM executions").fetchone() == (40, "succeeded")
    assert connection.execute("SELECT count(*) FROM documents").fetchone() == (1,)
    connection.close()
