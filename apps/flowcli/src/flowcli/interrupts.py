"""Turns Ctrl-C and SIGTERM into the cancellation of an execution, and the second of them into the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from flowcli.exit_codes import INTERRUPTED
from flowcli.terminal import is_lively

__all__ = ["cancelling_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h\n"


@contextlib.contextmanager
def cancelling_on_signals(cancel: Callable[[], None]) -> Iterator[None]:
    """While the block runs, the first signal has `cancel` called by the running event loop.

    The second ends the process at once, even when a node blocks the loop. A signal that the process ignores
    stays ignored. For the main thread only.
    """
    loop = asyncio.get_running_loop()
    came = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came += 1
        if came > 1:
            _end_now()
        # The handler runs between any two steps of the engine: only the loop may call into it.
        loop.call_soon_threadsafe(cancel)

    before = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_now() -> None:
    if is_lively():
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)  # the live view hides it
    os._exit(INTERRUPTED)
