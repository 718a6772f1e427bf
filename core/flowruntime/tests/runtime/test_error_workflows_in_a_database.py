"""An error workflow is kept with the end of the execution that failed: one for each failure, whoever runs it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from flowcore.contracts import StoreUnavailable
from flowcore.documents import parse_workflow
from flowcore.errors import ExecutionError
from flowcore.events import TOP, NodeCancelled, NodeFailed
from flowcore.executions import Execution
from flowruntime import Runtime
from flowruntime.authoring import node
from flowruntime.stores.sqlite import SqliteStore

from core.flowruntime.tests.runtime.interrupted import BEGAN_US, begun, leave, numbered, resumptions, started
from tests.engine_nodes import ALL, connect, workflow

pytestmark = pytest.mark.anyio

SETTINGS = {"on_error_workflow": "handler"}
WAIT = {"id": "w", "node_type": "control.wait", "config": {"signal": "go"}}


@node("local.effect", effects="write")
async def effect() -> int:
    """Waits for the disk before it begins."""
    return 1


@node("local.kept", effects="write")
async def kept() -> None:
    """When this has begun, what came before it is on the disk."""


NODES = [*ALL, effect, kept]
HANDLER: dict[str, Any] = {**workflow({"e": "effect"}), "id": "handler", "name": "handler"}
WAITING: dict[str, Any] = {"id": "handler", "name": "handler", "nodes": [WAIT]}
FAILING: dict[str, Any] = {**workflow({"a": "fail"}), "settings": SETTINGS}
#: Its failure comes after its beginning is on the disk, and so in another commit.
FAILING_LATER: dict[str, Any] = {**workflow({"k": "kept", "a": "fail"}, "k.done -> a.after"), "settings": SETTINGS}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is clear, no failure gets to the disk."""
    free = threading.Event()
    free.set()
    commit = SqliteStore.commit

    def waiting(store: SqliteStore, changes: Any) -> Any:
        if any(change.follower is not None for change in changes):
            free.wait()
        return commit(store, changes)

    monkeypatch.setattr(SqliteStore, "commit", waiting)
    yield free
    free.set()


@asynccontextmanager
async def letting_go(disk: threading.Event) -> AsyncIterator[None]:
    """Whatever happens, the runtime around this can be closed."""
    try:
        yield
    finally:
        disk.set()


def on(database: Path, **options: Any) -> Runtime:
    return Runtime(f"sqlite:///{database}", nodes=options.pop("nodes", NODES), **options)


def views(database: Path) -> list[Execution]:
    """All executions as they stand, the oldest first."""
    store = SqliteStore(database)
    store.open()
    found = [
        Execution.fold(summary.execution_id, store.read(summary.execution_id).events)
        for summary in reversed(store.executions())
    ]
    store.close()
    return found


def ends(database: Path) -> list[tuple[str, str]]:
    return [(view.workflow_id, view.status) for view in views(database)]


async def taken_up(database: Path, execution_id: str = "one", **options: Any) -> None:
    """Resume it, and wait for its end and those of error workflows."""
    async with on(database, **options) as runtime:
        await runtime.resume(execution_id)
        with anyio.fail_after(30):
            await runtime.wait(execution_id)


async def failing_with(database: Path, handler: dict[str, Any], **options: Any) -> None:
    """A failure with this error workflow, and an exception behind it, so that nobody waits for that."""
    with suppress(KeyboardInterrupt):
        async with on(database, **options) as runtime:
            runtime.workflows.add(handler)
            await runtime.run(FAILING)
            raise KeyboardInterrupt


async def test_who_was_interrupted_and_fails_afterwards_has_its_error_workflow(database: Path) -> None:
    document = {**workflow({"a": "fail"}), "settings": SETTINGS}
    leave(database, document, numbered(begun(), started("a")), named={"handler": parse_workflow(HANDLER)})
    await taken_up(database)
    assert ends(database) == [("test", "failed"), ("handler", "succeeded")]
    assert views(database)[1].origin == {"type": "Error", "execution_id": "one"}


