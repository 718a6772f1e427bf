"""What a disk that is slow, or full for long, does to attempts and to those who ask for something."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from flowcore.contracts import Request
from flowcore.events import NodeStarted
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.engine import Supervisor
from flowruntime.engine.executor import Executor
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing import ManualClock

from core.flowruntime.tests.runtime.interrupted import begun, leave, numbered, started
from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("naps", [False, True])
async def test_the_time_in_which_the_disk_keeps_a_write_waiting_is_no_part_of_its_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naps: bool
) -> None:
    free, clock = threading.Event(), ManualClock()
    commit = SqliteStore.commit

    def waiting(store: SqliteStore, changes: Any) -> Any:
        if any(
            isinstance(event, NodeStarted) and event.node_id == "s" for change in changes for event in change.events
        ):
            free.wait()
        return commit(store, changes)

    @node("local.send", effects="write")
    async def send(ctx: Context) -> str:
        if naps:
            await ctx.sleep(60)
        return "sent"

    document = workflow(
        {"g": {"node_type": "nap"}, "s": {"node_type": "send", "timeout_ms": 1_000}}, "g.done -> s.after"
    )
    monkeypatch.setattr(SqliteStore, "commit", waiting)
    async with Runtime(f"sqlite:///{tmp_path}/flow.db", nodes=[*ALL, send], clock=clock) as runtime:
        try:
            execution_id = await runtime.submit(document)
            await until(lambda: clock.sleepers >= 2)
            executor: Executor = runtime._supervisor._open[execution_id][0]
            clock.advance(1)
            await until(lambda: bool(executor.log._waits))  # type: ignore[attr-defined]
            for _ in range(5):
                clock.advance(2)
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
        finally:
            free.set()
        if naps:  # and the control: once it has begun, it has its time and no more
            await until(lambda: executor.log.durable_seq == executor.log.seq)
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            clock.advance(2)
        with anyio.fail_after(30):
            result = await runtime.wait(execution_id)
    if naps:
        assert (result.error or {}).get("code") == "node.timeout"
    else:
        assert (result.error, result.node_outputs.get("s")) == (None, {"result": "sent"})


async def test_an_answer_that_ends_the_execution_is_told_as_taken_however_quick_the_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "flow.db"
    document = workflow({"p": {"node_type": "give", "delivery": "at_most_once"}})
    leave(database, document, numbered(begun(), started("p")))
    store = SqliteStore(database)
    store.open()
    take = Supervisor._take

    def slow(supervisor: Supervisor, executor: Executor, request: Request) -> None:
        take(supervisor, executor, request)
        give_up = threading.Event()
        for _ in range(300):  # the writer is quicker than what is left to be done here
            if executor.over and store.requests.answered(request.number) is not None:
                return
            give_up.wait(0.01)

    monkeypatch.setattr(Supervisor, "_take", slow)
    async with Runtime(f"sqlite:///{database}", nodes=ALL) as runtime:
        await runtime.resume("one")
        body = {"node_id": "p", "path": [], "answer": "value", "value": {"result": 7}}
        number = store.requests.put("one", "answer", body)  # type: ignore[arg-type]
        with anyio.fail_after(30):
            assert (await runtime.wait("one")).outputs == {"p": {"result": 7}}
            await until(lambda: store.requests.answered(number) is not None)
    assert store.requests.answered(number) == {"error": None}
    store.close()
