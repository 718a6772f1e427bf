"""Answers wait for whoever asked, but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flowcore.contracts import Store
from flowcore.errors import StoreError
from flowruntime.stores import MemoryStore
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.testing.stores.samples import ONE, append, create

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
