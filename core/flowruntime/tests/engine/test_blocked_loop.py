"""A node that keeps the event loop from turning is named, while it does so and in its events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from flowcore.events import NodeCompleted, NodeEvent
from flowruntime import Runtime
from flowruntime.authoring import node
from flowruntime.engine import blocking

from core.flowruntime.tests.engine.running import log_of, of
from tests import engine_nodes
from tests.engine_nodes import ALL, workflow

pytestmark = pytest.mark.anyio


class Noticed(logging.Handler):
    """Notices who is said to block the loop in one of `files`, and lets the nodes of these tests go on.

    On a busy machine the loop may stand still anywhere for as long as the limit that is set here; only what is said
    of the code of these tests' nodes says something of what is tested.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if any(f"{file}:" in text for file in (threading.__file__, engine_nodes.__file__, __file__)):
            self.texts.append(text)
            self.came.set()


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Noticed]:
    monkeypatch.setattr(blocking, "LIMIT_SECONDS", 0.05)
    monkeypatch.setattr(blocking, "_EVERY_SECONDS", 0.01)
    handler = Noticed()
    logging.getLogger("flowruntime").addHandler(handler)
    yield handler
    logging.getLogger("flowruntime").removeHandler(handler)


async def test_a_node_that_blocks_the_loop_is_named_at_once_and_warned_of_before_its_end(noticed: Noticed) -> None:
    seen: list[bool] = []

    @node("local.block", effects="pure")
    async def block() -> None:
        seen.append(noticed.came.wait(30))

    async with Runtime(nodes=[block]) as runtime:
        events = await log_of(runtime, await runtime.submit(workflow({"slow": "block"})))
    assert seen == [True]
    assert "Node 'slow' has blocked the event loop" in noticed.texts[0]
    assert "in wait" not in noticed.texts[0]
    assert "Make it a plain function" in noticed.texts[0]
    warning = of(events, NodeEvent)[-1]
    assert (warning.event_type, warning.node_id) == ("Warning", "slow")
    assert "Make it a plain function" in warning.content["message"]
    assert warning.seq < of(events, NodeCompleted)[0].seq


async def test_nodes_on_threads_and_nodes_that_wait_block_nothing(
    noticed: Noticed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The loop may have to wait for a thread to begin; a node that blocked it would do so for half a minute.
    monkeypatch.setattr(blocking, "LIMIT_SECONDS", 5)
    began, released = threading.Event(), threading.Event()

    @node("local.thread")
    def thread() -> Any:
        began.set()
        return released.wait(30)

    async with Runtime(nodes=[*ALL, thread]) as runtime:
        execution_id = await runtime.submit(
            workflow({"t": "thread", "n": {"node_type": "nap", "config": {"seconds": 0.1}}})
        )
        result_of_nap = [event async for event in runtime.follow(execution_id) if _releases(event, released)]
    assert result_of_nap
    assert noticed.texts == []


async def test_a_process_that_stood_still_as_a_whole_has_no_node_to_blame(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Waking(threading.Event):
        """Its first wait is over before anybody could set it, as when the process could not run meanwhile."""

        stood_still = False

        def wait(self, timeout: float | None = None) -> bool:
            self.stood_still, before = True, self.stood_still
            return super().wait(timeout if before else 0)

    monkeypatch.setattr(blocking, "threading", SimpleNamespace(**{**vars(threading), "Event": Waking}))
    monkeypatch.setattr(blocking, "LIMIT_SECONDS", 60)
    monkeypatch.setattr(blocking, "_EVERY_SECONDS", 0.01)
    async with Runtime(nodes=ALL) as runtime:
        result = await runtime.run(workflow({"n": {"node_type": "nap", "config": {"seconds": 0.2}}}))
    assert result.success
    assert caplog.messages == []


def _releases(event: object, released: threading.Event) -> bool:
    if isinstance(event, NodeCompleted) and event.node_id == "n":
        released.set()
        return True
    return False
