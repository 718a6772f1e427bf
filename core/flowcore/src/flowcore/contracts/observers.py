"""Who is told of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flowcore.events import Event, ExecutionId

__all__ = ["Observer"]


class Observer(Protocol):
    """Is told of events after they are durable, in order, in batches. May not change anything."""

    def observe(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Called on the loop's thread; an exception is reported once and harms nobody."""
        ...
