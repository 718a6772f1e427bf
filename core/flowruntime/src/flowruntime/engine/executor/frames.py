"""A frame: one document being run within an execution, with its machine and what its attempts need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from flowcore.events import Path

from flowruntime.authoring import Handler
from flowruntime.engine.attempt import ExecutionRun, Instances
from flowruntime.engine.executor.recording import Recorder
from flowruntime.engine.machine import Machine
from flowruntime.plan.model import PlannedNode

__all__ = ["Frame", "Hot"]

Hot: TypeAlias = tuple[Machine, ExecutionRun, Path, list[Handler | None], Sequence[PlannedNode], list[int]]


class Frame:
    """The document of an execution. Times are in microseconds since the epoch."""

    __slots__ = (
        "configs",
        "hot",
        "instances",
        "machine",
        "path",
        "queued",
        "recorder",
        "restart_at_us",
        "run",
        "run_attempt",
        "suspended",
    )

    def __init__(self, machine: Machine, run: ExecutionRun, instances: Instances, recorder: Recorder) -> None:
        self.machine = machine
        self.run = run
        self.path: Path = run.path
        self.instances = instances
        #: What every attempt needs, to be had at once.
        self.hot: Hot = (machine, run, run.path, instances.handlers, machine.plan.nodes, machine.attempts)
        self.configs: list[Any] = instances.configs
        self.recorder = recorder
        #: Whether workers look for ready nodes here.
        self.queued = False
        #: Of waiting nodes: when the attempt began, and how long it has been active, in microseconds.
        self.suspended: dict[int, tuple[int, int]] = {}
        #: How often all nodes have been started, from 1.
        self.run_attempt = 1
        #: When all nodes start again after a failure; None while they run.
        self.restart_at_us: int | None = None
