"""The SQLite store keeps the contract of stores, and what it kept is there after it was closed, for others too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flowcore.errors import StoreError
from flowruntime.stores.sqlite import SqliteStore

from tests.conformance.store_suite import ONE, OTHER, WORKFLOW, StoreSuite, completed, first, started


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "flow.db")
        store.open()
        yield store
        store.close()


class TestSqliteStoreThatKeepsNearlyEverythingByItsHash(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "flow.db", inline_bytes=8)
        store.open()
        yield store
        store.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[SqliteStore, SqliteStore]]:
    """Two connections to one file, as two processes have them."""
    stores = SqliteStore(tmp_path / "flow.db"), SqliteStore(tmp_path / "flow.db")
    for store in stores:
        store.open()
    yield stores
    for store in stores:
        store.close()


def test_what_was_kept_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "flow.db")
    store.open()
    store.create(ONE, WORKFLOW, first(), {"other": OTHER})
    store.append(ONE, [started(2), completed(3)])
    store.close()
    store.open()
    record = store.record(ONE)
    assert record is not None
    assert (record.workflow, record.status, record.named) == (WORKFLOW, "succeeded", {"other": OTHER})
    assert list(store.read(ONE).events) == [first(), started(2), completed(3)]
    store.close()


def test_one_connection_reads_what_another_has_written(two: tuple[SqliteStore, SqliteStore]) -> None:
    one, other = two
    one.create(ONE, WORKFLOW, first())
    assert list(other.read(ONE).events) == [first()]
    other.append(ONE, [started(2)])
    assert [event.seq for event in one.read(ONE).events] == [1, 2]


def test_of_two_that_write_the_same_execution_the_later_one_is_refused(two: tuple[SqliteStore, SqliteStore]) -> None:
    one, other = two
    one.create(ONE, WORKFLOW, first())
    one.append(ONE, [started(2)])
    other.append(ONE, [started(3)])
    with pytest.raises(StoreError) as caught:
        one.append(ONE, [completed(3)])
    assert caught.value.code == "store.gap"
    assert list(one.read(ONE).events) == [first(), started(2), started(3)]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "flow.db")
    store.open()
    store.close()
    for call in (lambda: store.create(ONE, WORKFLOW, first()), lambda: store.read(ONE), store.executions):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code == "store.closed"
