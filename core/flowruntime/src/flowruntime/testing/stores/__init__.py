"""The conformance suite of stores: a class of tests for each part, which a store runs by subclassing it."""

from __future__ import annotations

from flowruntime.testing.stores.library import LibrarySuite

__all__ = ["LibrarySuite"]
