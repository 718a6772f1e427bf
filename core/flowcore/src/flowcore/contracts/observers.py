"""Who is told of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flowcore.events import Event, ExecutionId

__all__ = ["Observer"]


class Observer(Protocol):
    """Is told of events after they are durable, in order, in batches. May not change anything.

    `seq` tells whether something is missing: an observer that is too far behind misses events, and nobody is told of
    what was durable before this process began.
    """

    def observe(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Called on a thread of the observer's own, one call after the other; it may block.

        An exception is reported once and harms nobody.
        """
        ...
