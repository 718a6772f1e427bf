"""The system's time as the engine takes it: microseconds that never go back while the process lives."""

from __future__ import annotations

import time

__all__ = ["SystemClock"]


class SystemClock:
    """Wall time at the start of the process, moved on by the monotonic clock.

    A wall clock that is set back neither reorders events nor makes durations negative. `flowcore.contracts.Clock`.
    """

    __slots__ = ("_offset_ns",)

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return (time.perf_counter_ns() + self._offset_ns) // 1000

    async def sleep_until(self, at_us: int) -> None:
        """Return when the time has come."""
        import anyio

        # The loop's timer may fire a little early by this clock; a wake-up is never before its time.
        while (remaining_us := at_us - self.now_us()) > 0:  # noqa: ASYNC110 - time is what it waits for
            await anyio.sleep(remaining_us / 1_000_000)
