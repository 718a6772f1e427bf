"""Samples the stack while the CPU works: unlike tracing, it slows every function down alike, by next to nothing."""

from __future__ import annotations

import gc
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

__all__ = ["Samples", "sampling"]

_INTERVAL_SECONDS = 0.001


class Samples:
    """CPU seconds by function: on top of the stack (`own`), and anywhere on it (`total`).

    What a C function takes counts as its caller's own. A sample weighs the time since the one before: while C code
    runs, no sample can be taken.
    """

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.own: defaultdict[CodeType, float] = defaultdict(float)
        self.total: defaultdict[CodeType, float] = defaultdict(float)
        self._latest = time.process_time()

    def take(self, _number: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        if frame is None:
            return
        now = time.process_time()
        weight, self._latest = now - self._latest, now
        self.count += 1
        self.seconds += weight
        self.own[frame.f_code] += weight
        codes: set[CodeType] = set()
        while frame is not None:
            codes.add(frame.f_code)
            frame = frame.f_back
        for code in codes:
            self.total[code] += weight

    def table(self, rows: int) -> list[dict[str, float | str]]:
        """The functions with the most time of their own, in percent of all time."""
        return [
            {
                "function": _place(code),
                "own_percent": 100 * own / self.seconds,
                "total_percent": 100 * self.total[code] / self.seconds,
            }
            for code, own in sorted(self.own.items(), key=lambda item: item[1], reverse=True)[:rows]
        ]


@contextmanager
def sampling() -> Iterator[Samples]:
    """Take samples of the block, in the main thread, for every millisecond of CPU time (as often as the system can)."""
    samples = Samples()
    before = signal.signal(signal.SIGPROF, samples.take)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_SECONDS, _INTERVAL_SECONDS)
    gc.callbacks.append(_collected)
    try:
        yield samples
    finally:
        gc.callbacks.remove(_collected)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _collected(_phase: str, _about: dict[str, int]) -> None:
    """Called at the end of a collection: the sample that fell into it is taken in here, not in whoever caused it."""


def _place(code: CodeType) -> str:
    """`package/file.py: function`, from the last two parts of the path."""
    if code is _collected.__code__:
        return "the garbage collector"
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}: {code.co_qualname}"
