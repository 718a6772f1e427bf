"""The clock that the engine asks for time."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Time. The engine asks no other source, so a manual clock makes a whole run deterministic."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC. Never goes back within one process."""
        ...

    async def sleep_until(self, at_us: int) -> None:
        """Return when `now_us()` is at least `at_us`. May be cancelled."""
        ...
