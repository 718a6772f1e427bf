"""The thread that keeps this process's leases alive, and looks for what others want of its executions.

It is a thread of its own, because a node that keeps the loop busy must not make the process look dead. The store is
asked for requests a few times a second, which costs a store that has none next to nothing; somebody who cancels an
execution from another process is heard within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from flowcore.contracts import Request, Store
from flowcore.errors import StoreError
from flowcore.events import ExecutionId

__all__ = ["RECONCILE_SECONDS", "Tending"]

_log = logging.getLogger("flowruntime")
#: How often requests are looked for.
_LOOK_SECONDS: Final = 0.2
#: How often executions are looked for whose owners are gone.
RECONCILE_SECONDS: Final = 5.0


class Tending:
    """Tends what one owner has in a store. The callbacks are called on the loop's thread.

    `requested` gets requests that are new, `found` executions that were created with `recovery` and that nobody runs.
    `lapsed` is called when the leases ran out, so that executions may be run by others by now.
    """

    def __init__(
        self,
        store: Store,
        *,
        owner: int,
        lease_seconds: float,
        recovery: str | None,
        is_idle: Callable[[], bool],
        requested: Callable[[Sequence[Request]], None],
        found: Callable[[Sequence[ExecutionId]], None],
        lapsed: Callable[[], None],
        reconcile_seconds: float = RECONCILE_SECONDS,
    ) -> None:
        self._store = store
        self._owner = owner
        self._renew_seconds = lease_seconds / 3
        self._recovery = recovery
        self._is_idle = is_idle
        self._requested = requested
        self._found = found
        self._lapsed = lapsed
        self._reconcile_seconds = reconcile_seconds
        self._closing = threading.Event()
        #: Numbers of requests that were told and are not answered yet.
        self._told: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="flownodes-leases", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Tend no more."""
        self._closing.set()
        await asyncio.to_thread(self._thread.join)

    # --- on the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        renew_at = time.monotonic() + self._renew_seconds
        reconcile_at = time.monotonic()
        while not self._closing.wait(min(_LOOK_SECONDS, self._renew_seconds)):
            now = time.monotonic()
            try:
                if now >= renew_at:
                    in_time = self._store.keep_alive(self._owner)
                    renew_at = now + self._renew_seconds
                    if not in_time:
                        _log.warning("The leases of this process ran out; others may have taken its executions over.")
                        self._loop.call_soon_threadsafe(self._lapsed)
                if not self._is_idle():
                    self._look()
                if self._recovery is not None and now >= reconcile_at:
                    reconcile_at = now + self._reconcile_seconds
                    self._reconcile(self._recovery)
            except StoreError as error:
                if error.code == "owner.unknown":
                    _log.error("%s What this process still writes will be refused.", error)
                    with contextlib.suppress(RuntimeError):  # as below
                        self._loop.call_soon_threadsafe(self._lapsed)
                    return
                # Whoever writes events says what else is wrong with the store.
            except RuntimeError:
                return  # the loop was closed under us, and nobody is left to be told

    def _look(self) -> None:
        waiting = self._store.requests.waiting(self._owner)
        new = [request for request in waiting if request.number not in self._told]
        self._told = {request.number for request in waiting}
        if new:
            self._loop.call_soon_threadsafe(self._requested, new)

    def _reconcile(self, recovery: str) -> None:
        found = self._store.unowned(recovery=recovery)
        if found:
            self._loop.call_soon_threadsafe(self._found, found)
