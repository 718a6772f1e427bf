"""A database with a long history opens, and finds what is left to do, without reading what has ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flowcore.contracts import Change
from flowcore.events import Event, ExecutionId
from flowruntime.stores.processes import this_process
from flowruntime.stores.sqlite import SqliteStore, history
from flowruntime.stores.sqlite.encoding import decode_row
from flowruntime.stores.sqlite.leases import unowned_query
from flowruntime.testing.stores.samples import ONE, WORKFLOW, append, completed, create, elsewhere, first, started

from core.flowruntime.tests.stores.keeping import opened

_ENDED = 100_000
_EVENTS = 10
_COPIES = "WITH RECURSIVE copies (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A million events of executions that have ended, and a few of others before, between and behind them."""
    path = tmp_path_factory.mktemp("large") / "flow.db"
    with opened(path) as store:
        create(store, ExecutionId("template"))
        append(store, ExecutionId("template"), *[started(seq) for seq in range(2, _EVENTS)], completed(_EVENTS))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            f"{_COPIES} INSERT INTO executions"  # noqa: S608
            " (number, id, workflow_id, document, named, status, seq, started_us, ended_us)"
            " SELECT n, 'e' || n, workflow_id, document, named, status, seq, started_us, ended_us"
            " FROM copies, executions WHERE number = 1",
            (_ENDED,),
        )
        connection.execute(
            f"{_COPIES} INSERT INTO events (execution, first_seq, last_seq, checksum, data)"  # noqa: S608
            " SELECT n, first_seq, last_seq, checksum, data FROM copies, events WHERE execution = 1",
            (_ENDED,),
        )
    connection.close()
    with opened(path) as store:
        create(store, *[ExecutionId(f"left{number}") for number in range(3)], recovery="night")
        assert sum(summary.seq for summary in store.executions(limit=200_000)) > 1_000_000
    return path


@pytest.fixture
def store(large: Path) -> Iterator[SqliteStore]:
    with opened(large) as store:
        yield store


def read_bytes() -> int:
    """What this process has read of files and all else."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        pytest.skip("needs /proc/self/io")
    return int(lines[0].removeprefix("rchar: "))


def test_it_opens_and_finds_what_nobody_runs_without_reading_what_has_ended(large: Path) -> None:
    before = read_bytes()
    with opened(large) as store:
        number, _ = store.register(this_process(), lease_seconds=600)
        assert list(store.unowned(recovery="night")) == ["left0", "left1", "left2"]
        assert len(store.unowned()) == 3
        assert store.claim(ExecutionId("left1"), number).token > 0
        assert len(store.unowned()) == 2
        assert len(store.executions(status="pending")) == 3
        assert list(store.requests.waiting(number)) == []
        store.leave(number)
    assert read_bytes() - before < 1_000_000
    assert large.stat().st_size > 20_000_000


def test_control_without_the_index_all_of_it_is_read(large: Path, tmp_path: Path) -> None:
    copy = tmp_path / "flow.db"
    copy.write_bytes(large.read_bytes())
    connection = sqlite3.connect(copy)
    connection.execute("DROP INDEX executions_unfinished")
    connection.close()
    before = read_bytes()
    with opened(copy) as store:
        assert len(store.unowned()) == 3
    assert read_bytes() - before > 3_000_000


@pytest.mark.parametrize("recovery", [None, "night"])
def test_what_nobody_runs_is_found_by_the_index_of_what_has_not_ended(store: SqliteStore, recovery: str | None) -> None:
    query, values = unowned_query([0, 1, 2], recovery, 1000)
    with store._database.snapshot() as reader:
        plan = [row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert plan[0] == "SEARCH executions USING INDEX executions_unfinished (owner=?)"
    assert not any(step.startswith("SCAN") for step in plan)


def steps_of(store: SqliteStore, call: Callable[[], object]) -> int:
    """How many steps of SQLite's machine a call takes, which does not depend on the machine."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    reader = store._database._reader
    assert reader is not None
    reader.set_progress_handler(step, 1)
    try:
        call()
    finally:
        reader.set_progress_handler(None, 1)
    return steps


def test_what_this_process_runs_is_not_looked_at_when_others_are_looked_for(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        me, _ = store.register(this_process(), lease_seconds=600)
        other, _ = store.register(elsewhere("other"), lease_seconds=600)
        runs = [Change(ExecutionId(f"e{number}"), [first()], WORKFLOW, owner=me) for number in range(2_000)]
        assert not any(store.commit(runs))
        create(store, ONE, owner=other)
        store.leave(other)
        assert list(store.unowned()) == [ONE]
        assert steps_of(store, store.unowned) < 1_000


def test_requests_that_were_answered_are_not_looked_at_when_new_ones_are_looked_for(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        me, _ = store.register(this_process(), lease_seconds=600)
        create(store, ONE, owner=me)
        number = store.requests.put(ONE, "signal", {"name": "go", "value": 1})
        append(store, ONE, token=1, answers={number: None})
        connection = sqlite3.connect(tmp_path / "flow.db")
        with connection:
            for _ in range(12):
                connection.execute(
                    "INSERT INTO requests (execution, kind, body, answer, answered_us)"
                    " SELECT execution, kind, body, answer, answered_us FROM requests"
                )
        connection.close()
        assert list(store.requests.waiting(me)) == []
        assert steps_of(store, lambda: store.requests.waiting(me)) < 1_000


def test_a_long_batch_is_decoded_once_however_small_the_pages_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = decode_row

    def counting(row: Any, *rest: Any) -> list[Event]:
        decoded.append(row.last_seq)
        return decode(row, *rest)

    monkeypatch.setattr(history, "decode_row", counting)
    with opened(tmp_path / "flow.db") as store:
        create(store, ONE)
        append(store, ONE, *[started(seq) for seq in range(2, 1_001)])
        append(store, ONE, started(1_001))
        seqs: list[int] = []
        while events := store.read(ONE, after=len(seqs), limit=10).events:
            seqs += [event.seq for event in events]
    assert seqs == list(range(1, 1_002))
    assert len(decoded) <= 4
