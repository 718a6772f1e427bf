"""What every store must do with leases: one owner for an execution, whatever happens to owners."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest
from flowcore.contracts import Change, Owner, Store
from flowcore.errors import StoreError
from flowcore.events import ExecutionId

from flowruntime.stores.processes import this_process
from flowruntime.testing.stores.samples import (
    ONE,
    THREE,
    TWO,
    WORKFLOW,
    append,
    completed,
    create,
    elsewhere,
    first,
    refusal,
    started,
)

__all__ = ["LeaseSuite"]

#: Leases that run out in a test, and those that do not.
_SHORT_SECONDS: Final = 0.2
_LONG_SECONDS: Final = 600.0


class LeaseSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture.

    `pass_seconds` lets time pass for the store. It waits; give one that moves the store's clock where there is one.
    """

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    @pytest.fixture
    def pass_seconds(self) -> Callable[[float], None]:
        """Lets time pass for the store."""
        return time.sleep

    # --- owners -------------------------------------------------------------------------------------

    def test_whoever_registers_is_alive_until_it_leaves(self, store: Store) -> None:
        me = this_process()
        number, owner = store.register(me, lease_seconds=_LONG_SECONDS)
        assert owner == me
        assert list(store.owners()) == [(number, me)]
        assert store.keep_alive(number)
        store.leave(number)
        assert list(store.owners()) == []
        store.leave(number)

    def test_numbers_of_owners_are_not_given_again(self, store: Store) -> None:
        numbers = set()
        for _ in range(3):
            number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
            numbers.add(number)
            store.leave(number)
        assert len(numbers) == 3
        assert min(numbers) > 0

    @pytest.mark.parametrize("given", [(True, True), (True, False), (False, True)])
    def test_a_given_name_is_for_one_live_process(self, store: Store, given: tuple[bool, bool]) -> None:
        number, _ = store.register(elsewhere("night", is_given=given[0]), lease_seconds=_LONG_SECONDS)
        second = replace(this_process("night"), is_given=given[1])
        with pytest.raises(StoreError) as caught:
            store.register(second, lease_seconds=_LONG_SECONDS)
        assert caught.value.code == "runtime.name_taken"
        assert "'night'" in caught.value.message
        assert "elsewhere.example" in caught.value.message
        store.leave(number)
        store.register(second, lease_seconds=_LONG_SECONDS)

    def test_names_that_were_made_up_may_be_the_same(self, store: Store) -> None:
        for _ in range(2):
            store.register(elsewhere("made up"), lease_seconds=_LONG_SECONDS)
        assert len(store.owners()) == 2

    def test_the_name_of_a_process_that_is_gone_is_free(self, store: Store, gone: Owner) -> None:
        store.register(replace(gone, name="night", is_given=True), lease_seconds=_LONG_SECONDS)
        assert list(store.owners()) == []
        store.register(elsewhere("night", is_given=True), lease_seconds=_LONG_SECONDS)

    def test_whoever_lost_its_name_has_to_register_again(
        self, store: Store, pass_seconds: Callable[[float], None]
    ) -> None:
        stopped, _ = store.register(elsewhere("night", is_given=True), lease_seconds=_SHORT_SECONDS)
        create(store, ONE, owner=stopped, recovery="night")
        pass_seconds(_SHORT_SECONDS * 2)
        store.register(this_process("night"), lease_seconds=_LONG_SECONDS)
        with pytest.raises(StoreError) as caught:
            store.keep_alive(stopped)
        assert caught.value.code == "owner.unknown"
        assert list(store.unowned(recovery="night")) == [ONE]
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"
        assert refusal(store, TWO, first(), workflow=WORKFLOW, owner=stopped) == "owner.unknown"

    # --- creating and claiming ----------------------------------------------------------------------

    def test_whoever_creates_an_execution_with_an_owner_runs_it_with_token_1(self, store: Store) -> None:
        number, me = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        (summary,) = store.executions()
        assert (summary.status, summary.owner) == ("running", me)
        assert list(store.unowned()) == []
        append(store, ONE, started(2), token=1)
        assert refusal(store, ONE, started(3)) == "lease.lost"
        assert refusal(store, ONE, started(3), token=2) == "lease.lost"
        append(store, ONE, completed(3), token=1)
        assert [one.owner for one in store.executions()] == [None]

    def test_nobody_runs_what_was_created_without_an_owner(self, store: Store) -> None:
        create(store, ONE)
        (summary,) = store.executions()
        assert (summary.status, summary.owner) == ("pending", None)
        assert list(store.unowned()) == [ONE]
        append(store, ONE, completed(2, "cancelled"))
        assert list(store.unowned()) == []

    def test_an_owner_that_is_not_registered_runs_nothing(self, store: Store) -> None:
        assert refusal(store, ONE, first(), workflow=WORKFLOW, owner=99) == "owner.unknown"
        create(store, ONE)
        with pytest.raises(StoreError) as caught:
            store.claim(ONE, 99)
        assert caught.value.code == "owner.unknown"

    def test_a_claim_gives_what_the_next_change_carries(self, store: Store) -> None:
        number, me = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE)
        append(store, ONE, started(2), started(3), status="waiting")
        claim = store.claim(ONE, number)
        assert (claim.execution_id, claim.seq, claim.cancel_requested) == (ONE, 3, False)
        assert claim.token == 1
        (summary,) = store.executions()
        assert (summary.status, summary.owner) == ("waiting", me)
        assert refusal(store, ONE, started(4)) == "lease.lost"
        append(store, ONE, started(4), token=claim.token)

    def test_what_somebody_runs_is_not_claimed(self, store: Store) -> None:
        holder, _ = store.register(elsewhere("holder"), lease_seconds=_LONG_SECONDS)
        other, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=holder)
        for number in (other, holder):
            with pytest.raises(StoreError) as caught:
                store.claim(ONE, number)
            assert caught.value.code == "lease.held"
            assert "'holder'" in caught.value.message
        append(store, ONE, started(2), token=1)

    def test_what_is_unknown_or_has_ended_is_not_claimed(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE)
        append(store, ONE, completed(2))
        for execution_id, code in ((ONE, "execution.final"), (TWO, "execution.unknown")):
            with pytest.raises(StoreError) as caught:
                store.claim(execution_id, number)
            assert caught.value.code == code
            with pytest.raises(StoreError) as caught:
                store.quarantine(execution_id, 0, "why")
            assert caught.value.code == code

    def test_a_claim_says_that_the_execution_is_to_be_cancelled(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE)
        store.requests.put(ONE, "cancel", {"why": "enough"})
        assert store.claim(ONE, number).cancel_requested
        create(store, TWO, owner=number)
        (refused,) = store.commit([Change(TWO, [], token=1, cancel=True)])
        assert refused is None
        store.release(TWO, 1)
        assert store.claim(TWO, number).cancel_requested

    # --- void leases --------------------------------------------------------------------------------

    def test_whoever_leaves_gives_all_leases_back(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, TWO, owner=number)
        store.leave(number)
        assert list(store.unowned()) == [ONE, TWO]
        assert [one.owner for one in store.executions()] == [None, None]
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"

    def test_a_lease_that_is_given_back_can_be_claimed_at_once(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        store.release(ONE, 1)
        assert list(store.unowned()) == [ONE]
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"
        assert store.claim(ONE, number).token == 2
        store.release(ONE, 1)
        store.release(TWO, 1)
        append(store, ONE, started(2), token=2)

    def test_the_leases_of_a_process_that_is_gone_are_void_at_once(self, store: Store, gone: Owner) -> None:
        number, _ = store.register(gone, lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        assert list(store.unowned()) == [ONE]
        assert [one.owner for one in store.executions()] == [None]
        me, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        assert list(store.unowned()) == [ONE]
        assert store.claim(ONE, me).token == 2
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"

    def test_a_process_that_has_the_pid_of_one_that_is_gone_is_another_one(self, store: Store) -> None:
        me = this_process()
        number, _ = store.register(replace(me, process_start=me.process_start - 1), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        assert list(store.unowned()) == [ONE]

    def test_the_leases_of_others_are_void_when_they_run_out(
        self, store: Store, pass_seconds: Callable[[float], None]
    ) -> None:
        silent, _ = store.register(elsewhere("silent"), lease_seconds=_SHORT_SECONDS)
        me, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, TWO, owner=silent)
        assert list(store.unowned()) == []
        pass_seconds(_SHORT_SECONDS * 2)
        assert list(store.unowned()) == [ONE, TWO]
        assert len(store.owners()) == 1
        append(store, ONE, started(2), token=1)  # nobody has claimed it yet
        assert store.claim(ONE, me).token == 2
        assert refusal(store, ONE, started(3), token=1) == "lease.lost"
        assert [event.seq for event in store.read(ONE).events] == [1, 2]

    def test_whoever_wakes_up_late_keeps_what_nobody_has_claimed(
        self, store: Store, pass_seconds: Callable[[float], None]
    ) -> None:
        late, _ = store.register(elsewhere("late"), lease_seconds=_SHORT_SECONDS)
        me, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, TWO, owner=late)
        pass_seconds(_SHORT_SECONDS * 2)
        store.claim(ONE, me)
        assert not store.keep_alive(late)
        assert list(store.unowned()) == []
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"
        append(store, TWO, started(2), token=1)
        with pytest.raises(StoreError):
            store.claim(TWO, me)

    def test_nobody_takes_over_from_themselves(self, store: Store, pass_seconds: Callable[[float], None]) -> None:
        """What is decided and not kept yet, because the store could not be used for long, would be refused."""
        me, _ = store.register(elsewhere("one"), lease_seconds=_SHORT_SECONDS)
        create(store, ONE, owner=me)
        pass_seconds(2 * _SHORT_SECONDS)
        with pytest.raises(StoreError) as caught:
            store.claim(ONE, me)
        assert caught.value.code == "lease.held"
        store.keep_alive(me)
        append(store, ONE, started(2), token=1)

    def test_leases_that_are_renewed_do_not_run_out(self, store: Store, pass_seconds: Callable[[float], None]) -> None:
        number, _ = store.register(elsewhere("busy"), lease_seconds=1.0)
        create(store, ONE, owner=number)
        for _ in range(3):
            pass_seconds(0.5)
            assert store.keep_alive(number)
        assert list(store.unowned()) == []

    def test_a_process_of_this_host_that_stands_still_loses_its_leases_when_they_run_out(
        self, store: Store, pass_seconds: Callable[[float], None]
    ) -> None:
        number, _ = store.register(this_process(), lease_seconds=_SHORT_SECONDS)
        create(store, ONE, owner=number)
        pass_seconds(_SHORT_SECONDS * 2)
        assert list(store.unowned()) == [ONE]

    def test_whoever_lost_an_execution_is_told_so_when_it_has_ended_meanwhile(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        store.release(ONE, 1)
        append(store, ONE, completed(2), token=store.claim(ONE, number).token)
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"
        assert refusal(store, ONE, token=1) == "lease.lost"
        assert refusal(store, ONE, started(3), token=2) == "execution.final"

    # --- what nobody runs ---------------------------------------------------------------------------

    def test_what_nobody_runs_comes_oldest_first_and_by_recovery(self, store: Store) -> None:
        ids = [ExecutionId(f"e{number}") for number in range(4)]
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ids[3], recovery="night")
        create(store, ids[2], owner=number, recovery="night")
        create(store, ids[1], recovery="day")
        create(store, ids[0])
        assert list(store.unowned()) == [ids[3], ids[1], ids[0]]
        assert list(store.unowned(limit=2)) == [ids[3], ids[1]]
        store.leave(number)
        assert list(store.unowned(recovery="night")) == [ids[3], ids[2]]
        assert list(store.unowned(recovery="")) == []

    def test_what_is_quarantined_waits_for_somebody_to_claim_it_by_hand(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        store.quarantine(ONE, 1, "recovered five times")
        record = store.record(ONE)
        assert record is not None
        assert (record.status, record.quarantine) == ("quarantined", "recovered five times")
        assert [one.owner for one in store.executions(status="quarantined")] == [None]
        assert list(store.unowned()) == []
        assert refusal(store, ONE, started(2), token=1) == "lease.lost"
        claim = store.claim(ONE, number)
        assert claim.token == 2
        record = store.record(ONE)
        assert record is not None
        assert (record.status, record.quarantine) == ("running", None)

    def test_only_whoever_has_the_lease_quarantines(self, store: Store) -> None:
        number, _ = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        for token in (0, 2):
            with pytest.raises(StoreError) as caught:
                store.quarantine(ONE, token, "why")
            assert caught.value.code == "lease.lost"
        assert [one.status for one in store.executions()] == ["running"]

    def test_of_many_that_claim_at_once_one_succeeds(self, store: Store) -> None:
        if not store.blocking:
            return
        create(store, THREE)
        numbers = [store.register(this_process(), lease_seconds=_LONG_SECONDS).number for _ in range(4)]
        ready = threading.Barrier(len(numbers))
        tokens: list[int] = []
        refused: list[str] = []

        def claim(number: int) -> None:
            ready.wait()
            try:
                tokens.append(store.claim(THREE, number).token)
            except StoreError as error:
                refused.append(error.code)

        threads = [threading.Thread(target=claim, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tokens == [1]
        assert refused == ["lease.held"] * 3

    def test_leases_outlive_the_connection(self, store: Store) -> None:
        if not store.blocking:
            return
        number, me = store.register(this_process(), lease_seconds=_LONG_SECONDS)
        create(store, ONE, owner=number)
        store.close()
        store.open()
        assert list(store.owners()) == [(number, me)]
        assert [None if refused is None else refused.code for refused in store.commit([Change(ONE, [started(2)])])] == [
            "lease.lost"
        ]
        append(store, ONE, started(2), token=1)

    @pytest.fixture
    def gone(self) -> Owner:
        """A process of this host that has ended."""
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        return replace(this_process("gone"), is_given=False, pid=process.pid, process_start=1)
