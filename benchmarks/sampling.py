"""Samples the stack while the CPU works: unlike tracing, it slows every function down alike, by next to nothing."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

__all__ = ["Samples", "sampling"]

_INTERVAL_SECONDS = 0.001


class Samples:
    """How often each function was on top of the stack (`own`), and how often anywhere on it (`total`).

    What a C function takes counts as its caller's own.
    """

    def __init__(self) -> None:
        self.count = 0
        self.own: Counter[CodeType] = Counter()
        self.total: Counter[CodeType] = Counter()

    def take(self, _number: int, frame: FrameType | None) -> None:
        """The signal's handler: count one sample."""
        if frame is None:
            return
        self.count += 1
        self.own[frame.f_code] += 1
        codes: set[CodeType] = set()
        while frame is not None:
            codes.add(frame.f_code)
            frame = frame.f_back
        self.total.update(codes)

    def table(self, rows: int) -> list[dict[str, float | str]]:
        """The functions with the most time of their own, in percent of all samples."""
        return [
            {
                "function": _place(code),
                "own_percent": 100 * own / self.count,
                "total_percent": 100 * self.total[code] / self.count,
            }
            for code, own in self.own.most_common(rows)
        ]


@contextmanager
def sampling() -> Iterator[Samples]:
    """Take samples of the block, in the main thread, for every millisecond of CPU time (as often as the system can)."""
    samples = Samples()
    before = signal.signal(signal.SIGPROF, samples.take)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_SECONDS, _INTERVAL_SECONDS)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _place(code: CodeType) -> str:
    """`package/file.py: function`, from the last two parts of the path."""
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}: {code.co_qualname}"
