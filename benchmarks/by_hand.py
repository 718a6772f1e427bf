"""The same work as an engineer would write it without an engine: one asyncio task a node."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

__all__ = ["run_by_hand", "sleep_by_hand"]

Value: TypeAlias = dict[str, Any]


async def _noop(value: Value) -> Value:
    return value


async def _join(values: list[Value]) -> Value:
    return values[0]


async def run_by_hand(depends_on: list[list[int]], value: Value) -> list[Value]:
    """What each node gave. `depends_on` has, for each node, the numbers of the nodes it takes values from."""

    async def run_node(sources: list[asyncio.Task[Value]]) -> Value:
        if not sources:
            return await _noop(value)
        if len(sources) == 1:
            return await _noop(await sources[0])
        return await _join([await source for source in sources])

    tasks: list[asyncio.Task[Value]] = []
    for numbers in depends_on:
        tasks.append(asyncio.create_task(run_node([tasks[number] for number in numbers])))
    return await asyncio.gather(*tasks)


async def sleep_by_hand(count: int, seconds: float) -> None:
    """That many sleeps at once."""
    await asyncio.gather(*(asyncio.sleep(seconds) for _ in range(count)))
