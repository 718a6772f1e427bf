"""What can be wrong with a database file, and with the clock: told, left as it is, and over when the cause is gone.

What a file looks like that cannot be opened at all is tested with the store itself (`core/flowruntime/tests/stores`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flowcore.contracts import Change
from flowcore.errors import StoreError
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore, schema
from flowruntime.testing.stores.samples import (
    ONE,
    TWO,
    WORKFLOW,
    append,
    carrying,
    create,
    elsewhere,
    first,
    refusal,
    started,
)

from tests.conformance.store_clocks import StoreClock
from tests.faults.small_disks import fill, remount, small_disk


@contextmanager
def opened(path: Path, **options: object) -> Iterator[SqliteStore]:
    store = SqliteStore(path, **options)  # type: ignore[arg-type]
    store.open()
    try:
        yield store
    finally:
        store.close()


def changed(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.create_function("crc32", 1, zlib.crc32)
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def code_of(call: Callable[[], object]) -> str | None:
    """The code of the error that a call raises; None when it raises none."""
    try:
        call()
    except StoreError as error:
        return error.code if error.remedy else f"{error.code} without a remedy"
    return None


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An execution of 40 events with something in them."""
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        for seq in range(2, 41):
            append(store, ONE, carrying(seq, f"before {seq} " + "x" * 2_000))
    return path


def read_whole(path: Path) -> int:
    with opened(path) as store:
        return len(store.read(ONE).events)


# --- disks ------------------------------------------------------------------------------------------


def test_on_a_full_disk_nothing_is_half_kept_and_all_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, opened(disk / "flow.db") as store:
        me, _ = store.register(this_process(), lease_seconds=600)
        create(store, ONE, TWO, owner=me)
        ballast = fill(disk)
        refused, seq = None, 0
        while refused is None:
            seq += 1
            refused = code_of(lambda: append(store, ONE, carrying(seq + 1, os.urandom(3_000).hex()), token=1))  # noqa: B023
        assert refused == "store.full"
        large = carrying(2, os.urandom(200_000).hex())
        assert code_of(lambda: store.commit([Change(TWO, [large], token=1)])) == "store.full"
        assert len(store.read(ONE).events) == seq
        assert len(store.read(TWO).events) == 1
        ballast.unlink()
        append(store, ONE, carrying(seq + 1), token=1)
        append(store, TWO, large, token=1)
        assert store.keep_alive(me)
        assert len(store.read(ONE).events) == seq + 1
        assert len(store.read(TWO).events) == 2


def test_a_disk_that_became_read_only_is_told_and_the_file_is_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "flow.db"
        with opened(path) as store:
            create(store, ONE)
        content = path.read_bytes()
        remount(disk, "ro")
        assert code_of(SqliteStore(path).open) in {"store.read_only", "store.unopened"}
        remount(disk, "rw")
        assert path.read_bytes() == content
        assert read_whole(path) == 1


# --- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0.3, 0.9])
def test_a_file_that_was_cut_is_told(database: Path, tmp_path: Path, left: float) -> None:
    cut = tmp_path / "cut.db"
    shutil.copy(database, cut)
    assert read_whole(cut) == 40  # control: a copy is as good
    os.truncate(cut, int(cut.stat().st_size * left))
    assert code_of(lambda: read_whole(cut)) == "store.corrupt"


def test_a_row_that_was_changed_is_told_and_the_others_are_read(database: Path) -> None:
    changed(database, "UPDATE events SET data = CAST(replace(data, 'before 7', 'behind 7') AS BLOB) WHERE last_seq = 7")
    with opened(database) as store:
        assert code_of(lambda: store.read(ONE)) == "store.corrupt"
        assert len(store.read(ONE, after=7).events) == 33
        create(store, TWO)
        assert list(store.read(TWO).events) == [first()]
        assert len(store.executions()) == 2


def test_control_a_changed_row_with_a_checksum_of_its_own_is_believed(database: Path) -> None:
    changed(
        database,
        "UPDATE events SET data = CAST(replace(data, 'before 7', 'behind 7') AS BLOB) WHERE last_seq = 7",
        "UPDATE events SET checksum = crc32(data)",
    )
    assert read_whole(database) == 40


def test_a_document_that_was_changed_is_told(database: Path) -> None:
    changed(database, "UPDATE documents SET content = replace(content, '\"kept\"', '7')")
    with opened(database) as store:
        assert code_of(lambda: store.record(ONE)) == "store.corrupt"
        assert len(store.read(ONE).events) == 40


def test_a_newer_schema_is_left_alone(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = len(schema.MIGRATIONS) + 1
    changed(database, f"PRAGMA user_version = {newer}")
    content = database.read_bytes()
    for read_only in (False, True):
        assert code_of(SqliteStore(database, read_only=read_only).open) == "store.newer"
    assert database.read_bytes() == content
    # Control: whoever knows that schema opens it.
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ()))
    assert read_whole(database) == 40


