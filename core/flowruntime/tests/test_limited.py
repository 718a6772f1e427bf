"""Foreign code that is given a limited time."""

import sys
import threading

import pytest
from flowruntime.limited import Limited, TookTooLong, run_limited


def test_the_result_and_what_is_raised_come_back() -> None:
    assert run_limited(lambda: 42, limit_seconds=30) == 42
    with pytest.raises(ZeroDivisionError):
        run_limited(lambda: 1 / 0, limit_seconds=30)
    with pytest.raises(SystemExit):
        run_limited(sys.exit, limit_seconds=30)


def test_what_takes_too_long_is_given_up_and_may_still_end() -> None:
    go_on = threading.Event()
    started = Limited(lambda: go_on.wait(30))
    with pytest.raises(TookTooLong, match=r"not done after 0\.01 s"):
        started.result(0.01)
    assert started.is_running
    go_on.set()
    assert started.result(30) is True
    assert not started.is_running
