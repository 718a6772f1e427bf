"""What every store must do with requests: `flowcore.contracts.RequestStore`."""

from __future__ import annotations

import pytest
from flowcore.contracts import RequestStore, Store
from flowcore.errors import StoreError
from flowcore.values import Blob

from flowruntime.stores.processes import this_process
from flowruntime.testing.stores.samples import ONE, TWO, append, completed, create, elsewhere, refusal, started

__all__ = ["RequestSuite"]

_REFUSED = {"code": "signal.unknown", "message": "é", "remedy": "Wait."}


class RequestSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    @pytest.fixture
    def requests(self, store: Store) -> RequestStore:
        """Its requests."""
        return store.requests

    @pytest.fixture
    def me(self, store: Store) -> int:
        """The number of an owner, which runs execution ONE."""
        number, _ = store.register(this_process(), lease_seconds=600)
        create(store, ONE, owner=number)
        return number

    def test_requests_come_to_whoever_runs_the_execution_oldest_first(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        other, _ = store.register(elsewhere("other"), lease_seconds=600)
        create(store, TWO, owner=other)
        assert list(requests.waiting(me)) == []
        second = requests.put(TWO, "cancel", {"why": None})
        body = {"name": "go", "value": {"n": [1, 1.0, 2**63 - 1, "é\0", None]}}
        signal = requests.put(ONE, "signal", body)
        answer = requests.put(ONE, "answer", {"node_id": "a", "path": [], "answer": "value", "value": 7})
        assert signal < answer
        (first, last) = requests.waiting(me)
        assert (first.number, first.execution_id, first.kind, first.body) == (signal, ONE, "signal", body)
        assert repr(first.body) == repr(body)
        assert (last.number, last.kind) == (answer, "answer")
        assert [request.number for request in requests.waiting(other)] == [second]
        assert [request.number for request in requests.waiting_for(ONE)] == [signal, answer]

    def test_a_blob_in_a_request_comes_with_its_content(self, requests: RequestStore, me: int) -> None:
        requests.put(ONE, "signal", {"name": "go", "value": [Blob.from_bytes(b"content" * 100_000)]})
        (request,) = requests.waiting(me)
        assert request.body["value"][0].read() == b"content" * 100_000

    def test_what_nobody_runs_keeps_its_requests_until_it_is_claimed(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        create(store, TWO)
        number = requests.put(TWO, "signal", {"name": "go", "value": 1})
        assert list(requests.waiting(me)) == []
        assert [request.number for request in requests.waiting_for(TWO)] == [number]
        store.claim(TWO, me)
        assert [request.number for request in requests.waiting(me)] == [number]

    def test_requests_are_answered_with_the_events_that_came_of_them(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        good, bad = (requests.put(ONE, "signal", {"name": name, "value": 1}) for name in ("go", "stop"))
        assert requests.answered(good) is None
        append(store, ONE, started(2), token=1, answers={good: None, bad: _REFUSED})
        assert requests.answered(good) == {"error": None}
        assert requests.answered(bad) == {"error": _REFUSED}
        assert list(requests.waiting(me)) == []
        assert list(requests.waiting_for(ONE)) == []

    def test_a_change_without_events_answers_too(self, store: Store, requests: RequestStore, me: int) -> None:
        number = requests.put(ONE, "signal", {"name": "go", "value": 1})
        append(store, ONE, token=1, answers={number: None})
        assert requests.answered(number) == {"error": None}

    def test_a_change_that_is_refused_answers_nothing(self, store: Store, requests: RequestStore, me: int) -> None:
        number = requests.put(ONE, "signal", {"name": "go", "value": 1})
        assert refusal(store, ONE, started(2), token=7, answers={number: None}) == "lease.lost"
        assert refusal(store, ONE, started(9), token=1, answers={number: None}) == "store.gap"
        assert requests.answered(number) is None

    def test_the_first_answer_stands_and_others_are_not_touched(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        create(store, TWO, owner=me)
        mine, others = requests.put(ONE, "cancel", {"why": None}), requests.put(TWO, "cancel", {"why": None})
        append(store, ONE, token=1, answers={mine: None, others: None})
        append(store, ONE, token=1, answers={mine: _REFUSED})
        assert requests.answered(mine) == {"error": None}
        assert requests.answered(others) is None

    def test_what_waits_when_an_execution_ends_has_come_too_late(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        answered, late, cancel = (
            requests.put(ONE, kind, {"name": "go", "value": 1}) for kind in ("signal", "signal", "cancel")
        )
        append(store, ONE, completed(2), token=1, answers={answered: None})
        assert requests.answered(answered) == {"error": None}
        for number in (late, cancel):
            told = requests.answered(number)
            assert told is not None
            assert told["error"]["code"] == "execution.final"
            assert set(told["error"]) == {"code", "message", "remedy"}

    def test_what_was_to_be_cancelled_and_was_is_no_error(self, store: Store, requests: RequestStore, me: int) -> None:
        number = requests.put(ONE, "cancel", {"why": "enough"})
        append(store, ONE, completed(2, "cancelled"), token=1)
        assert requests.answered(number) == {"error": None}

    def test_an_answer_that_comes_after_the_end_changes_nothing(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        number = requests.put(ONE, "signal", {"name": "go", "value": 1})
        append(store, ONE, completed(2), token=1)
        append(store, ONE, token=1, answers={number: None})
        told = requests.answered(number)
        assert told is not None
        assert told["error"]["code"] == "execution.final"

    def test_of_what_is_unknown_or_has_ended_nothing_is_wanted(
        self, store: Store, requests: RequestStore, me: int
    ) -> None:
        append(store, ONE, completed(2), token=1)
        for execution_id, code in ((ONE, "execution.final"), (TWO, "execution.unknown")):
            with pytest.raises(StoreError) as caught:
                requests.put(execution_id, "cancel", {"why": None})
            assert caught.value.code == code

    def test_what_is_forgotten_is_taken_back(self, requests: RequestStore, me: int) -> None:
        number = requests.put(ONE, "signal", {"name": "go", "value": 1})
        requests.forget(number)
        requests.forget(number)
        assert list(requests.waiting(me)) == []
        with pytest.raises(StoreError) as caught:
            requests.answered(number)
        assert caught.value.code == "request.unknown"
        assert requests.put(ONE, "signal", {"name": "go", "value": 1}) > number
