"""Short ways to run a document on a clock moved by hand and to look at its log."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
from flowruntime import Runtime
from flowruntime.testing import ManualClock

from tests.engine_nodes import ALL

__all__ = ["events_of", "log_of", "names", "of", "turns_until", "until_begun"]

_T = TypeVar("_T")


def of(events: Iterable[Any], kind: type[_T]) -> list[_T]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def names(events: Iterable[Any]) -> list[str]:
    """The kinds of the events."""
    return [type(event).__name__ for event in events]


async def log_of(runtime: Runtime, execution_id: str) -> list[Any]:
    """All events of an execution, once it has ended."""
    with anyio.fail_after(30):
        return [event async for event in runtime.follow(execution_id)]


async def events_of(
    document: dict[str, Any], inputs: dict[str, Any] | None = None, *, nodes: Iterable[Any] = (), **options: Any
) -> list[Any]:
    """The log of one execution on a clock that jumps."""
    async with Runtime(nodes=[*ALL, *nodes], clock=ManualClock(autojump=True), **options) as runtime:
        return await log_of(runtime, await runtime.submit(document, inputs))


async def turns_until(is_so: Callable[[], bool]) -> None:
    """Give the loop its turn until something is so."""
    with anyio.fail_after(30):
        while not is_so():
            await anyio.lowlevel.checkpoint()


async def until_begun(begun: threading.Event) -> None:
    """Wait for a node on a thread."""
    await turns_until(begun.is_set)
