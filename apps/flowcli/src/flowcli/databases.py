"""The database that commands work on: the one that is named, else the default one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flowcore.contracts import Store
from flowcore.errors import StoreError
from flowruntime.stores import MEMORY, default_url, store_for

__all__ = ["default_words", "open_database"]


def default_words() -> str:
    """The URL of the default database as argparse takes it, or why there is none."""
    try:
        return default_url().replace("%", "%%")
    except StoreError:
        return "none: set FLOW_HOME"


@contextmanager
def open_database(url: str | None, *, read_only: bool = False, make: bool = False) -> Iterator[Store]:
    """The database, open for the block. Raises StoreError when it cannot be used.

    Only `make` makes one that is missing; without it a missing default database is no error, but an empty one.
    """
    store = store_for(url or default_url(), read_only=not make)
    try:
        store.open()
        if not (read_only or make):
            store.close()
            store = store_for(url or default_url())
            store.open()
    except StoreError as error:
        if url is not None or error.code != "store.missing":
            raise
        store = store_for(MEMORY)
    try:
        yield store
    finally:
        store.close()
