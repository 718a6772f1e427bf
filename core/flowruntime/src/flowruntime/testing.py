"""What tests of nodes and of the engine need: a clock moved by hand, and a runner for a single node."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
from flowcore.executions import ExecutionResult
from flowcore.values import Value

from flowruntime.runtime import Runtime

__all__ = ["ManualClock", "run_node"]


#: A task may be about to be woken by a callback that the loop has not run yet: only a loop that stays quiet is idle.
_QUIET_ROUNDS = 5


class ManualClock:
    """Time that stands still until `advance` moves it; with `autojump` it jumps when every task waits.

    `flowcore.contracts.Clock`. Autojump sees the tasks of asyncio: it suits tests in which nothing but this clock is
    waited for, one such clock a loop.
    """

    def __init__(self, start_us: int = 1_700_000_000_000_000, *, autojump: bool = False) -> None:
        self._now_us = start_us
        self._autojump = autojump
        self._jumper: asyncio.Task[None] | None = None
        self._count = 0
        self._sleepers: list[tuple[int, int, anyio.Event]] = []

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self._now_us

    def advance(self, seconds: float) -> None:
        """Move the time on, and wake whoever slept until then."""
        self._set(self._now_us + round(seconds * 1_000_000))

    @property
    def sleepers(self) -> int:
        """How many sleep."""
        return sum(1 for _, _, event in self._sleepers if not event.is_set())

    async def sleep_until(self, at_us: int) -> None:
        """Sleep until the time was moved that far."""
        if at_us <= self._now_us:
            await anyio.lowlevel.checkpoint()
            return
        event = anyio.Event()
        self._count += 1
        heapq.heappush(self._sleepers, (at_us, self._count, event))
        if self._autojump and (self._jumper is None or self._jumper.done()):
            self._jumper = asyncio.create_task(self._jump())
        try:
            await event.wait()
        finally:
            event.set()  # nobody sleeps for it any more

    async def _jump(self) -> None:
        while await self._until_all_wait():
            while self._sleepers and self._sleepers[0][2].is_set():
                heapq.heappop(self._sleepers)
            if self._sleepers:
                self._set(self._sleepers[0][0])

    def _set(self, now_us: int) -> None:
        self._now_us = max(self._now_us, now_us)
        while self._sleepers and self._sleepers[0][0] <= self._now_us:
            heapq.heappop(self._sleepers)[2].set()

    async def _until_all_wait(self) -> bool:
        """Wait until every other task of the loop waits, and goes on doing so; False when nobody sleeps any more."""
        this = asyncio.current_task()
        quiet = 0
        while quiet < _QUIET_ROUNDS and self.sleepers:
            await anyio.lowlevel.checkpoint()
            waiters = (getattr(task, "_fut_waiter", None) for task in asyncio.all_tasks() if task is not this)
            quiet = quiet + 1 if all(waiter is not None and not waiter.done() for waiter in waiters) else 0
        return self.sleepers > 0


async def run_node(
    target: object,
    inputs: Mapping[str, Value] | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    clock: ManualClock | None = None,
) -> ExecutionResult:
    """Run a function or class decorated with `@node` as a workflow of its own.

    Its outputs are `result.node_outputs["node"]`.
    Raises WorkflowInvalid when config or inputs do not fit the declaration. A failed node is a failed result.
    """
    async with Runtime(nodes=[target], clock=clock) as runtime:
        (type_id,) = (row.id for row in runtime.registry.rows() if row.pack == "local")
        document = {"name": "one node", "nodes": [{"id": "node", "node_type": type_id, "config": dict(config or {})}]}
        return await runtime.run(document, inputs)
