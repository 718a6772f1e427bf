"""Imports code that packs and users bring, and turns whatever it does meanwhile into one kind of failure."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal, NoReturn, TypeVar

from flowruntime.limited import QUIET, Limited, TookTooLong

__all__ = ["ImportFailed", "run_import"]

T = TypeVar("T")

_LONGEST_REASON = 500
#: What Python says of it does not say why there is another thread.
_SETS_SIGNALS = "signal only works in main thread"
# One at a time: the handler of SIGINT is the process's, and must be put back in order.
_importing = threading.RLock()
#: The imports that were given up, by module: they may still end, and until then nothing waits for them again.
_given_up: dict[str, Limited[Any]] = {}


class ImportFailed(Exception):  # noqa: N818 - it says what happened, as the errors of a pack do
    """Foreign code could not be imported; `reason` says how and where, as a part of a sentence.

    `missing` is the module that was not found, where that was the cause.
    """

    def __init__(self, kind: Literal["raised", "exited", "hung"], reason: str, missing: str | None = None) -> None:
        self.kind = kind
        self.reason = reason
        self.missing = missing
        super().__init__(reason)


def run_import(action: Callable[[], T], *, module: str, limit_seconds: float | None = None) -> T:
    """The result of an action that imports foreign code, which lies in this module and below it.

    Raises ImportFailed for whatever the code raises, SystemExit included; a KeyboardInterrupt goes on only
    when it is the user's Ctrl-C. What the code prints goes to stderr, for the whole process while this runs,
    because stdout may be read by a machine. With a limit the action runs on a thread of its own, which is given up
    when the time is over; an import of the same module fails at once as long as that thread runs. There `os._exit`
    counts as SystemExit: this process has to go on.
    """
    with _importing, QUIET:
        if limit_seconds is None:
            with _watched_interrupts() as interrupts:
                return _run(action, module, interrupts)
        unfinished = _given_up.get(module)
        if unfinished is not None and unfinished.is_running:
            raise ImportFailed("hung", "its import was given up, and has still not ended")

        def run() -> T:
            with _EXIT_REFUSED:
                return _run(action, module, [])

        started = Limited(run)
        try:
            return started.result(limit_seconds)
        except TookTooLong as error:
            _given_up[module] = started
            raise ImportFailed("hung", f"its import took longer than {limit_seconds:g} s") from error


def _run(action: Callable[[], T], module: str, interrupts: list[int]) -> T:
    try:
        return action()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and interrupts:
            raise
        raise _failure_of(error, module) from error


class _Ended(SystemExit):
    """The code wanted to end the process at once."""


class _ExitRefused:
    """Lets `os._exit` raise in this thread: a command that it ends with status 0 looks like one that went well.

    An import that was given up may end after the next one began: what it replaced is put back when all have ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: set[tuple[int, int]] = set()
        self._exit_at_once = os._exit

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._exit_at_once, os._exit = os._exit, self._exit
            self._users.add(_this_thread())

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users.discard(_this_thread())
            if not self._users:
                os._exit = self._exit_at_once

    def _exit(self, status: int) -> NoReturn:
        if _this_thread() in self._users:
            raise _Ended(status)
        self._exit_at_once(status)  # that of another thread, or of a fork


_EXIT_REFUSED = _ExitRefused()


def _this_thread() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


@contextlib.contextmanager
def _watched_interrupts() -> Iterator[list[int]]:
    """Collects the SIGINTs that come meanwhile; they do what they would have done."""
    seen: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    # Only the main thread gets signals, and only it may set handlers.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield seen
        return

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, handler)


def _failure_of(error: BaseException, module: str) -> ImportFailed:
    place = _place_of(error, module)
    if isinstance(error, SystemExit):
        called = "os._exit" if isinstance(error, _Ended) else "sys.exit"
        return ImportFailed("exited", f"it called {called}({error.code!r}){place}")
    # Of a SyntaxError only the last part is the message, the others show the code. A reason is one line.
    last = " ".join(traceback.format_exception_only(error)[-1].split())
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    reason = f"{last[:_LONGEST_REASON]}{place}"
    if isinstance(error, ValueError) and _SETS_SIGNALS in last:
        reason += (
            "; signals are handled by the main thread, nodes are imported on another one, and must set no handlers"
        )
    return ImportFailed("raised", reason, missing)


def _place_of(error: BaseException, module: str) -> str:
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f" ({error.filename}, line {error.lineno})"
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        # The innermost line of the foreign code itself: its author can correct that one.
        if f"{frame.f_globals.get('__name__')}.".startswith(f"{module}."):
            place = f" ({frame.f_code.co_filename}, line {line})"
    return place
