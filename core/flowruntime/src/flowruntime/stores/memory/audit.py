"""The audit log, in memory. `flowcore.contracts.AuditStore`."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

from flowcore.contracts import AuditEntry

__all__ = ["MemoryAudit"]

#: How many entries are kept; the oldest go first.
_ENTRIES: Final = 100_000


class MemoryAudit:
    """Who did what, of late."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, AuditEntry]] = deque(maxlen=_ENTRIES)
        self._latest = 0

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry."""
        self._latest += 1
        self._entries.append((self._latest, entry))

    def list(self, *, before: int | None = None, limit: int = 100) -> list[tuple[int, AuditEntry]]:
        """Entries with their numbers, the newest first."""
        return list(islice((one for one in reversed(self._entries) if before is None or one[0] < before), limit))

    def prune(self, before_us: int) -> int:
        """Remove entries that are older."""
        kept = [one for one in self._entries if one[1].at_us >= before_us]
        removed = len(self._entries) - len(kept)
        self._entries = deque(kept, maxlen=_ENTRIES)
        return removed
