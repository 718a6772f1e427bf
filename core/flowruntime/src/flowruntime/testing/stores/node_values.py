"""What every store must do with the values of nodes: `flowcore.contracts.ValueStore`."""

from __future__ import annotations

import threading

import pytest
from flowcore.contracts import Store, ValueStore

__all__ = ["ValueSuite"]


class ValueSuite:
    """Give `store` as a fixture; it is open, empty, and closed by the fixture."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise AssertionError("an implementation gives its own")

    @pytest.fixture
    def values(self, store: Store) -> ValueStore:
        """Its values."""
        return store.values

    def test_a_text_is_kept_until_it_is_replaced_or_removed(self, values: ValueStore) -> None:
        assert values.get("flow/a", "cursor") is None
        values.put("flow/a", "cursor", '{"é":"\\u0000"}')
        assert values.get("flow/a", "cursor") == '{"é":"\\u0000"}'
        values.put("flow/a", "cursor", "2")
        assert values.get("flow/a", "cursor") == "2"
        values.put("flow/a", "cursor", None)
        values.put("flow/a", "cursor", None)
        assert values.get("flow/a", "cursor") is None

    def test_scopes_and_keys_are_apart(self, values: ValueStore) -> None:
        values.put("a", "bc", "1")
        values.put("ab", "c", "2")
        values.put("", "", "3")
        assert [values.get("a", "bc"), values.get("ab", "c"), values.get("", "")] == ["1", "2", "3"]
        assert values.get("a", "BC") is None
        assert list(values.keys("a")) == ["bc"]

    def test_null_is_a_value(self, values: ValueStore) -> None:
        values.put("a", "k", "null")
        assert values.get("a", "k") == "null"
        assert not values.compare_and_set("a", "k", None, "1")

    def test_a_text_is_set_if_nobody_has_changed_it(self, values: ValueStore) -> None:
        assert not values.compare_and_set("a", "k", "1", "2")
        assert values.compare_and_set("a", "k", None, "1")
        assert not values.compare_and_set("a", "k", None, "2")
        assert values.compare_and_set("a", "k", "1", "2")
        assert values.get("a", "k") == "2"
        assert not values.compare_and_set("a", "k", "1", None)
        assert values.compare_and_set("a", "k", "2", None)
        assert values.get("a", "k") is None
        assert values.compare_and_set("a", "k", None, None)

    def test_keys_come_in_order_by_prefix_and_in_pages(self, values: ValueStore) -> None:
        for key in ("b", "a%", "a_1", "a", "B", "é", "a2", "\U0001f600", "\uffff", ""):
            values.put("s", key, "1")
        everything = sorted(["b", "a%", "a_1", "a", "B", "é", "a2", "\U0001f600", "\uffff", ""])
        assert list(values.keys("s")) == everything
        assert list(values.keys("s", prefix="a")) == ["a", "a%", "a2", "a_1"]
        assert list(values.keys("s", prefix="a_")) == ["a_1"]
        assert list(values.keys("s", prefix="a", after="a%")) == ["a2", "a_1"]
        assert list(values.keys("s", prefix="b", after="a")) == ["b"]
        assert list(values.keys("s", prefix="a", after="b")) == []
        assert list(values.keys("s", after="a_1", limit=2)) == ["b", "é"]
        assert list(values.keys("nobody")) == []

    def test_of_many_that_count_none_is_lost(self, store: Store, values: ValueStore) -> None:
        if not store.blocking:
            return

        def count() -> None:
            done = 0
            while done < 10:
                text = values.get("s", "n")
                done += values.compare_and_set("s", "n", text, str(int(text or "0") + 1))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert values.get("s", "n") == "40"
