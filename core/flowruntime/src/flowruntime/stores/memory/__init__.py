"""The store that keeps everything in this process, for as long as that lives."""

from flowruntime.stores.memory.store import RING_EVENTS, MemoryStore

__all__ = ["RING_EVENTS", "MemoryStore"]
