"""Stores: where executions are kept."""

from flowruntime.stores.memory import RING_EVENTS, MemoryStore
from flowruntime.stores.opening import MEMORY, default_url, store_for

__all__ = ["MEMORY", "RING_EVENTS", "MemoryStore", "default_url", "store_for"]
