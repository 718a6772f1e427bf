"""Runs one execution: worker tasks, time, and the record of what happened."""

from flowruntime.engine.executor.executor import GRACE_US, Executor
from flowruntime.engine.executor.frames import Frame
from flowruntime.engine.executor.recording import Recorder

__all__ = ["GRACE_US", "Executor", "Frame", "Recorder"]
