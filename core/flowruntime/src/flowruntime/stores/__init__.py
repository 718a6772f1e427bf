"""Stores: where executions are kept."""

from flowruntime.stores.memory import RING_EVENTS, MemoryStore

__all__ = ["RING_EVENTS", "MemoryStore"]
