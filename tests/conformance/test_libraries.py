"""The libraries of both stores keep the contract of `LibraryStore`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flowruntime.stores import MemoryStore
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores.library import LibrarySuite


class TestMemoryLibrary(LibrarySuite):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSqliteLibrary(LibrarySuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "flow.db")
        store.open()
        yield store
        store.close()