async def test_a_limit_that_is_over_when_it_is_taken_up_has_it_as_well(database: Path) -> None:
    document = {**workflow({"a": "nap"}), "settings": {**SETTINGS, "max_execution_time_ms": 1_000}}
    log = numbered(
        begun(), started("a"), NodeCancelled(0, BEGAN_US + 2_000_000, TOP, "a", 1, "the execution took too long", None)
    )
    leave(database, document, log, named={"handler": parse_workflow(HANDLER)})
    await taken_up(database)
    assert ends(database) == [("test", "failed"), ("handler", "succeeded")]


async def test_a_failure_whose_end_was_not_kept_has_it_once(database: Path) -> None:
    error = {"type": "X", "code": "x", "message": "It broke.", "retryable": False}
    log = numbered(begun(), started("a"), NodeFailed(0, BEGAN_US, TOP, "a", 1, error, "stop", 1.0, None))
    leave(database, FAILING, log, named={"handler": parse_workflow(HANDLER)})
    await taken_up(database)
    assert ends(database) == [("test", "failed"), ("handler", "succeeded")]
    assert views(database)[1].inputs["error"]["message"] == "It broke."


async def test_what_is_set_aside_or_cancelled_has_none(database: Path) -> None:
    named = {"handler": parse_workflow(HANDLER)}
    leave(database, FAILING, numbered(begun(), started("a"), *resumptions(5)), named=named)
    leave(database, {**workflow({"w": "nap"}), "settings": SETTINGS}, [begun()], execution_id="two", named=named)
    async with on(database) as runtime:
        with pytest.raises(ExecutionError):
            await runtime.resume("one")
        await runtime.resume("two")
        runtime.cancel("two")
        await runtime.wait("two")
    assert {view.execution_id: view.status for view in views(database)} == {"one": "running", "two": "cancelled"}


async def test_an_error_workflow_that_fails_after_it_was_taken_up_has_none(database: Path) -> None:
    first = begun()._replace(inputs={"error": {}}, origin={"type": "Error", "execution_id": "another"})
    leave(database, FAILING, [first], named={"handler": parse_workflow(HANDLER)})
    await taken_up(database)
    assert ends(database) == [("test", "failed")]


async def test_the_next_runtime_of_its_name_goes_on_with_it(database: Path) -> None:
    await failing_with(database, WAITING, name="shop")
    assert [status for _, status in ends(database)] == ["failed", "waiting"]
    async with on(database, name="shop") as runtime:
        with anyio.fail_after(30):
            while not runtime._supervisor._open:
                await anyio.lowlevel.checkpoint()
            (execution_id,) = runtime._supervisor._open
            while not runtime._supervisor._open[execution_id][0].top.machine.signals:
                await anyio.lowlevel.checkpoint()
            runtime.signal(execution_id, "go")
            assert (await runtime.wait(execution_id)).success
    assert len(views(database)) == 2


async def test_a_runtime_without_a_name_cancels_it_when_an_exception_ends_its_block(database: Path) -> None:
    await failing_with(database, WAITING)
    assert ends(database) == [("test", "failed"), ("handler", "cancelled")]


