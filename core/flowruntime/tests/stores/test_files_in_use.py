"""What is done to the files of a database while it is open: nothing is taken for kept that would be lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flowcore.contracts import StoreUnavailable
from flowcore.errors import StoreError
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores.samples import ONE, append, create, started

from core.flowruntime.tests.stores.keeping import opened

_OPEN_AND_CLOSE = """
import sys
from flowruntime.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.open()
store.close()
"""
_ACKNOWLEDGE_AND_DIE = """
import os, sqlite3, subprocess, sys
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores.samples import ONE, append, create, started
path, reopen, other = sys.argv[1:]
store = SqliteStore(path)
store.open()
create(store, ONE)
exec(reopen)
subprocess.run([sys.executable, "-c", other, path], check=True)
append(store, ONE, started(2))
os.kill(os.getpid(), 9)
"""
#: In the process of the store: another store of the same file; or what nobody may do to an open database.
_ANOTHER_STORE = "again = SqliteStore(path); again.open(); again.close()"
_CLOSE_A_FILE = "os.close(os.open(path, os.O_RDWR))"


def survivors(path: Path, reopen: str) -> int:
    """How many of two acknowledged events are there when their process was killed.

    Before the second one, `reopen` was done by it, and another process has opened and closed the database.
    """
    words = [sys.executable, "-c", _ACKNOWLEDGE_AND_DIE, str(path), reopen, _OPEN_AND_CLOSE]
    ended = subprocess.run(words, check=False, capture_output=True)
    assert ended.returncode in {-signal.SIGKILL, 1}, ended.stderr
    with opened(path) as store:
        return len(store.read(ONE).events)


def test_a_second_store_of_the_same_process_does_not_give_up_the_locks_of_the_first(tmp_path: Path) -> None:
    assert survivors(tmp_path / "flow.db", _ANOTHER_STORE) == 2


def test_control_without_its_locks_the_log_is_removed_under_a_process(tmp_path: Path) -> None:
    """Then the second event is at least not acknowledged."""
    assert survivors(tmp_path / "flow.db", _CLOSE_A_FILE) == 1


def _remove(path: Path) -> None:
    path.rename(path.with_name("away"))


def _replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.rename(path.with_name("away"))
    path.with_name("copy").rename(path)


def _put_back(path: Path) -> None:
    path.with_name("away").rename(path)


@pytest.mark.parametrize("take_away", [_remove, _replace])
def test_what_was_removed_or_replaced_is_told_and_goes_on_when_it_is_back(
    tmp_path: Path, take_away: Callable[[Path], None]
) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        take_away(path)
        for call in (lambda: append(store, ONE, started(2)), lambda: store.read(ONE), store.executions):
            with pytest.raises(StoreUnavailable) as caught:
                call()
            assert caught.value.code == "store.moved"
            assert str(path) in caught.value.message
        _put_back(path)
        append(store, ONE, started(2))
    with opened(path) as store:
        assert len(store.read(ONE).events) == 2


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_without_the_files_beside_it_nothing_more_is_acknowledged_and_nothing_before_is_lost(
    tmp_path: Path, end: str
) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        append(store, ONE, started(2))
        Path(f"{path}{end}").unlink()
        with pytest.raises(StoreUnavailable) as caught:
            append(store, ONE, started(3))
        assert caught.value.code == "store.moved"
        # As it would be when this process was killed now.
        shutil.copy(path, tmp_path / "left.db")
    with opened(tmp_path / "left.db") as store:
        assert len(store.read(ONE).events) == 2


def test_a_database_behind_a_link_is_used_by_either_name(tmp_path: Path) -> None:
    path, link = tmp_path / "flow.db", tmp_path / "link.db"
    link.symlink_to(path)
    with opened(link) as first:
        assert path.stat().st_mode & 0o777 == 0o600
        create(first, ONE)
        with opened(path) as second:
            append(second, ONE, started(2))
        assert len(first.read(ONE).events) == 2


def in_a_fork(call: Callable[[], object]) -> str:
    """The code of the error that a call raises in a fork of this process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = "none"
        try:
            call()
        except StoreError as error:
            code = error.code
        os.write(writer, code.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        code = stream.read()
    os.waitpid(pid, 0)
    return code


def test_a_fork_does_not_use_what_was_opened_before_it(tmp_path: Path) -> None:
    """SQLite would take no locks there, neither for what is open nor for what is opened anew."""
    path = tmp_path / "flow.db"
    with opened(path) as store:
        create(store, ONE)
        assert in_a_fork(lambda: store.read(ONE)) == "store.forked"
        assert in_a_fork(lambda: append(store, ONE, started(2))) == "store.forked"
        assert in_a_fork(SqliteStore(path).open) == "store.forked"
        assert in_a_fork(store.close) == "none"
        assert in_a_fork(SqliteStore(tmp_path / "other.db").open) == "none"
        append(store, ONE, started(2))
    # Control: what is closed may be opened by a fork.
    assert in_a_fork(SqliteStore(path).open) == "none"


def test_an_error_of_the_disk_is_told_and_not_what_comes_of_it(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:

        def fail() -> None:
            with store._database.snapshot() as reader:
                reader.execute("ROLLBACK")  # as SQLite does by itself then
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error

        with pytest.raises(StoreUnavailable) as caught:
            fail()
        assert caught.value.code == "store.io"
