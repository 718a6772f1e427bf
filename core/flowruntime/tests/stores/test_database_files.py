"""A file that cannot be used is told with cause and remedy, and is left as it is."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from flowcore.contracts import StoreUnavailable
from flowcore.errors import StoreError
from flowruntime.stores.sqlite import SqliteStore, schema
from flowruntime.testing.stores.samples import ONE, TWO, append, carrying, create, first

from core.flowruntime.tests.stores.keeping import opened


def refusal(path: Path, **options: float) -> StoreError:
    with pytest.raises(StoreError) as caught:
        SqliteStore(path, **options).open()  # type: ignore[arg-type]
    assert str(path) in caught.value.message
    assert caught.value.remedy
    return caught.value


def run_sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return [row for statement in statements for row in connection.execute(statement).fetchall()]
    finally:
        connection.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
    newer = len(schema.MIGRATIONS) + 1
    run_sql(path, f"PRAGMA user_version = {newer}")
    content = path.read_bytes()
    error = refusal(path)
    assert error.code == "store.newer"
    assert f"schema {newer}" in error.message
    assert path.read_bytes() == content


def test_a_database_of_an_older_version_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
    later = (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO later VALUES (7)"))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    with opened(path) as store:
        assert list(store.read(ONE).events) == [first()]
    assert run_sql(path, "SELECT x FROM later", "PRAGMA user_version") == [(7,), (len(later),)]
    with opened(path):
        pass
    assert run_sql(path, "SELECT x FROM later") == [(7,)]


def test_a_migration_that_breaks_off_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
    broken = (*schema.MIGRATIONS, ("CREATE TABLE later (x)", "INSERT INTO nowhere VALUES (7)"))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", broken)
        refusal(path)
    with opened(path) as store:
        assert list(store.read(ONE).events) == [first()]
    assert run_sql(path, "SELECT name FROM sqlite_master WHERE name = 'later'") == []


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    run_sql(path, "CREATE TABLE executions (x)")
    content = path.read_bytes()
    assert refusal(path).code == "store.foreign"
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"This is a letter.\n" * 100, b"x"])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    assert refusal(path).code == "store.foreign"
    assert path.read_bytes() == content


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "store.unopened"


@pytest.mark.parametrize("left", [0.2, 0.6])
def test_a_truncated_database_is_told_before_anything_is_lost_in_it(tmp_path: Path, left: float) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        for seq in range(2, 40):
            append(store, ONE, carrying(seq, "x" * 2_000))
    os.truncate(path, int(path.stat().st_size * left))
    with pytest.raises(StoreError) as caught, opened(path) as store:
        assert len(store.read(ONE).events) == 39
    assert caught.value.code == "store.corrupt"


def test_a_damaged_row_is_told_and_other_executions_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, carrying(2, "before"))
        create(store, TWO)
    run_sql(path, "UPDATE events SET data = replace(data, 'before', 'behind') WHERE last_seq = 2")
    with opened(path) as store:
        with pytest.raises(StoreError) as caught:
            store.read(ONE)
        assert caught.value.code == "store.corrupt"
        assert "'one'" in caught.value.message
        assert list(store.read(TWO).events) == [first()]


def test_a_row_that_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, carrying(2))
        append(store, ONE, carrying(3))
    run_sql(path, "DELETE FROM events WHERE last_seq = 2")
    with opened(path) as store, pytest.raises(StoreError) as caught:
        store.read(ONE)
    assert caught.value.code == "store.corrupt"
    assert "Events 2 to 2" in caught.value.message


def test_a_large_value_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, carrying(2, "x" * 300_000))
    run_sql(path, "UPDATE contents SET data = replace(data, 'xx', 'xy')")
    with opened(path) as store, pytest.raises(StoreError) as caught:
        store.read(ONE)
    assert caught.value.code == "store.corrupt"


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
            "flow.db": 0o600,
            "flow.db-wal": 0o600,
            "flow.db-shm": 0o600,
        }


_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_database_that_another_process_has_locked_is_waited_for_and_then_told(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path, busy_seconds=0.05) as store:
        create(store, ONE)
        with subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            assert refusal(path, busy_seconds=0.05).code == "store.locked"
            with pytest.raises(StoreUnavailable) as caught:
                append(store, ONE, carrying(2))
            assert caught.value.code == "store.locked"
            assert list(store.read(ONE).events) == [first()]  # readers are not in the way of a writer, nor it in theirs
            holder.communicate()
        append(store, ONE, carrying(2))
        assert len(store.read(ONE).events) == 2
