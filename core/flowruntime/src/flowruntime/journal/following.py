"""What follows an execution: its events from any `seq` on, one by one or in batches, until its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from flowcore.events import Event

__all__ = ["Batch", "Following", "HistoryGap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryGap:
    """Events `first` to `last` are not kept any more; what follows is whole again."""

    first: int
    last: int


Batch = Sequence[Event | HistoryGap]


class Following:
    """Iterate over it for single events, over `batches()` for as many at once as there are.

    ```python
    async for event in runtime.follow(execution_id):
        print(event)
    ```

    Batches are shared among followers and must not be changed. A follower costs the execution nothing while it is slow
    or stands still: it reads with its own cursor. It may be iterated over more than once, each time from the start.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], AsyncIterator[Batch]]) -> None:
        self._read = read

    def batches(self) -> AsyncIterator[Batch]:
        """Batches as events are kept; none is empty. A HistoryGap stands where the store has moved on."""
        return self._read()

    async def __aiter__(self) -> AsyncIterator[Event | HistoryGap]:
        async for batch in self._read():
            for event in batch:
                yield event
