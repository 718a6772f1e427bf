"""Takes the beginning of a log up in a runtime of its own, as if the process that wrote it were gone.

The store blocks, so that there are leases; but it is in memory, and what else would be done on threads is done by the
loop, so that a clock moved by hand knows when nothing goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest import mock

import anyio
from flowcore.contracts import Change, Owner
from flowcore.errors import ExecutionError
from flowcore.events import Event, ExecutionId
from flowcore.workflows import Workflow
from flowruntime import Runtime
from flowruntime.journal.writer import Kept, Source
from flowruntime.registry import Registry
from flowruntime.stores.memory import MemoryStore
from flowruntime.stores.processes import this_process
from flowruntime.testing import ManualClock

__all__ = ["GONE", "BlockingStore", "Happening", "Resumed", "kept_log", "resume", "runtime_on", "without_threads"]

_T = TypeVar("_T")
_FINAL = {"succeeded", "failed", "cancelled"}
#: An execution that would wait for ever is cancelled after a day.
_DAY_US = 86_400_000_000
#: More than any of these documents can write, unless it goes round for ever.
_MOST_EVENTS = 20_000
#: This process as it was before it began, so to speak.
GONE = Owner(
    name="gone", is_given=False, host=this_process().host, boot_id=this_process().boot_id, pid=2**22, process_start=1
)


class BlockingStore(MemoryStore):
    """A store that executions can be taken over in."""

    blocking = True

    def __init__(self) -> None:
        super().__init__(ring_events=10**9)


@dataclass(frozen=True)
class Happening:
    """Something from outside, so long after the execution was taken up: a signal, or None for a cancel."""

    at_us: int
    signal: str | None


@dataclass
class Resumed:
    """How it went: the whole log, and after which event something happened, when, and whether it was taken."""

    log: list[Any] = field(default_factory=list)
    happened: list[tuple[int, int, Any, bool]] = field(default_factory=list)
    result: Any = None


class _Writer:
    """`flowruntime.journal.writer.Writer`, which writes when the loop has its next turn."""

    trouble = None

    def __init__(self, store: MemoryStore, *, troubled: Callable[..., None]) -> None:
        self._store = store

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def wake(self, source: Source) -> None:
        self._loop.call_soon(self._write, source)

    async def close(self) -> None:
        await asyncio.sleep(0)

    def _write(self, source: Source) -> None:
        change = source.take()
        if change is not None:
            (refused,) = self._store.commit([change])
            source.kept(Kept(source, change.events, refused))


class _Tending:
    """`flowruntime.journal.tending.Tending`, for tests in which no lease runs out."""

    def __init__(self, store: MemoryStore, **_: object) -> None:
        pass

    async def close(self) -> None:
        pass


async def _at_once(call: Callable[..., _T], *args: Any, **named: Any) -> _T:
    return call(*args, **named)


@contextmanager
def without_threads() -> Iterator[None]:
    """What the runtime would do on threads of its own is done by the loop."""
    with (
        mock.patch("flowruntime.journal.journal.Writer", _Writer),
        mock.patch("flowruntime.journal.journal.Tending", _Tending),
        mock.patch.object(asyncio, "to_thread", _at_once),
        mock.patch.object(anyio.to_thread, "run_sync", _at_once),
    ):
        yield


def runtime_on(store: MemoryStore, **options: Any) -> Runtime:
    """A runtime on a store that is there."""
    with mock.patch("flowruntime.runtime.runtime.store_for", return_value=store):
        return Runtime(**options)


def kept_log(
    workflow: Workflow,
    log: Sequence[Event],
    *,
    execution_id: str = "taken-up",
    named: Mapping[str, Workflow] | None = None,
    recovery: str | None = None,
) -> BlockingStore:
    """A store with one execution, as a process left it that is gone."""
    store = BlockingStore()
    owner = store.register(GONE, lease_seconds=10**6)
    status: Any = "pending" if len(log) == 1 else "running"
    (refused,) = store.commit(
        [Change(ExecutionId(execution_id), log, workflow, named, status=status, owner=owner.number, recovery=recovery)]
    )
    assert refused is None
    return store


async def resume(
    execution_id: ExecutionId,
    workflow: Workflow,
    log: Sequence[Event],
    *,
    registry: Registry,
    named: Mapping[str, Workflow] | None = None,
    happenings: Iterable[Any] = (),
    gap_us: int = 0,
    seed: int = 0,
) -> Resumed:
    """Take it up so long after the last event, and run it to its end. Raises AssertionError when it does not end."""
    resumed = Resumed()
    store = kept_log(workflow, log, execution_id=execution_id, named=named)
    clock = ManualClock(log[-1].at_us + gap_us, autojump=True)
    with without_threads():
        async with runtime_on(store, registry=registry, clock=clock, seed=seed) as runtime:
            started_us = clock.now_us()
            await runtime.resume(execution_id)
            execution = runtime._supervisor._open[execution_id][0]
            last = Happening(_DAY_US, None)
            for happening in (*sorted(happenings, key=lambda one: one.at_us), last):
                await clock.sleep_until(started_us + happening.at_us)
                if happening is last and execution.over:
                    break
                seq = execution.log.seq
                taken = True
                try:
                    if happening.signal is None:
                        runtime.cancel(execution_id)
                    else:
                        runtime.signal(execution_id, happening.signal, seq)
                except ExecutionError:
                    taken = False
                resumed.happened.append((seq, clock.now_us(), happening, taken))
            await clock.sleep_until(started_us + 2 * _DAY_US)
            is_over = execution.over
            if not is_over:
                runtime._supervisor._open.clear()
            assert is_over, "it hangs"
            resumed.log = list(store.read(execution_id, limit=_MOST_EVENTS + 1).events)
            assert len(resumed.log) <= _MOST_EVENTS
            resumed.result = await runtime.wait(execution_id)
    assert resumed.log[: len(log)] == list(log)
    return resumed
