"""What every store must do with schedules: `flowcore.contracts.ScheduleStore`."""

from __future__ import annotations

import pytest
from flowcore.contracts import Schedule, ScheduleStore, Store

__all__ = ["ScheduleSuite"]


def at(due_us: int, workflow_id: str = "w", trigger_id: str = "t") -> Schedule:
    """A schedule."""
    return Schedule(workflow_id=workflow_id, trigger_id=trigger_id, due_us=due_us)


class ScheduleSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    @pytest.fixture
    def schedules(self, store: Store) -> ScheduleStore:
        """Its schedules."""
        return store.schedules

    def test_what_is_due_comes_earliest_first(self, schedules: ScheduleStore) -> None:
        assert list(schedules.due(1_000)) == []
        assert schedules.next_due_us() is None
        for schedule in (at(300, "w"), at(100, "x"), at(200, "w", "u"), at(400, "y")):
            schedules.put(schedule)
        assert list(schedules.due(300)) == [at(100, "x"), at(200, "w", "u"), at(300, "w")]
        assert list(schedules.due(300, limit=1)) == [at(100, "x")]
        assert list(schedules.due(99)) == []
        assert schedules.next_due_us() == 100

    def test_a_trigger_has_one_schedule(self, schedules: ScheduleStore) -> None:
        schedules.put(at(100))
        schedules.put(at(2**53 + 1))
        assert list(schedules.list()) == [at(2**53 + 1)]

    def test_of_two_that_move_a_schedule_the_second_one_is_told(self, schedules: ScheduleStore) -> None:
        schedules.put(at(100))
        assert schedules.move("w", "t", from_us=100, to_us=200)
        assert not schedules.move("w", "t", from_us=100, to_us=300)
        assert not schedules.move("w", "nobody", from_us=100, to_us=300)
        assert list(schedules.list()) == [at(200)]

    def test_schedules_are_listed_and_removed_by_workflow(self, schedules: ScheduleStore) -> None:
        for schedule in (at(3, "w", "b"), at(2, "w", "a"), at(1, "x", "a"), at(0, "w", "c")):
            schedules.put(schedule)
        assert list(schedules.list()) == [at(2, "w", "a"), at(3, "w", "b"), at(0, "w", "c"), at(1, "x", "a")]
        assert list(schedules.list("x")) == [at(1, "x", "a")]
        schedules.remove("w", "a")
        schedules.remove("w", "a")
        assert list(schedules.list("w")) == [at(3, "w", "b"), at(0, "w", "c")]
        schedules.remove("w")
        assert list(schedules.list()) == [at(1, "x", "a")]
