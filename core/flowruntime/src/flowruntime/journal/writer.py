"""The thread that makes events durable: each commit takes all that has arrived, of all executions of the process.

The loop's thread only says which logs have something; the writer takes the events out of them itself when it is ready
to write. Writing so costs the loop next to nothing, and the slower the disk is, the larger the batches become.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from flowcore.contracts import Change, Store, StoreUnavailable
from flowcore.errors import InternalError, StoreError
from flowcore.events import Event

__all__ = ["Kept", "Source", "Writer"]

_log = logging.getLogger("flowruntime")
#: How long after a failed commit the same one is tried again, at first and at most.
_RETRY_SECONDS: Final = 0.1
_MAX_RETRY_SECONDS: Final = 5.0


class Source(Protocol):
    """A log with events that are to be kept."""

    def kept(self, kept: Kept, /) -> None:
        """What became of events that were taken. Called on the loop's thread."""
        ...

    def take(self) -> Change | None:
        """All that is decided and was not taken before. Called on the writer's thread."""
        ...


class Kept(NamedTuple):
    """What became of the events that were taken from a source: they are durable, unless they were refused."""

    source: Source
    events: Sequence[Event]
    refused: StoreError | None


class Writer:
    """Writes into one store that blocks, and tells the sources. `troubled` is called on the loop's thread.

    When the store cannot be used, nothing is lost: the same commit is tried again until it succeeds. `trouble` says
    meanwhile what is wrong.
    """

    def __init__(
        self,
        store: Store,
        *,
        troubled: Callable[[StoreError], None],
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._troubled = troubled
        self._retry_seconds = retry_seconds
        self._waiting: deque[Source] = deque()
        self._arrived = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        #: Why the store cannot be used now.
        self.trouble: StoreError | None = None

    def start(self) -> None:
        """Begin to write; the running loop is the one that is told."""
        self._loop = asyncio.get_running_loop()
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, name="flownodes-writer", daemon=True)
        self._thread.start()

    def wake(self, source: Source) -> None:
        """A source has something to take; it is taken from once for each call, or more often."""
        self._waiting.append(source)
        self._arrived.set()

    async def close(self) -> None:
        """Write what is left, and end. Raises StoreError when the store does not take it."""
        if self._thread is not None:
            self._closing.set()
            self._arrived.set()
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        if self.trouble is not None:
            raise self.trouble

    # --- on the writer's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._arrived.wait()
            self._arrived.clear()
            while changes := self._take():
                if not self._commit(changes):
                    return
            if self._closing.is_set() and not self._waiting:
                return

    def _take(self) -> list[tuple[Source, Change]]:
        changes: list[tuple[Source, Change]] = []
        # Those that come meanwhile are for the next commit, so that this one ends.
        for _ in range(len(self._waiting)):
            source = self._waiting.popleft()
            change = source.take()
            if change is not None:
                changes.append((source, change))
        return changes

    def _commit(self, taken: list[tuple[Source, Change]]) -> bool:
        """Keep the changes, however long that takes; False when it was given up because the writer is to end."""
        changes = [change for _, change in taken]
        retry_seconds = self._retry_seconds
        while True:
            closing = self._closing.is_set()
            try:
                refusals = self._store.commit(changes)
            except Exception as error:  # noqa: BLE001 - whatever it is, executions must learn of it
                self._in_trouble(error)
                if closing:
                    _log.error("%s Events are lost with this process.", self.trouble)
                    return False
                self._closing.wait(retry_seconds)
                retry_seconds = min(retry_seconds * 2, _MAX_RETRY_SECONDS)
            else:
                self._kept(taken, refusals)
                return True

    def _kept(self, taken: list[tuple[Source, Change]], refusals: Sequence[StoreError | None]) -> None:
        if self.trouble is not None:
            self.trouble = None
            _log.warning("The database can be written again.")
        kept = [Kept(source, change.events, no) for (source, change), no in zip(taken, refusals, strict=True)]
        self._call(self._told, kept)

    @staticmethod
    def _told(kept: Sequence[Kept]) -> None:
        for one in kept:
            one.source.kept(one)

    def _in_trouble(self, error: Exception) -> None:
        known = self.trouble
        trouble = error if isinstance(error, StoreError) else _internal(error)
        self.trouble = trouble
        if known is None or known.code != trouble.code:
            _log.warning("%s Executions wait until it can be written again.", trouble)
        self._call(self._troubled, trouble)

    def _call(self, call: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:  # the loop was closed under us, and nobody is left to be told
            return


def _internal(error: Exception) -> StoreError:
    return StoreUnavailable(
        f"The store failed: {type(error).__name__}: {error}.", code="store.failed", remedy=InternalError.default_remedy
    )
