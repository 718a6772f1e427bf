"""Answers wait for whoever asked, but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flowcore.contracts import Store
from flowcore.errors import StoreError
from flowruntime.stores import MemoryStore
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores.samples import ONE, append, create, refusal, started

from core.flowruntime.tests.stores.keeping import opened

_HOUR_US = 3_600_000_000


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_answer_is_kept_for_a_day(tmp_path: Path, kind: str) -> None:
    now_us = [1_700_000_000_000_000]
    clock: Callable[[], int] = lambda: now_us[0]  # noqa: E731
    store: Store = MemoryStore(now_us=clock) if kind == "memory" else SqliteStore(tmp_path / "flow.db", now_us=clock)
    store.open()
    create(store, ONE)
    asked, waiting = (store.requests.put(ONE, "signal", {"name": "go", "value": 1}) for _ in range(2))
    append(store, ONE, answers={asked: None})
    now_us[0] += 23 * _HOUR_US
    store.requests.put(ONE, "signal", {"name": "go", "value": 2})
    assert store.requests.answered(asked) == {"error": None}
    now_us[0] += 2 * _HOUR_US
    store.requests.put(ONE, "signal", {"name": "go", "value": 3})
    with pytest.raises(StoreError) as caught:
        store.requests.answered(asked)
    assert caught.value.code == "request.unknown"
    assert store.requests.answered(waiting) is None  # what nobody has answered waits on
    store.close()


def test_with_an_answer_that_is_no_json_none_of_the_change_is_kept(tmp_path: Path) -> None:
    with opened(tmp_path / "flow.db") as store:
        create(store, ONE)
        number = store.requests.put(ONE, "signal", {"name": "go", "value": 1})
        assert refusal(store, ONE, started(2), answers={number: {"code": object()}}) == "store.not_json"
        assert len(store.read(ONE).events) == 1
        assert store.requests.answered(number) is None
        append(store, ONE, started(2), answers={number: None})
