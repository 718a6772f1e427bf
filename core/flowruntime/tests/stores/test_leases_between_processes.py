"""Two processes on one database: whoever was killed or stopped loses what it ran, and writes nothing more."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from flowcore.errors import StoreError
from flowcore.events import ExecutionId
from flowruntime.stores.processes import this_process
from flowruntime.testing.stores.samples import ONE, TWO, append, create, started

from core.flowruntime.tests.stores.keeping import opened
from core.flowruntime.tests.stores.other_processes import OtherProcess, other_process


def minutes_later() -> int:
    """A clock by which leases that others have just renewed have run out."""
    return time.time_ns() // 1000 + 3_600_000_000


def run_sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(statement)
    finally:
        connection.close()


def test_what_a_killed_process_ran_can_be_claimed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store, other_process(path) as other:
        me, _ = store.register(this_process(), lease_seconds=600)
        assert other.do("create", other.do("register", None), ONE) is None
        with pytest.raises(StoreError) as caught:
            store.claim(ONE, me)
        assert caught.value.code == "lease.held"
        assert f"process {other.pid}" in caught.value.message
        other.kill()
        assert list(store.unowned()) == [ONE]
        assert store.claim(ONE, me).token == 2
        append(store, ONE, started(2), token=2)


def stopped_past_its_lease(path: Path, other: OtherProcess) -> None:
    """The other process has created ONE, stood still, and lost it to this one."""
    assert other.do("create", other.do("register", None), ONE) is None
    other.stop()
    with opened(path) as punctual:
        assert list(punctual.unowned()) == []  # it stands still, but its leases have not run out
    with opened(path, now_us=minutes_later) as store:
        me, _ = store.register(this_process(), lease_seconds=600)
        assert store.claim(ONE, me).token == 2
        append(store, ONE, started(2), token=2)


def test_a_process_that_stood_still_past_its_lease_writes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with other_process(path) as other:
        stopped_past_its_lease(path, other)
        other.go_on()
        assert other.do("append", ONE, 2, 1) == "lease.lost"
        assert other.do("append", ONE, 3, 1) == "lease.lost"
    with opened(path) as store:
        assert [event.seq for event in store.read(ONE).events] == [1, 2]


def test_control_without_a_token_that_grows_it_would_write(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with other_process(path) as other:
        stopped_past_its_lease(path, other)
        run_sql(path, "UPDATE executions SET token = 1")
        other.go_on()
        assert other.do("append", ONE, 3, 1) is None
    with opened(path) as store:
        assert [event.seq for event in store.read(ONE).events] == [1, 2, 3]


def test_of_several_processes_that_claim_the_same_executions_each_is_claimed_once(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    ids = [ExecutionId(f"e{number}") for number in range(60)]
    with opened(path) as store, ExitStack() as stack:
        create(store, *ids)
        others = [stack.enter_context(other_process(path)) for _ in range(3)]
        numbers = [other.do("register", None) for other in others]
        for other, number in zip(others, numbers, strict=True):
            other.ask("claim", number, *ids)
        answers = [other.hear() for other in others]
        assert all(
            sorted(map(str, column)) == ["1", "lease.held", "lease.held"] for column in zip(*answers, strict=True)
        )
        assert list(store.unowned()) == []


def test_several_processes_write_at_once_and_all_of_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store, ExitStack() as stack:
        others = [stack.enter_context(other_process(path)) for _ in range(3)]
        for position, other in enumerate(others):
            number = other.do("register", None)
            assert other.do("create", number, f"e{position}") is None
        for seq in range(2, 30):
            for position, other in enumerate(others):
                other.ask("append", f"e{position}", seq, 1)
        assert [other.hear() for other in others for _ in range(2, 30)] == [None] * 84
        assert [summary.seq for summary in store.executions()] == [29, 29, 29]


def test_a_given_name_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store, other_process(path) as other:
        assert other.do("create", other.do("register", "night"), ONE) is None
        with pytest.raises(StoreError) as caught:
            store.register(this_process("night"), lease_seconds=600)
        assert caught.value.code == "runtime.name_taken"
        other.kill()
        store.register(this_process("night"), lease_seconds=600)
        assert list(store.unowned()) == [ONE]


def test_owners_that_are_gone_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with opened(path) as store:
        for name in (ONE, TWO):
            with other_process(path) as other:
                assert other.do("create", other.do("register", None), name) is None
        store.register(this_process(), lease_seconds=600)
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT count(*) FROM owners").fetchone() == (1,)
        connection.close()
        assert list(store.unowned()) == [ONE, TWO]
