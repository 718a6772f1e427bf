"""A process stands still for longer than its leases last, another one takes over, and the first wakes up again."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest
from flowcore.errors import StoreError
from flowcore.events import NodeWaiting
from flowruntime import Runtime

from tests.faults.effects import unsound
from tests.faults.ledger import Ledger, ledger
from tests.faults.lives import Life, Nursery, nursery

LEASE_SECONDS = 0.5


@pytest.fixture
def kept() -> Iterator[Ledger]:
    with ledger() as made:
        yield made


@pytest.fixture
def pair(kept: Ledger, tmp_path: Path) -> Iterator[tuple[Nursery, Nursery]]:
    with ExitStack() as stack:
        one, other = (stack.enter_context(nursery(kept, tmp_path / "flow.db")) for _ in range(2))
        yield one, other


def stop_and_take_over(
    pair: tuple[Nursery, Nursery], place: str, nth: int, *, workflow: str = "short", **more: str
) -> tuple[str, Life, Life]:
    """The first process stops at that place; the second claims its execution, stops, and both wake up again.

    The first one wakes up first, and has written what it wants to when the second goes on.
    """
    one, other = pair
    first = one.begin(
        count=1, workflow=workflow, lease_seconds=LEASE_SECONDS, failpoint=[place, nth], signal=signal.SIGSTOP, **more
    )
    assert first.until("stopped")
    (execution_id,) = first.ids("began")
    second = other.begin(
        resume=[execution_id],
        patiently=True,
        lease_seconds=60,
        failpoint=["claimed", 1],
        signal=signal.SIGSTOP,
        **more,
    )
    assert second.until("stopped"), second.said
    first.send(signal.SIGCONT)
    first.to_its_end()
    second.send(signal.SIGCONT)
    second.to_its_end()
    return execution_id, first, second


@pytest.mark.parametrize("place", ["before a commit", "after a commit", "before an effect", "after an effect"])
def test_who_stood_still_is_refused_and_who_took_over_ends_it(
    pair: tuple[Nursery, Nursery], kept: Ledger, place: str
) -> None:
    execution_id, first, second = stop_and_take_over(pair, place, 6)
    assert first.said[-1] == ["refused", execution_id, "lease.lost"]
    assert second.said[-1] == ["ended", execution_id, "succeeded"]
    assert unsound(pair[0].database, kept, [execution_id], "short") == []


def test_control_without_the_tokens_who_stood_still_writes_on(pair: tuple[Nursery, Nursery]) -> None:
    execution_id, first, _ = stop_and_take_over(pair, "after a commit", 6, without="tokens")
    assert first.said[-1] == ["ended", execution_id, "succeeded"]


def test_who_wakes_up_before_anybody_took_over_goes_on(pair: tuple[Nursery, Nursery], kept: Ledger) -> None:
    one, other = pair
    first = one.begin(
        count=1,
        workflow="short",
        lease_seconds=LEASE_SECONDS,
        failpoint=["after an effect", 3],
        signal=signal.SIGSTOP,
    )
    assert first.until("stopped")
    (execution_id,) = first.ids("began")
    held = other.live(resume=[execution_id])
    assert held.said[-1] in (["refused", execution_id, "lease.held"], ["ended", execution_id, "succeeded"])
    first.send(signal.SIGCONT)
    first.to_its_end()
    assert unsound(pair[0].database, kept, [execution_id], "short") == []


async def test_who_only_waits_finds_out_that_it_stood_still(tmp_path: Path) -> None:
    """It has nothing to write that could be refused."""
    waiting = {"name": "waiting", "nodes": [{"id": "wait", "node_type": "control.wait", "config": {"signal": "go"}}]}
    async with Runtime(f"sqlite:///{tmp_path}/flow.db", lease_seconds=LEASE_SECONDS) as runtime:
        execution_id = await runtime.submit(waiting)
        async for event in runtime.follow(execution_id):
            if isinstance(event, NodeWaiting):
                break
        connection = sqlite3.connect(tmp_path / "flow.db")
        with connection:  # at once, as nothing of this process happens in between when it stands still
            connection.execute("UPDATE owners SET expires_us = 0")
            connection.execute("UPDATE executions SET token = token + 1")
        connection.close()
        with pytest.raises(StoreError) as caught, anyio.fail_after(20):
            await runtime.wait(execution_id)
        assert caught.value.code == "lease.lost"
