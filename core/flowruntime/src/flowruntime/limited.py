"""Runs foreign code within bounds: for a limited time, on a thread that is given up after it, and without stdout."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Final, Generic, TextIO, TypeVar

__all__ = ["QUIET", "Limited", "TookTooLong", "run_limited"]

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
        except KeyboardInterrupt as error:  # no Ctrl-C: Python raises those on the main thread
            made = RuntimeError("it raised KeyboardInterrupt")
            made.__cause__ = error
            self._raised.append(made)
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits, SystemExit too
            self._raised.append(error)


def run_limited(action: Callable[[], T], *, limit_seconds: float) -> T:
    """The result of an action; what it raises is raised here.

    Raises TookTooLong when it is not done in time. A Ctrl-C meanwhile is raised at once.

    >>> run_limited(lambda: 1 + 1, limit_seconds=5)
    2
    """
    return Limited(action).result(limit_seconds)


class _Quiet:
    """Sends to stderr what is printed meanwhile: stdout may be read by a machine.

    `contextlib.redirect_stdout` would leave it there when two threads begin and end in the same order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._stdout: TextIO = sys.stdout

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._stdout, sys.stdout = sys.stdout, sys.stderr
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                sys.stdout = self._stdout


#: `with QUIET:` surrounds what strangers do.
QUIET: Final = _Quiet()
