"""A process is killed at each named place: whoever takes its executions up ends them, and repeats nothing.

The places stand in `failpoints`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.effects import unsound, untold
from tests.faults.failpoints import AT_A_FAILURE, AT_A_RESUME, AT_A_START
from tests.faults.ledger import ledger
from tests.faults.lives import Nursery, nursery

KILLED = -9
#: Which passing of a place is a late one; the first one where nothing is said. The slower the disk, the more is in a
#: commit: so many there are of a run in any case, one before each of the effects that wait for each other.
NTH = {
    "before a commit": 6,
    "inside a transaction": 6,
    "after a commit": 6,
    "before it is told": 6,
    "before an effect": 5,
    "after an effect": 5,
    "an effect is decided": 9,
    "between two skips": 2,
    "a node has ended and its followers do not know": 14,
    "unfolding": 11,
}


@pytest.fixture(scope="module")
def nurseries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with ledger() as kept, nursery(kept, tmp_path_factory.mktemp("faults")) as lives:
        yield lives


@pytest.fixture
def lives(nurseries: Nursery, tmp_path: Path) -> Nursery:
    """The same processes for all tests, each with a database of its own."""
    nurseries.database = tmp_path / "flow.db"
    nurseries.ledger.clear()
    return nurseries


@pytest.mark.parametrize("place", AT_A_START)
def test_a_process_that_is_killed_while_it_runs_leaves_what_can_be_ended(lives: Nursery, place: str) -> None:
    killed = lives.live(count=1, workflow="short", failpoint=[place, NTH.get(place, 1)])
    assert killed.status == KILLED
    left = lives.unfinished()
    assert lives.live(resume=left).ids("ended") == left
    assert unsound(lives.database, lives.ledger, killed.ids("began"), "short") == []


@pytest.mark.parametrize("place", AT_A_RESUME)
def test_a_process_that_is_killed_while_it_takes_up_leaves_what_can_be_ended(lives: Nursery, place: str) -> None:
    began = lives.live(count=1, workflow="short", failpoint=["after an effect", 7]).ids("began")
    for _ in range(2):
        assert lives.live(resume=lives.unfinished(), failpoint=[place, NTH.get(place, 1)]).status == KILLED
    assert lives.live(resume=lives.unfinished()).ids("ended") == began
    assert unsound(lives.database, lives.ledger, began, "short") == []


@pytest.mark.parametrize("place", AT_A_FAILURE)
def test_every_failure_has_one_error_workflow_whenever_its_process_is_killed(lives: Nursery, place: str) -> None:
    passings = 1
    while lives.live(count=1, workflow="failing", failpoint=[place, passings]).status == KILLED:
        passings += 1
        again = 1
        while lives.live(resume=lives.unfinished(), failpoint=[place, again]).status == KILLED:
            again += 1
    assert passings > 1
    assert lives.unfinished() == []
    assert untold(lives.database) == []


def test_control_an_error_workflow_that_is_kept_after_the_failure_gets_lost(lives: Nursery) -> None:
    assert lives.live(count=1, workflow="failing", without="followers").status == KILLED
    lives.live(resume=lives.unfinished())
    assert any("is told of 0 times" in problem for problem in untold(lives.database))


def test_an_effect_that_may_not_be_repeated_is_asked_for_and_happens_once(lives: Nursery) -> None:
    (began,) = lives.live(count=1, workflow="once", failpoint=["after an effect", 1]).ids("began")
    assert lives.live(resume=[began], name="it leaves what asks").said[-1] == ["ended", began, "asks"]
    answered = lives.live(resume=[began], answers=[[[], "once", "value", 1]])
    assert answered.said[-1] == ["ended", began, "succeeded"]
    assert [(entry.node_id, entry.attempt) for entry in lives.ledger.entries()] == [("once", 1), ("then", 1)]


def test_control_without_the_barrier_effects_happen_that_no_log_knows_of(lives: Nursery) -> None:
    killed = lives.live(count=1, workflow="short", failpoint=["after an effect", 5], without="barrier")
    lives.live(resume=lives.unfinished())
    problems = unsound(lives.database, lives.ledger, killed.ids("began"), "short")
    # The second process began with the same numbers, because nothing told it of them.
    assert any("two effects of attempt 1" in problem for problem in problems)