def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    changed(path, "CREATE TABLE executions (x)")
    content = path.read_bytes()
    assert code_of(SqliteStore(path).open) == "store.foreign"
    assert path.read_bytes() == content
    # Control: an empty one is taken.
    changed(path, "DROP TABLE executions")
    with opened(path) as store:
        create(store, ONE)


# --- other processes --------------------------------------------------------------------------------

_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that what is not committed is written before
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE executions SET seq = 99, token = 99")
connection.execute("UPDATE events SET data = zeroblob(5000)")
print("written", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_writer(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of a transaction."""
    words = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        try:
            yield process
        finally:
            process.kill()


def test_while_another_process_writes_nothing_is_kept_and_all_can_be_read(database: Path) -> None:
    with opened(database, busy_seconds=0.01) as store:
        me, _ = store.register(this_process(), lease_seconds=600)
        calls: list[Callable[[], object]] = [
            lambda: append(store, ONE, carrying(41)),
            lambda: store.keep_alive(me),
            lambda: store.claim(ONE, me),
            lambda: store.requests.put(ONE, "cancel", {"why": None}),
            lambda: store.values.put("a", "b", "1"),
        ]
        with other_writer(database):
            for call in calls:
                assert code_of(call) == "store.locked"
            assert len(store.read(ONE).events) == 40
            assert list(store.unowned()) == [ONE]
        # Control: it was the other process. And what that did not commit is nowhere to be seen.
        assert [code_of(call) for call in calls] == [None] * 5
        assert len(store.read(ONE).events) == 41


def test_a_process_that_was_killed_in_a_transaction_leaves_no_trace_and_no_lock(database: Path) -> None:
    with other_writer(database) as process:
        process.kill()
        process.wait()
        with opened(database, busy_seconds=0.01) as store:
            append(store, ONE, carrying(41))
            assert len(store.read(ONE).events) == 41


# --- clocks -----------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> StoreClock:
    return StoreClock()


def taken_over(store: SqliteStore, clock: StoreClock) -> tuple[int, int]:
    """The clock went an hour too fast, the second owner took over what the first one ran; now it is set back."""
    one, _ = store.register(elsewhere("one"), lease_seconds=30)
    two, _ = store.register(elsewhere("two"), lease_seconds=30)
    create(store, ONE, owner=one)
    clock.pass_seconds(3_600)
    store.keep_alive(two)
    assert store.claim(ONE, two).token == 2
    clock.pass_seconds(-3_600)
    return one, two


def test_a_clock_that_is_set_back_does_not_give_two_owners(database: Path, clock: StoreClock) -> None:
    with opened(database.with_name("other.db"), now_us=clock.now_us) as store:
        one, _ = taken_over(store, clock)
        store.keep_alive(one)
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"
        assert code_of(lambda: store.claim(ONE, one)) == "lease.held"
        append(store, ONE, started(2), token=2)
        assert [summary.owner and summary.owner.name for summary in store.executions()] == ["two"]


def test_control_without_the_token_both_would_write(database: Path, clock: StoreClock) -> None:
    path = database.with_name("other.db")
    with opened(path, now_us=clock.now_us) as store:
        taken_over(store, clock)
        changed(path, "UPDATE executions SET token = 1")
        append(store, ONE, started(2), token=1)


def test_while_the_clock_is_behind_leases_last_longer_and_never_end_early(tmp_path: Path, clock: StoreClock) -> None:
    with opened(tmp_path / "flow.db", now_us=clock.now_us) as store:
        one, _ = store.register(elsewhere("one"), lease_seconds=30)
        two, _ = store.register(elsewhere("two"), lease_seconds=30)
        create(store, ONE, owner=one)
        clock.pass_seconds(-3_600)
        clock.pass_seconds(60)
        assert code_of(lambda: store.claim(ONE, two)) == "lease.held"
        assert store.keep_alive(one)
        clock.pass_seconds(60)
        assert store.claim(ONE, two).token == 2
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"


def test_a_name_that_was_taken_stays_taken_when_the_clock_is_set_back(tmp_path: Path, clock: StoreClock) -> None:
    with opened(tmp_path / "flow.db", now_us=clock.now_us) as store:
        one, _ = store.register(elsewhere("night", is_given=True), lease_seconds=30)
        clock.pass_seconds(3_600)
        store.register(elsewhere("night", is_given=True), lease_seconds=30)
        clock.pass_seconds(-3_600)
        assert code_of(lambda: store.keep_alive(one)) == "owner.unknown"
        assert refusal(store, ONE, first(), workflow=WORKFLOW, owner=one) == "owner.unknown"
        assert len(store.owners()) == 1
