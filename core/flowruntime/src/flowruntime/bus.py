"""Wake-ups: followers of an execution sleep on its bell, and whoever makes events durable rings it.

The bell carries no events. A follower reads them from the journal with its own cursor, so a slow or dead one costs the
execution nothing.
"""

from __future__ import annotations

import anyio

__all__ = ["Bell"]


class Bell:
    """Wakes all who wait; costs one attribute check when nobody does."""

    __slots__ = ("_event", "waited_for")

    def __init__(self) -> None:
        self._event: anyio.Event | None = None
        #: Whether anybody waits: look here before you ring.
        self.waited_for = False

    def ring(self) -> None:
        """Wake everybody who waits now."""
        if self._event is not None:
            self._event.set()
            self._event = None
            self.waited_for = False

    async def wait(self) -> None:
        """Return at the next ring."""
        if self._event is None:
            self._event = anyio.Event()
            self.waited_for = True
        await self._event.wait()
