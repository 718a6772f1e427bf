"""Pages of old events, read from a database on a thread, once for all followers who are at the same place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from flowcore.events import Event, ExecutionId

__all__ = ["SharedPages"]

#: Followers of one execution are a page or two apart; what is decoded costs memory.
_KEPT: Final = 4


class SharedPages:
    """Reads with `read`, which is called on a thread. Used from the loop's thread.

    A hundred followers who come late, or are slow together, would otherwise decode every event a hundred times.
    """

    def __init__(self, read: Callable[[ExecutionId, int], Sequence[Event]]) -> None:
        self._read = read
        #: Pages with something on them, the one that was asked for last at the end.
        self._pages: OrderedDict[tuple[ExecutionId, int], Sequence[Event]] = OrderedDict()
        self._reading: dict[tuple[ExecutionId, int], asyncio.Task[Sequence[Event]]] = {}

    async def get(self, execution_id: ExecutionId, after: int) -> Sequence[Event]:
        """Durable events with a seq greater than `after`; empty only if there was none when this was called."""
        key = execution_id, after
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
            return page
        task = self._reading.get(key)
        if task is not None and (page := await asyncio.shield(task)):
            return page
        # Nobody reads it, or somebody began before this was called and found nothing yet.
        task = self._reading[key] = asyncio.create_task(asyncio.to_thread(self._read, execution_id, after))
        task.add_done_callback(lambda done: self._done(key, done))
        # A follower who is cancelled must not take the page from the others.
        return await asyncio.shield(task)

    def _done(self, key: tuple[ExecutionId, int], task: asyncio.Task[Sequence[Event]]) -> None:
        if self._reading.get(key) is task:
            del self._reading[key]
        if task.cancelled() or task.exception() is not None or not task.result():
            return
        self._pages[key] = task.result()
        if len(self._pages) > _KEPT:
            self._pages.popitem(last=False)
