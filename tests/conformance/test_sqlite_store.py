"""The SQLite store keeps the contract of stores, also between several connections to one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flowcore.errors import StoreError
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores import ExecutionSuite, RequestSuite, StoreSuite
from flowruntime.testing.stores.samples import ONE, TWO, WORKFLOW, append, completed, create, first, refusal, started

from tests.conformance.store_clocks import StoreClock


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    def clock(self) -> StoreClock:
        return StoreClock()

    @pytest.fixture
    def store(self, tmp_path: Path, clock: StoreClock) -> Iterator[SqliteStore]:
        store = SqliteStore(tmp_path / "flow.db", now_us=clock.now_us)
        store.open()
        yield store
        store.close()

    @pytest.fixture
    def pass_seconds(self, clock: StoreClock) -> Callable[[float], None]:
        return clock.pass_seconds


class TestSqliteStoreThatKeepsNearlyEverythingByItsHash(ExecutionSuite, RequestSuite):
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


def test_one_connection_reads_what_another_has_written(two: tuple[SqliteStore, SqliteStore]) -> None:
    one, other = two
    create(one, ONE, once=("hook", "7"))
    assert list(other.read(ONE).events) == [first()]
    append(other, ONE, started(2))
    assert [event.seq for event in one.read(ONE).events] == [1, 2]
    assert refusal(other, TWO, first(), workflow=WORKFLOW, once=("hook", "7")) == "store.seen"


def test_of_two_that_write_the_same_execution_the_later_one_is_refused(two: tuple[SqliteStore, SqliteStore]) -> None:
    one, other = two
    create(one, ONE)
    append(one, ONE, started(2))
    append(other, ONE, started(3))
    assert refusal(one, ONE, completed(3)) == "store.gap"
    assert list(one.read(ONE).events) == [first(), started(2), started(3)]


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "flow.db")
    store.open()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.commit([]),
        lambda: store.read(ONE),
        store.executions,
        lambda: store.keep_alive(1),
        lambda: store.values.get("a", "b"),
        lambda: store.requests.forget(1),
    ]
    for call in calls:
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code == "store.closed"


def test_a_store_that_is_open_for_reading_says_that_it_does_not_write(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "flow.db")
    store.open()
    create(store, ONE)
    store.close()
    reader = SqliteStore(tmp_path / "flow.db", read_only=True)
    reader.open()
    try:
        assert list(reader.read(ONE).events) == [first()]
        assert list(reader.unowned()) == [ONE]
        with pytest.raises(StoreError) as caught:
            append(reader, ONE, started(2))
        assert caught.value.code == "store.read_only"
    finally:
        reader.close()
