"""Controls of the conformance suite: a store with one of its protections switched off fails a test of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from flowcore.contracts import Change, Claim, Owner
from flowcore.errors import StoreError
from flowcore.events import ExecutionId
from flowruntime.stores import MemoryStore
from flowruntime.stores.memory import leases
from flowruntime.stores.memory.logs import Log
from flowruntime.stores.memory.node_values import MemoryValues
from flowruntime.stores.processes import this_process
from flowruntime.testing.stores import StoreSuite
from flowruntime.testing.stores.samples import ONE, create

from tests.conformance.store_clocks import StoreClock


class Changing(MemoryStore):
    """Changes what it is given before it keeps it."""

    def __init__(self, change: Callable[[Change], Change]) -> None:
        super().__init__()
        self._change = change

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        return super().commit([self._change(change) for change in changes])


def failed(test: Callable[..., None], *arguments: object) -> None:
    """The test must fail, of itself or by an error of the store."""
    with pytest.raises((AssertionError, StoreError, pytest.fail.Exception)):
        test(*arguments)


def another() -> Owner:
    """A process of this host that there never was."""
    return replace(this_process("gone"), is_given=False, process_start=1)


def running(store: MemoryStore) -> tuple[MemoryStore, int]:
    """The store, in which this process runs execution ONE."""
    number, _ = store.register(this_process(), lease_seconds=600)
    create(store, ONE, owner=number)
    return store, number


def test_without_the_comparison_of_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = StoreSuite()
    suite.test_a_lease_that_is_given_back_can_be_claimed_at_once(MemoryStore())
    monkeypatch.setattr(Log, "is_held", lambda self, token: True)
    failed(suite.test_a_lease_that_is_given_back_can_be_claimed_at_once, MemoryStore())
    failed(suite.test_whoever_creates_an_execution_with_an_owner_runs_it_with_token_1, MemoryStore())
    failed(suite.test_what_is_quarantined_waits_for_somebody_to_claim_it_by_hand, MemoryStore())


def test_without_a_look_at_who_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = StoreSuite()
    suite.test_what_somebody_runs_is_not_claimed(MemoryStore())
    monkeypatch.setattr(leases.Leases, "_is_alive", lambda self, number: False)
    failed(suite.test_what_somebody_runs_is_not_claimed, MemoryStore())
    failed(suite.test_a_given_name_is_for_one_live_process, MemoryStore(), (True, True))


def test_without_a_look_at_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    suite, gone = StoreSuite(), another()
    suite.test_the_leases_of_a_process_that_is_gone_are_void_at_once(MemoryStore(), gone)
    monkeypatch.setattr(leases, "is_gone", lambda owner: False)
    failed(suite.test_the_leases_of_a_process_that_is_gone_are_void_at_once, MemoryStore(), gone)


def test_without_a_clock_that_moves() -> None:
    suite, clock = StoreSuite(), StoreClock()
    suite.test_the_leases_of_others_are_void_when_they_run_out(MemoryStore(now_us=clock.now_us), clock.pass_seconds)
    for test in (
        suite.test_the_leases_of_others_are_void_when_they_run_out,
        suite.test_a_process_of_this_host_that_stands_still_loses_its_leases_when_they_run_out,
        suite.test_whoever_wakes_up_late_keeps_what_nobody_has_claimed,
    ):
        failed(test, MemoryStore(now_us=lambda: 0), clock.pass_seconds)


@pytest.mark.parametrize(
    ("forget", "test"),
    [
        (
            lambda change: change._replace(once=None),
            StoreSuite.test_of_what_may_begin_one_execution_only_the_first_begins,
        ),
        (
            lambda change: change._replace(recovery=None),
            StoreSuite.test_what_nobody_runs_comes_oldest_first_and_by_recovery,
        ),
        (
            lambda change: change._replace(named=None),
            StoreSuite.test_an_execution_has_the_documents_that_it_runs_by_name,
        ),
    ],
    ids=["once", "recovery", "named"],
)
def test_with_a_part_of_changes_forgotten(
    forget: Callable[[Change], Change], test: Callable[[StoreSuite, MemoryStore], None]
) -> None:
    test(StoreSuite(), Changing(lambda change: change))
    failed(test, StoreSuite(), Changing(forget))


class Apart(MemoryStore):
    """Keeps what follows an execution whatever becomes of that, or the other way round."""

    def __init__(self, *, is_follower_first: bool) -> None:
        super().__init__()
        self._is_follower_first = is_follower_first

    def commit(self, changes: Sequence[Change]) -> list[StoreError | None]:
        refusals: list[StoreError | None] = []
        for change in changes:
            both = [one for one in (change._replace(follower=None), change.follower) if one is not None]
            refused = super().commit(both[::-1] if self._is_follower_first else both)
            refusals.append(next((refusal for refusal in refused if refusal is not None), None))
        return refusals


def test_with_what_follows_an_execution_kept_apart_from_it() -> None:
    suite = StoreSuite()
    suite.test_what_follows_an_execution_is_refused_with_its_end(MemoryStore())
    failed(suite.test_what_follows_an_execution_is_refused_with_its_end, Apart(is_follower_first=True))
    suite.test_an_end_is_refused_with_what_follows_it(MemoryStore())
    failed(suite.test_an_end_is_refused_with_what_follows_it, Apart(is_follower_first=False))


def test_with_answers_forgotten() -> None:
    test = StoreSuite().test_requests_are_answered_with_the_events_that_came_of_them
    store, owner = running(Changing(lambda change: change))
    test(store, store.requests, owner)
    store, owner = running(Changing(lambda change: change._replace(answers=None)))
    failed(test, store, store.requests, owner)


def test_without_a_comparison_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = StoreSuite()
    suite.test_a_text_is_set_if_nobody_has_changed_it(MemoryValues())

    def compare_nothing(self: MemoryValues, scope: str, key: str, expected: str | None, text: str | None) -> bool:
        self.put(scope, key, text)
        return True

    monkeypatch.setattr(MemoryValues, "compare_and_set", compare_nothing)
    failed(suite.test_a_text_is_set_if_nobody_has_changed_it, MemoryValues())


class Greedy(MemoryStore):
    """Lets an owner claim what it runs."""

    def claim(self, execution_id: ExecutionId, owner: int) -> Claim:
        log = self._logs.get_unfinished(execution_id)
        if log.owner == owner:
            log.owner = 0
        return super().claim(execution_id, owner)


def test_without_the_refusal_to_take_over_from_oneself() -> None:
    suite, clock = StoreSuite(), StoreClock()
    suite.test_nobody_takes_over_from_themselves(MemoryStore(now_us=clock.now_us), clock.pass_seconds)
    failed(suite.test_nobody_takes_over_from_themselves, Greedy(now_us=clock.now_us), clock.pass_seconds)
