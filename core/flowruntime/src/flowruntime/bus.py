"""Wake-ups: followers of an execution sleep on its bell, and whoever makes events durable rings it.

The bell carries no events. A follower reads them from the journal with its own cursor, so a slow or dead one costs the
execution nothing.
"""

from __future__ import annotations

import asyncio

__all__ = ["Bell"]


class Bell:
    """Wakes all who wait. Used from the loop's thread."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def waited_for(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiters)

    def ring(self) -> None:
        """Wake everybody who waits now."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Return at the next ring."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
