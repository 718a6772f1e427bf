"""A store's clock that a test moves."""

from __future__ import annotations

__all__ = ["StoreClock"]


class StoreClock:
    """Stands still between the moves of the test; it may be set back as well."""

    def __init__(self) -> None:
        self._now_us = 1_700_000_000_000_000

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return self._now_us

    def pass_seconds(self, seconds: float) -> None:
        """Move it."""
        self._now_us += round(seconds * 1_000_000)
