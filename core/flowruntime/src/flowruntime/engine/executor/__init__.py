"""Runs one execution: worker tasks, time, and the record of what happened."""

from flowruntime.engine.executor.executor import GRACE_US, Executor
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.making import make_attempts
from flowruntime.engine.executor.recording import Recorder
from flowruntime.engine.executor.worker import Worker

__all__ = ["GRACE_US", "Executor", "Frame", "Recorder", "Worker", "make_attempts"]
