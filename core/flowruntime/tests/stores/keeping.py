"""Databases for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowruntime.stores.sqlite import SqliteStore

__all__ = ["opened"]


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[SqliteStore]:
    """The store in this file."""
    store = SqliteStore(path, **options)
    store.open()
    try:
        yield store
    finally:
        store.close()
