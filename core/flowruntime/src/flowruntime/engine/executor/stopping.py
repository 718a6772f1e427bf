"""Stops documents: nothing starts any more, what waits ends at once, what runs is cancelled and gets some time.

Coroutines are cancelled at once; they and threads have `GRACE_US` to end, and what they give in it counts. Then the
document ends without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.worker import Worker

if TYPE_CHECKING:
    from flowruntime.engine.executor.executor import Executor

__all__ = [
    "ENGINE_FAILED",
    "EXECUTION_TOOK_TOO_LONG",
    "GRACE_US",
    "LEFT_RUNNING",
    "TOOK_TOO_LONG",
    "TOO_MANY_EVENTS",
    "stop",
]

#: What the events of cancelled nodes say when a time limit has struck: that of their own document, or that of the
#: execution. Until the document has ended, nothing else says so, and whoever takes the execution up goes by it:
#: these texts stand in logs that are kept, and must stay as they are.
TOOK_TOO_LONG: Final = "the workflow took too long"
EXECUTION_TOOK_TOO_LONG: Final = "the execution took too long"
#: And when the whole execution fails for something else.
TOO_MANY_EVENTS: Final = "the execution has too many events"
ENGINE_FAILED: Final = "the engine failed"
_AROUND_TOOK_TOO_LONG: Final = "the workflow around it took too long"
#: Ends what they say where an attempt did not end.
LEFT_RUNNING: Final = ", and the attempt did not end"

#: What running attempts get when their document is stopped: ten seconds.
GRACE_US: Final = 10_000_000


def stop(execution: Executor, frame: Frame, why: str, current: Worker | None) -> None:
    """The machine of a document was stopped: so are those of its containers' children, which do not start again.

    `current` is the worker that finds this out in its own attempt, which is not cancelled.
    """
    stopped = dict.fromkeys(frame.walk())  # in order, so that the same seed gives the same log
    for below in stopped:
        below.machine.cancel()
        below.is_final = below.is_final or below is not frame
        below.why_stopped = _AROUND_TOOK_TOO_LONG if why == TOOK_TOO_LONG and below is not frame else why
        below.restart_at_us = None
        below.recorder.end_waiting(below.why_stopped)
    busy = [worker for worker in execution.workers if worker.frame in stopped and worker.index >= 0]
    for worker in busy:
        if worker is not current and (worker.job is None or not worker.job.begun):
            worker.cancel()
    if frame is execution.top:
        execution.times.limit_holds = False
    until_us = execution.now() + GRACE_US
    for below in stopped:
        if below.machine.running:
            below.grace_until_us = until_us
        execution.enqueue(below)
    if busy:
        execution.rearm()