async def test_it_runs_what_was_under_the_names_at_the_start_of_the_failure(database: Path) -> None:
    def giving(value: int) -> dict[str, Any]:
        return {**workflow({"g": {"node_type": "give", "config": {"value": value}}}), "id": "given", "name": "given"}

    handler = {
        "name": "handler",
        "nodes": [{"id": "s", "node_type": "control.subflow", "config": {"workflow": "given"}}],
        "outputs": {"gave": "${{ nodes.s.output.g.result }}"},
    }
    nodes = [WAIT, {"id": "f", "node_type": "local.fail"}]
    waiting = {"name": "test", "nodes": nodes, "connections": connect("w.done -> f.after"), "settings": SETTINGS}
    async with on(database) as runtime:
        runtime.workflows.add(giving(1))
        runtime.workflows.add(handler)
        waits = await runtime.submit(waiting)
        while not runtime._supervisor._open[waits][0].top.machine.signals:
            await anyio.lowlevel.checkpoint()
        runtime.workflows.add(giving(2))
        runtime.signal(waits, "go")
        await runtime.wait(waits)
        assert (await runtime.run("handler")).outputs == {"gave": 2}  # and is not run by others
    assert [view.outputs for view in views(database) if view.workflow_id == "handler"] == [{"gave": 1}, {"gave": 2}]
    store = SqliteStore(database)
    store.open()
    told = next(view for view in views(database) if view.origin["type"] == "Error")
    record = store.record(told.execution_id)
    store.close()
    assert record is not None
    assert [list(record.named), record.named["given"].nodes[0].config] == [["given"], {"value": 1}]


@pytest.mark.parametrize(("began", "here"), [("public", "open"), ("open", "public")])
async def test_the_stricter_network_policy_holds_for_it(database: Path, began: str, here: Any) -> None:
    leave(database, FAILING, [begun(net=began)], named={"handler": parse_workflow(HANDLER)})
    await taken_up(database, net=here)
    assert views(database)[1].origin["net"] == "public"


async def test_its_effects_wait_until_the_failure_is_on_the_disk(database: Path, disk: threading.Event) -> None:
    effects: list[int] = []

    @node("local.effect", effects="write")
    async def effect() -> int:
        """Waits for the disk before it begins."""
        effects.append(1)
        return 1

    async with on(database, nodes=[*ALL, effect, kept]) as runtime, letting_go(disk):
        runtime.workflows.add(HANDLER)
        disk.clear()
        execution_id = await runtime.submit(FAILING_LATER)
        while execution_id in runtime._supervisor._open:
            await anyio.lowlevel.checkpoint()
        (told,) = runtime._supervisor._open
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert effects == []
        assert [status for _, status in ends(database)] in (["pending"], ["running"])
        disk.set()
        with anyio.fail_after(30):
            assert (await runtime.wait(told)).success
    assert effects == [1]


async def test_it_begins_when_a_disk_is_back_that_was_full_at_the_failure(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]
    commit = SqliteStore.commit

    def refusing(store: SqliteStore, changes: Any) -> Any:
        if full and any(change.follower is not None for change in changes):
            raise StoreUnavailable("The disk is full.", code="store.full")
        return commit(store, changes)

    monkeypatch.setattr(SqliteStore, "commit", refusing)
    async with on(database) as runtime:
        runtime.workflows.add(HANDLER)
        execution_id = await runtime.submit(FAILING_LATER)
        with anyio.fail_after(30):
            while runtime._journal.trouble is None:
                await anyio.lowlevel.checkpoint()
        full.clear()
        with anyio.fail_after(30):
            assert (await runtime.wait(execution_id)).status == "failed"
    assert ends(database) == [("test", "failed"), ("handler", "succeeded")]


async def test_a_failure_that_the_store_refuses_has_none(database: Path, disk: threading.Event) -> None:
    async with on(database) as runtime, letting_go(disk):
        runtime.workflows.add(HANDLER)
        disk.clear()
        execution_id = await runtime.submit(FAILING_LATER)
        while execution_id in runtime._supervisor._open:
            await anyio.lowlevel.checkpoint()
        assert len(runtime._supervisor._open) == 1
        assert runtime._journal.owner is not None
        thief = SqliteStore(database)
        thief.open()
        thief.leave(runtime._journal.owner.number)
        thief.close()
        disk.set()
        with anyio.fail_after(30):
            while runtime._supervisor._open:
                await anyio.lowlevel.checkpoint()
    ((workflow_id, status),) = ends(database)
    assert (workflow_id, status != "failed") == ("test", True)
