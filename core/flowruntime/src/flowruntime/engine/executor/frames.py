"""A frame: one document being run within an execution, with its machine and what its attempts need.

The workflow itself is the frame at the top. Containers (loops, subflows) open frames for their children, so that the
frames of an execution form a tree; `path` says where in it a frame is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from flowcore.events import Path

from flowruntime.authoring import Handler
from flowruntime.engine.attempt import ExecutionRun, Instances
from flowruntime.engine.executor.recording import Recorder
from flowruntime.engine.machine import Machine
from flowruntime.engine.watchdog import NEVER_US
from flowruntime.plan.model import PlannedNode

if TYPE_CHECKING:
    from flowruntime.engine.executor.containing import Opened

__all__ = ["Frame", "Hot"]

Hot: TypeAlias = tuple[Machine, ExecutionRun, Path, list[Handler | None], Sequence[PlannedNode], list[int]]


class Frame:
    """A document of an execution. Times are in microseconds since the epoch."""

    __slots__ = (
        "_now",
        "_recorder",
        "configs",
        "grace_until_us",
        "hot",
        "idle_before_us",
        "instances",
        "is_final",
        "item",
        "limit_us",
        "machine",
        "opened",
        "owner",
        "queued",
        "restart_at_us",
        "run",
        "run_attempt",
        "suspended",
        "why_stopped",
    )

    def __init__(
        self,
        run: ExecutionRun,
        instances: Instances,
        now_us: Callable[[], int],
        owner: Opened | None = None,
    ) -> None:
        self.machine = run.machine
        self.run = run
        self.instances = instances
        self.configs: list[Any] = instances.configs
        self._now = now_us
        #: The container that this is a child of; None at the top.
        self.owner = owner
        self.begin(None)

    def begin(self, item: int | None) -> None:
        """Stand where nothing has run yet, as this child of the owner. Called anew for a frame that is used again."""
        machine, run = self.machine, self.run
        self.item = item
        #: What every attempt needs, to be had at once.
        self.hot: Hot = (machine, run, run.path, self.instances.handlers, machine.plan.nodes, machine.attempts)
        self._recorder: Recorder | None = None
        #: Whether workers look for ready nodes here.
        self.queued = False
        #: Of waiting nodes: when the attempt began, and how long it has been active, in microseconds.
        self.suspended: dict[int, tuple[int, int]] = {}
        #: Containers whose children run, by node.
        self.opened: dict[int, Opened] = {}
        #: How often all nodes have been started, from 1.
        self.run_attempt = 1
        #: When all nodes start again after a failure; None while they run.
        self.restart_at_us: int | None = None
        #: Whether somebody else wants it to end: it does not start again then.
        self.is_final = False
        #: When the document's own time limit is over.
        self.limit_us = NEVER_US
        #: How long the execution had been idle when that was set, which does not count.
        self.idle_before_us = 0
        #: When attempts that do not end after a stop are given up.
        self.grace_until_us = NEVER_US
        #: What the events of cancelled nodes say.
        self.why_stopped = "the execution was cancelled"

    @property
    def is_left(self) -> bool:
        """Whether the container that it was a child of has been told of its end."""
        return self.owner is not None and self.owner.children.get(self.item) is not self

    @property
    def path(self) -> Path:
        """Where the document is in the execution."""
        return self.run.path

    @property
    def recorder(self) -> Recorder:
        """Writes the events of this document's nodes."""
        if self._recorder is None:
            self._recorder = Recorder(self.machine, self.run, self._now)
        return self._recorder

    def expects(self, due_us: int, index: int) -> bool:
        """Whether something of this node, or with -1 of the document, is still to happen at that time."""
        if index < 0:
            return due_us in (self.restart_at_us, self.limit_us)
        opened = self.opened.get(index)
        if opened is not None and opened.deadline_us == due_us:
            return True
        return self.machine.until_us.get(index) == due_us or index in self.run.sayings

    def walk(self) -> Iterator[Frame]:
        """This frame and all below it."""
        yield self
        for opened in self.opened.values():
            for child in opened.children.values():
                yield from child.walk()
