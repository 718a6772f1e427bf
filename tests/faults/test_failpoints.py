"""A process is killed at each named place: whoever takes its executions up ends them, and repeats nothing.

The places stand in `failpoints`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.effects import unsound
from tests.faults.failpoints import AT_A_RESUME, AT_A_START
from tests.faults.ledger import ledger
from tests.faults.lives import Nursery, nursery

KILLED = -9
#: Which passing of a place is the last one; the first one where nothing is said.
NTH = {
    "before a commit": 12,
    "inside a transaction": 12,
    "after a commit": 12,
    "before it is told": 12,
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
    assert any("not in the log" in problem or "no log" in problem for problem in problems)
