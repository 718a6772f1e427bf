"""Observers of plugins: told in order, on threads of their own, whatever they do."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flowcore.events import Event, ExecutionId, NodeEvent
from flowruntime import Runtime
from flowruntime.authoring import Context, node
from flowruntime.hooks.observing import Observers

from core.flowruntime.tests.hooks.installed_plugins import GIVEN_UP_SECONDS, Plugins, codes

#: Puts what it is told into a list that the test finds in the module `threading`, which all share.
OBSERVER = """
class Observer:
    def observe(self, execution_id, events):
        threading.flow_told.append((execution_id, tuple(events), threading.current_thread()))

@hookimpl
def observers():
    return [Observer()]
"""
BAD = """
class Bad:
    def observe(self, execution_id, events):
        {}

@hookimpl
def observers():
    return [Bad()]
"""
Told = list[tuple[ExecutionId, tuple[Event, ...], threading.Thread]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    made: Told = []
    monkeypatch.setattr(threading, "flow_told", made, raising=False)
    return made


@pytest.fixture(params=["memory:", "sqlite"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory:" else f"sqlite:///{tmp_path / 'flow.db'}"


@node("count", effects="pure")
async def count(ctx: Context) -> int:
    for number in range(10):
        ctx.events.info(str(number))
        await asyncio.sleep(0)
    return 10


NODES = (count,)
DOCUMENT = {
    "name": "Two",
    "nodes": [{"id": "a", "node_type": "local.count"}, {"id": "b", "node_type": "local.count"}],
}


async def test_every_event_is_told_in_order_on_one_thread(plugins: Plugins, told: Told, db: str) -> None:
    plugins.add("acme", OBSERVER)
    runtime = plugins.runtime(NODES, db=db)
    async with runtime:
        results = await asyncio.gather(*(runtime.run(DOCUMENT) for _ in range(5)))
        kept = {result.execution_id: list(runtime._journal.read(result.execution_id).events) for result in results}
    for execution_id, events in kept.items():
        assert [event for other, batch, _ in told for event in batch if other == execution_id] == events
    assert len({thread for _, _, thread in told}) == 1
    assert threading.main_thread() not in {thread for _, _, thread in told}
    assert codes(runtime) == []


async def test_an_execution_that_is_in_the_middle_of_a_node_is_told_of(
    plugins: Plugins, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saw = threading.Event()

    def look(events: Sequence[Event]) -> None:
        if any(isinstance(event, NodeEvent) for event in events):
            saw.set()

    monkeypatch.setattr(threading, "flow_look", look, raising=False)
    plugins.add("acme", BAD.format("threading.flow_look(events)"))

    @node("blocked", effects="pure")
    async def blocked(ctx: Context) -> None:
        ctx.events.info("here")
        await asyncio.to_thread(saw.wait)

    runtime = plugins.runtime((blocked,), db=db)
    async with runtime:
        result = await runtime.run({"name": "One", "nodes": [{"id": "n", "node_type": "local.blocked"}]})
    assert result.status == "succeeded"


async def test_an_event_is_told_after_it_is_durable(
    plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Any] = []
    other = Runtime(f"sqlite:///{tmp_path / 'flow.db'}")._store

    def look(execution_id: ExecutionId, events: Sequence[Event]) -> None:
        kept = other.read(execution_id, 0, 1000).events
        lost.extend(event for event in events if event not in kept)

    monkeypatch.setattr(threading, "flow_look", look, raising=False)
    plugins.add("acme", BAD.format("threading.flow_look(execution_id, events)"))
    runtime = plugins.runtime(NODES, db=f"sqlite:///{tmp_path / 'flow.db'}")
    async with runtime:
        other.open()
        await runtime.run(DOCUMENT)
    other.close()
    assert (lost, codes(runtime)) == ([], [])


@pytest.mark.parametrize(
    "fault",
    [
        "raise RuntimeError('no')",
        "raise SystemExit(3)",
        "raise type('Untold', (Exception,), {'__str__': lambda self: 1 / 0})",
    ],
)
async def test_an_observer_that_raises_is_reported_once_and_harms_nobody(
    plugins: Plugins, told: Told, db: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowruntime")
    plugins.add("a-bad", BAD.format(fault))
    plugins.add("b-good", OBSERVER)
    runtime = plugins.runtime(NODES, db=db)
    async with runtime:
        results = [await runtime.run(DOCUMENT) for _ in range(3)]
    assert [result.status for result in results] == ["succeeded"] * 3
    assert sum(type(batch[-1]).__name__ == "WorkflowCompleted" for _, batch, _ in told) == 3
    assert codes(runtime) == [("a-bad", "hooks.call")]
    assert len(caplog.records) == 1


async def test_an_observer_that_hangs_holds_up_neither_executions_nor_others(
    plugins: Plugins, told: Told, db: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flowruntime")
    plugins.add("a-bad", BAD.format("threading.Event().wait()"))
    plugins.add("b-good", OBSERVER)
    runtime = plugins.runtime(NODES, db=db)
    hooks = runtime.registry.hooks
    assert hooks is not None
    hooks.limit_seconds = GIVEN_UP_SECONDS
    async with runtime:
        assert (await runtime.run(DOCUMENT)).status == "succeeded"
    assert type(told[-1][1][-1]).__name__ == "WorkflowCompleted"
    (record,) = caplog.records
    assert record.getMessage().startswith("a-bad: its observer has missed ")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise RuntimeError('no')", "hooks.call"),
        ("raise SystemExit(3)", "hooks.call"),
        ("return 3", "hooks.observer"),
        ("return [len]", "hooks.observer"),
        ("return None", None),
    ],
)
async def test_a_hook_that_gives_no_observers_is_recorded_and_the_others_are_told(
    plugins: Plugins, told: Told, body: str, code: str | None
) -> None:
    plugins.add("a-bad", f"@hookimpl\ndef observers():\n    {body}\n")
    plugins.add("b-good", OBSERVER)
    runtime = plugins.runtime(NODES)
    async with runtime:
        await runtime.run(DOCUMENT)
    assert told
    assert codes(runtime) == ([] if code is None else [("a-bad", code)])


def events(count: int, after: int = 0) -> list[Event]:
    return [NodeEvent(after + number + 1, 0, (), "n", 1, "Info", {}) for number in range(count)]


def test_one_that_is_too_far_behind_misses_events_and_is_told_of_later_ones(
    plugins: Plugins, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "flowruntime")
    busy, go_on = threading.Event(), threading.Event()
    first_seqs: list[int] = []

    def look(events: Sequence[Event]) -> None:
        busy.set()
        go_on.wait()
        first_seqs.append(events[0].seq)

    monkeypatch.setattr(threading, "flow_look", look, raising=False)
    plugins.add("acme", BAD.format("threading.flow_look(events)"))
    hooks = plugins.load()
    observers = Observers(hooks, max_behind=10)
    execution_id = ExecutionId("x")
    observers.tell(execution_id, events(4))
    busy.wait()
    for after in (4, 8, 12):
        observers.tell(execution_id, events(4, after))
    assert codes(hooks) == [("acme", "hooks.slow")]
    go_on.set()
    observers.close()
    assert first_seqs == [1, 5]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["acme", "acme"]
    assert caplog.records[-1].getMessage().endswith("has missed 8 events.")


def test_without_room_for_a_large_batch_one_that_is_not_behind_is_told_all_the_same(
    plugins: Plugins, told: Told
) -> None:
    plugins.add("acme", OBSERVER)
    observers = Observers(plugins.load(), max_behind=10)
    observers.tell(ExecutionId("x"), events(50))
    observers.close()
    assert [len(batch) for _, batch, _ in told] == [50]
