"""Names the node that keeps the event loop from turning for a second.

A thread sends the loop a ping twice a second while executions are open. When no answer comes, it looks at what the
loop's thread is doing: the frame of `make_attempts` on its stack tells the attempt, the innermost frame the line. A log
record says so at once, and a Warning event of the node before its end or as soon as the loop turns again. Nodes pay
nothing for it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from flowruntime.engine.attempt.run import ExecutionRun
from flowruntime.engine.executor import Worker, make_attempts

__all__ = ["LoopWatch"]

_log = logging.getLogger("flowruntime")
#: How long the loop may be blocked before it is told.
LIMIT_SECONDS: Final = 1.0
_EVERY_SECONDS: Final = 0.5
_REMEDY: Final = "Make it a plain function, which runs on a thread, or await what it waits for."
#: The limit is waited for in so many parts: a process that stands still as a whole loses one of them only.
_PARTS: Final = 10
#: So many looks with nothing open end the thread.
_IDLE_LOOKS: Final = 10


class LoopWatch:
    """`wake` starts it; it ends by itself when `is_busy` has said no for a while, or with `close`."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._closed = threading.Event()
        #: Whether the thread runs. Set and read on the loop's thread; cleared by the thread as its last act.
        self.awake = False

    def wake(self) -> None:
        """Watch from now on. Called on the loop's thread, when not `awake`."""
        self.awake = True
        arguments = asyncio.get_running_loop(), threading.get_ident()
        threading.Thread(target=self._watch, args=arguments, name="flowruntime loop watch", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        idle = 0
        while idle < _IDLE_LOOKS and not self._closed.wait(_EVERY_SECONDS):
            idle = 0 if self._is_busy() else idle + 1
            answer = threading.Event()
            try:
                loop.call_soon_threadsafe(answer.set)
                if not any(answer.wait(LIMIT_SECONDS / _PARTS) for _ in range(_PARTS)):
                    self._tell(loop, thread, answer)
            except RuntimeError:  # the loop was closed
                break
        self.awake = False

    def _tell(self, loop: asyncio.AbstractEventLoop, thread: int, answer: threading.Event) -> None:
        top = sys._current_frames().get(thread)  # noqa: SLF001 - its documented purpose
        where = "" if top is None else f"{top.f_code.co_filename}:{top.f_lineno}"
        found = _find(top)
        # The event is held before anything is said: the node may end at any moment, and must have it by then.
        node, remedy = "Something", ""
        if found is not None:
            run, index = found
            node, remedy = f"Node {run.machine.plan.nodes[index].id!r}", f" {_REMEDY}"
            message = (
                f"The node blocked the event loop for more than {LIMIT_SECONDS:g} s, at {where}; nothing else "
                f"could run. {_REMEDY}"
            )
            run.hold_warning(index, message)
            loop.call_soon_threadsafe(run.flush, index)
        _log.warning("%s has blocked the event loop for %g s, at %s.%s", node, LIMIT_SECONDS, where, remedy)
        while not answer.wait(_EVERY_SECONDS) and not self._closed.is_set():
            pass


def _find(frame: FrameType | None) -> tuple[ExecutionRun, int] | None:
    """The node whose attempt is on this stack, by its run and its index there."""
    while frame is not None:
        if frame.f_code is make_attempts.__code__:
            worker: Worker = frame.f_locals["worker"]
            run, index = worker.frame.run, worker.index  # read once: the worker may go on at any moment
            return (run, index) if index >= 0 else None
        frame = frame.f_back
    return None
