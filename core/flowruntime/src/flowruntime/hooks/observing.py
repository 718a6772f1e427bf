"""Tells observers of events, each on a thread of its own, so that none holds up an execution or another observer."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from flowcore.contracts import Observer
from flowcore.events import Event, ExecutionId

from flowruntime.hooks.plugins import Hooks, named

__all__ = ["MAX_BEHIND", "Observers", "collect_observers"]

_log = logging.getLogger("flowruntime")
_HOOK: Final = "observers"
#: So many events may wait for one observer; further ones it misses.
MAX_BEHIND: Final = 20_000


def collect_observers(hooks: Hooks) -> list[tuple[str, Observer]]:
    """The observers that plugins give, each with the plugin's name. Never raises: what is no observer is a record."""
    found: list[tuple[str, Observer]] = []
    for name, given in hooks.each(_HOOK):
        look = functools.partial(getattr, given, "observe", None)
        if callable(hooks.guarded(name, f"An observer of its hook {_HOOK!r}", look)):
            found.append((name, given))
        else:
            cause = f"Its hook {_HOOK!r} gives a {type(given).__name__} for an observer."
            hooks.record(name, "observer", cause, "Its author must return objects with observe(execution_id, events).")
    return found


class Observers:
    """The observers of one runtime, from when they are collected until `close`."""

    def __init__(self, hooks: Hooks, *, max_behind: int = MAX_BEHIND) -> None:
        self._limit_seconds = hooks.limit_seconds
        self._told = [_Told(hooks, name, observer, max_behind) for name, observer in collect_observers(hooks)]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._told)

    def tell(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        """Have all of them told, soon. The events are durable, and come in order. Called on the loop's thread."""
        for told in self._told:
            told.tell(execution_id, events)

    def close(self) -> None:
        """Tell what is left, for ten seconds at most; what they have missed by then is logged. Blocks meanwhile."""
        for told in self._told:
            told.end()
        until = time.monotonic() + self._limit_seconds
        for told in self._told:
            told.join(max(until - time.monotonic(), 0))


class _Told:
    """One observer, its thread, and what it is to be told."""

    def __init__(self, hooks: Hooks, name: str, observer: Observer, max_behind: int) -> None:
        self._hooks = hooks
        self._name = name
        self._observer = observer
        self._max_behind = max_behind
        self._waiting: deque[tuple[ExecutionId, Sequence[Event]]] = deque()
        #: How many events wait, and how many were not told.
        self._behind = self._missed = 0
        self._is_ending = False
        self._arrived = threading.Condition()
        #: Begins with the first events.
        self._thread: threading.Thread | None = None

    def tell(self, execution_id: ExecutionId, events: Sequence[Event]) -> None:
        with self._arrived:
            if self._behind and self._behind + len(events) > self._max_behind:
                self._missed += len(events)
                is_first = self._missed == len(events)
            else:
                is_first = False
                self._behind += len(events)
                self._waiting.append((execution_id, events))
                self._arrived.notify()
        if self._thread is None:
            name = f"flownodes-observer {self._name}"
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()
        if is_first:
            message = f"Its observer is {self._max_behind:,} events behind, and misses events."
            remedy = "It must take less time, or hand events on to a thread that does."
            self._hooks.report(self._name, "slow", message, remedy)

    def end(self) -> None:
        with self._arrived:
            self._is_ending = True
            self._arrived.notify()

    def join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)
        with self._arrived:
            missed = self._missed + self._behind
            self._waiting.clear()
        if missed:
            _log.warning("%s: its observer has missed %d events.", self._name, missed)

    def _run(self) -> None:
        while (next_one := self._next()) is not None:
            execution_id, events = next_one
            try:
                self._observer.observe(execution_id, events)
            except BaseException as error:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
                message = f"Its observer raised {named(error)}."
                self._hooks.report(self._name, "call", message, about="observer")
            with self._arrived:
                self._behind -= len(events)

    def _next(self) -> tuple[ExecutionId, Sequence[Event]] | None:
        with self._arrived:
            while not self._waiting:
                if self._is_ending:
                    return None
                self._arrived.wait()
            return self._waiting.popleft()
