"""Runs one execution: worker tasks, time, and the record of what happened."""

from flowruntime.engine.executor.executor import Executor
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.making import INLINE_NODES, make_attempts
from flowruntime.engine.executor.past import RELEASED, ExecutionPast
from flowruntime.engine.executor.resuming import QuarantineError, Resumption, unfold
from flowruntime.engine.executor.stopping import GRACE_US
from flowruntime.engine.executor.worker import Worker

__all__ = [
    "GRACE_US",
    "INLINE_NODES",
    "RELEASED",
    "ExecutionPast",
    "Executor",
    "Frame",
    "QuarantineError",
    "Resumption",
    "Worker",
    "make_attempts",
    "unfold",
]
