"""Runs one execution: worker tasks, time, and the record of what happened."""

from flowruntime.engine.executor.executor import Executor

__all__ = ["Executor"]
