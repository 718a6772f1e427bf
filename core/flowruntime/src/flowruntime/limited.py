"""Runs foreign code for a limited time: on a thread of its own, which is given up when the time is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Limited", "TookTooLong", "run_limited"]

T = TypeVar("T")


class TookTooLong(Exception):  # noqa: N818 - it says what the code did
    """Foreign code was not done in time. Its thread goes on, and holds up nothing that does not need it."""

    def __init__(self, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        super().__init__(f"it was not done after {limit_seconds:g} s")


class Limited(Generic[T]):
    """An action that has been started on a thread of its own, which ends with the process at the latest."""

    def __init__(self, action: Callable[[], T]) -> None:
        self._action = action
        self._given: list[T] = []
        self._raised: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="flownodes-limited", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the action is still not done."""
        return self._thread.is_alive()

    def result(self, limit_seconds: float) -> T:
        """What the action gives or raises, waited for so long. Raises TookTooLong after that; may be asked again."""
        self._thread.join(limit_seconds)
        if self._thread.is_alive():
            raise TookTooLong(limit_seconds)
        if self._raised:
            raise self._raised[0]
        return self._given[0]

    def _run(self) -> None:
        try:
            self._given.append(self._action())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits, SystemExit too
            self._raised.append(error)


def run_limited(action: Callable[[], T], *, limit_seconds: float) -> T:
    """The result of an action; what it raises is raised here.

    Raises TookTooLong when it is not done in time. A Ctrl-C meanwhile is raised at once.

    >>> run_limited(lambda: 1 + 1, limit_seconds=5)
    2
    """
    return Limited(action).result(limit_seconds)
