"""What plugins do while a runtime runs: they wrap attempts and observe events. Nothing, where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from flowruntime.journal import Journal
from flowruntime.registry import Registry
from flowruntime.runtime.plans import PlanCache
from flowruntime.secrets import Net

if TYPE_CHECKING:
    from flowruntime.hooks.observing import Observers
    from flowruntime.hooks.wrapping import AttemptWrappers

__all__ = ["Plugging"]


class Plugging:
    """The plugins of one runtime, between `open` and `close`."""

    def __init__(self, registry: Registry, net: Net) -> None:
        self._registry = registry
        self._net = net
        self._observers: Observers | None = None

    async def open(self, plans: PlanCache, journal: Journal) -> None:
        """Load the plugins, which takes ten seconds each at most, and plug in those that want to be."""
        if not self._registry.has_plugins:
            return
        wrappers, observers = await anyio.to_thread.run_sync(self._load)
        if wrappers:
            plans.wrappers = wrappers
        if observers:
            self._observers = observers
            journal.observed = observers.tell

    def _load(self) -> tuple[AttemptWrappers | None, Observers | None]:
        from flowruntime.hooks.observing import Observers
        from flowruntime.hooks.wrapping import AttemptWrappers

        hooks = self._registry.hooks
        return (None, None) if hooks is None else (AttemptWrappers(hooks, self._net), Observers(hooks))

    async def close(self) -> None:
        """Tell the observers what is left, for ten seconds at most."""
        if self._observers is not None:
            await anyio.to_thread.run_sync(self._observers.close)
