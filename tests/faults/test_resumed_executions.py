"""Processes are killed at random times of a run of 200 nodes, against a ledger of effects that nobody kills.

The long part, 200 kills, is `poe faults`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.effects import unsound
from tests.faults.ledger import ledger
from tests.faults.lives import Nursery, nursery

KILLED = -9
#: A whole run takes about half as long.
MOST_SECONDS = 0.25
#: So often an execution is taken up before it is let run to its end: five times in a row are too often.
TAKEN_UP = 3


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Nursery]:
    with ledger() as kept, nursery(kept, tmp_path / "flow.db") as made:
        yield made


def kill_at_random_times(lives: Nursery, kills: int, seed: int) -> tuple[list[str], int]:
    """The executions that were acknowledged, all of them ended, and how many processes were killed in a run."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    killed = taken_up = 0
    while killed < kills:
        left = lives.unfinished()
        if taken_up >= TAKEN_UP:
            assert lives.live(resume=left).ids("ended") == left
            taken_up, left = 0, []
        life = lives.begin(resume=left, count=0 if left else 1, workflow="long")
        assert life.until("took" if left else "began")
        if not life.until("ended", seconds=chance.uniform(0, MOST_SECONDS)):
            life.kill()
            killed += life.status == KILLED
            taken_up += bool(left)
        else:
            taken_up = 0
        life.to_its_end()
        acknowledged += life.ids("began")
    left = lives.unfinished()
    assert lives.live(resume=left).ids("ended") == left
    return acknowledged, killed


def test_after_some_kills_at_random_times_every_execution_ends_as_if_nothing_had_happened(lives: Nursery) -> None:
    acknowledged, _ = kill_at_random_times(lives, kills=5, seed=1)
    assert unsound(lives.database, lives.ledger, acknowledged, "long") == []


@pytest.mark.skipif("FLOW_TEST_LONG" not in os.environ, reason="the long part: poe faults")
def test_after_200_kills_at_random_times_every_execution_ends_as_if_nothing_had_happened(lives: Nursery) -> None:
    seed = int(os.environ.get("FLOW_TEST_SEED", "2"))
    acknowledged, killed = kill_at_random_times(lives, kills=200, seed=seed)
    entries = lives.ledger.entries()
    repeated = sum(entry.attempt > 1 for entry in entries)
    print(  # noqa: T201 - the figures of the long part
        f"{killed} kills, {len(acknowledged)} executions, {len(entries)} effects, {repeated} repeated, seed {seed}"
    )
    assert unsound(lives.database, lives.ledger, acknowledged, "long") == []


def test_control_who_begins_anew_after_a_kill_repeats_what_was_completed(lives: Nursery) -> None:
    (began,) = lives.live(count=1, workflow="short", failpoint=["after an effect", 7]).ids("began")
    forget_nodes(lives.database)
    lives.live(resume=[began])
    problems = unsound(lives.database, lives.ledger, [began], "short")
    assert any("two effects of attempt 1" in problem for problem in problems)


def test_two_processes_share_a_database_and_run_each_execution_once(tmp_path: Path) -> None:
    with ledger() as kept, nursery(kept, tmp_path / "flow.db") as one, nursery(kept, tmp_path / "flow.db") as other:
        killed = one.live(count=20, workflow="short", failpoint=["after an effect", 60])
        left = one.unfinished()
        assert len(left) > 1  # some may have ended; that none is lost is seen below
        both = [lives.begin(resume=left, count=20, workflow="short") for lives in (one, other)]
        assert [life.to_its_end() for life in both] == [0, 0]
        ended = [life.ids("ended") for life in both]
        assert set(left) <= {*ended[0], *ended[1]}
        assert not set(ended[0]) & set(ended[1])
        acknowledged = [name for life in (killed, *both) for name in life.ids("began")]
        assert unsound(tmp_path / "flow.db", kept, acknowledged, "short") == []


def forget_nodes(database: Path) -> None:
    """Leave of each execution its first event alone."""
    import sqlite3

    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM events WHERE first_seq > 1")
        connection.execute("UPDATE executions SET seq = 1, status = 'pending'")
    connection.close()
