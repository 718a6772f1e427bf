"""Places in the code at which a process can be made to kill or to stop itself. Used in child processes only.

A place is a function of the engine, the journal or the store that is replaced by one which counts how often it is
passed. Some of them make sure that all that is decided is on the disk first, so that it is known what is left behind.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final

from flowcore.contracts import Change
from flowcore.events import NodeCompleted, NodeInterrupted, NodeSkipped, WorkflowCompleted, WorkflowResumed
from flowruntime.engine.executor import resuming
from flowruntime.engine.machine import Machine
from flowruntime.journal.durable import DurableLog
from flowruntime.journal.journal import Journal
from flowruntime.runtime.error_workflows import ErrorWorkflows
from flowruntime.runtime.recovering import Recovery
from flowruntime.stores.sqlite import SqliteStore
from flowruntime.stores.sqlite.changes import Changes

__all__ = ["AT_A_FAILURE", "AT_A_RESUME", "AT_A_START", "effects", "install"]

#: Reached again and again by every execution that has effects.
_AGAIN: Final = (
    "before a commit",
    "inside a transaction",
    "after a commit",
    "before it is told",
    "before an effect",
    "after an effect",
)
#: Reached by every execution, and those that are reached only by one that is taken up.
AT_A_START: Final = (
    "registered",
    *_AGAIN,
    "an effect is decided",
    "between two skips",
    "a node has ended and its followers do not know",
    "the end is decided",
    "the end is durable",
    "leaving",
    "left",
)
AT_A_RESUME: Final = (
    "claimed",
    "the log was read",
    "unfolding",
    "resumed, not durable",
    "resumed",
    "one of the attempts is interrupted",
    "the first commit",
)
#: Reached again and again around the end of an execution that fails, and by its error workflow.
AT_A_FAILURE: Final = (
    *_AGAIN,
    "an error workflow is made",
    "the end is decided",
    "the end is durable",
    "leaving",
)
#: Called by the program around each effect: before and after it.
effects: list[Callable[[str], None]] = []
_written: dict[str, int] = {}
_logs: list[DurableLog] = []
_stores: list[SqliteStore] = []


class _Place:
    """`passing` the n-th time is the end of the process, or with SIGSTOP a pause."""

    def __init__(self, nth: int, number: signal.Signals) -> None:
        self.left = nth
        self.number = number

    def passing(self) -> None:
        self.left -= 1
        if self.left != 0:
            return
        # Whoever stands still in a transaction holds up all others on the file; that is another matter.
        with _stores[0]._database._writing if self.number == signal.SIGSTOP else nullcontext():
            os.kill(os.getpid(), self.number)
            time.sleep(0.1)  # another thread may take the signal, in a moment

    def passing_when_durable(self) -> None:
        """The same, with everything on the disk that is decided."""
        if self.left == 1:
            for log in _logs:
                log.flush()
            while any(_written.get(log.execution_id, 0) < log.seq for log in _logs):
                time.sleep(0.0005)
        self.passing()


def install(name: str, nth: int = 1, number: signal.Signals = signal.SIGKILL) -> None:
    """Make this process send itself a signal at the n-th passing of a place. Raises KeyError for an unknown one."""
    _watch()
    place = _Place(nth, number)
    installed = {**_simple(place), **_of_events(place)}
    installed[name]()


def _simple(place: _Place) -> dict[str, Callable[[], None]]:
    def told(which: str) -> Callable[[], None]:
        return lambda: effects.append(lambda word: place.passing() if word == which else None)

    return {
        "registered": lambda: _after(SqliteStore, "register", place.passing),
        "before a commit": lambda: _before(SqliteStore, "commit", place.passing),
        "the first commit": lambda: _before(SqliteStore, "commit", place.passing),
        "inside a transaction": lambda: _after(Changes, "keep", place.passing),
        "after a commit": lambda: _after(SqliteStore, "commit", place.passing),
        "before it is told": lambda: _before(DurableLog, "kept", place.passing),
        "before an effect": told("before"),
        "after an effect": told("after"),
        "an effect is decided": told("decided"),
        "a node has ended and its followers do not know": lambda: _before(
            Machine, "completed", place.passing_when_durable
        ),
        "an error workflow is made": lambda: _after(ErrorWorkflows, "begin", place.passing),
        "leaving": lambda: _before(SqliteStore, "leave", place.passing),
        "left": lambda: _after(Journal, "_leave", place.passing),
        "claimed": lambda: _after(SqliteStore, "claim", place.passing),
        "the log was read": lambda: _after(Recovery, "_read", place.passing),
        "unfolding": lambda: _before(resuming, "replay", place.passing),
    }


def _of_events(place: _Place) -> dict[str, Callable[[], None]]:
    def appended(kind: type, passing: Callable[[], None]) -> Callable[[], None]:
        return lambda: _after(DurableLog, "append", passing, only=lambda _, event: isinstance(event, kind))

    return {
        "between two skips": appended(NodeSkipped, place.passing_when_durable),
        "resumed, not durable": appended(WorkflowResumed, place.passing),
        "resumed": appended(WorkflowResumed, place.passing_when_durable),
        "one of the attempts is interrupted": appended(NodeInterrupted, place.passing_when_durable),
        "a loop has ended": appended(NodeCompleted, place.passing_when_durable),
        "the end is decided": appended(WorkflowCompleted, place.passing),
        "the end is durable": appended(WorkflowCompleted, place.passing_when_durable),
    }


def _before(owner: Any, name: str, passing: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def passed(*args: Any, **named: Any) -> Any:
        passing()
        return original(*args, **named)

    setattr(owner, name, passed)


def _after(
    owner: Any, name: str, passing: Callable[[], None], *, only: Callable[..., bool] = lambda *_, **__: True
) -> None:
    original = getattr(owner, name)

    def passed(*args: Any, **named: Any) -> Any:
        result = original(*args, **named)
        if only(*args, **named):
            passing()
        return result

    setattr(owner, name, passed)


def _watch() -> None:
    """Know which logs there are, and what of them is on the disk."""
    commit, begin = SqliteStore.commit, DurableLog.__init__

    def committed(self: SqliteStore, changes: Sequence[Change]) -> Any:
        refusals = commit(self, changes)
        for change in (*changes, *(change.follower for change in changes if change.follower is not None)):
            if change.events:
                _written[change.execution_id] = change.events[-1].seq
        return refusals

    def begun(self: DurableLog, execution_id: Any, *args: Any, seq: int, creation: Any, **named: Any) -> None:
        if creation is None:
            _written[execution_id] = seq
        _logs.append(self)
        begin(self, execution_id, *args, seq=seq, creation=creation, **named)

    register = SqliteStore.register

    def registered(self: SqliteStore, *args: Any, **named: Any) -> Any:
        _stores.append(self)
        return register(self, *args, **named)

    SqliteStore.register = registered  # type: ignore[method-assign]
    SqliteStore.commit = committed  # type: ignore[method-assign]
    DurableLog.__init__ = begun  # type: ignore[method-assign]
