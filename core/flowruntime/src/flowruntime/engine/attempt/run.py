"""The execution as its attempts see it: what a node says becomes an event, what it asks for is looked up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
from flowcore.contracts import Clock, ValueStore
from flowcore.events import NodeEvent, NodeEventType, Path, timestamp_text
from flowcore.values import Value, thaw, write_json
from flowcore.workflows import Workflow

from flowruntime.authoring import Context, NodeStore, Secret
from flowruntime.authoring.functions import Moment
from flowruntime.engine.attempt.saying import Saying
from flowruntime.engine.inputs import live_sources
from flowruntime.engine.machine import RUNNING, Machine
from flowruntime.journal import ExecutionLog

if TYPE_CHECKING:
    import httpx

__all__ = ["ExecutionRun", "Surroundings"]


class Surroundings:
    """What all documents of one execution share."""

    __slots__ = (
        "_info",
        "clock",
        "execution_id",
        "http",
        "later",
        "log",
        "secrets",
        "started_us",
        "thread",
        "values",
        "workflow_id",
    )

    def __init__(
        self,
        *,
        log: ExecutionLog,
        clock: Clock,
        values: ValueStore,
        workflow_id: str,
        started_us: int,
        secrets: Mapping[str, Secret],
        http: Callable[[], httpx.AsyncClient],
    ) -> None:
        self.execution_id: str = log.execution_id
        self.log = log
        self.clock = clock
        #: What nodes keep across executions, and the workflow whose nodes these are.
        self.values = values
        self.workflow_id = workflow_id
        self.secrets = secrets
        self.http = http
        self.thread = threading.get_ident()
        #: Called with a run, a time and a node when something that is held is to be flushed.
        self.later: Callable[[ExecutionRun, int, int], None] | None = None
        self.started_us = started_us
        self._info: dict[str, Any] | None = None

    @property
    def info(self) -> dict[str, Any]:
        """The part of the expression root `run` that all attempts share."""
        if self._info is None:
            self._info = {"execution_id": self.execution_id, "started_at": timestamp_text(self.started_us)}
        return self._info


class ExecutionRun:
    """`flowruntime.authoring.Run` for one document of an execution."""

    __slots__ = ("inputs", "machine", "path", "sayings", "shared", "workflow")

    def __init__(self, shared: Surroundings, machine: Machine, path: Path, inputs: dict[str, Value]) -> None:
        self.shared = shared
        self.machine = machine
        self.workflow: Workflow = machine.plan.workflow
        self.path = path
        self.inputs = inputs
        #: Of running attempts that gave progress or lines, by node.
        self.sayings: dict[int, Saying] = {}

    @property
    def execution_id(self) -> str:
        """The execution's id."""
        return self.shared.execution_id

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """Secrets by name."""
        return self.shared.secrets

    @property
    def info(self) -> dict[str, Any]:
        """The part of the expression root `run` that all attempts share."""
        return self.shared.info

    def moment(self, index: int) -> Moment:
        """What `now()` and `uuid()` answer from in the expressions of a node that has begun."""
        shared = self.shared
        began_us = self.machine.first_started_us[index]
        node_id = self.machine.plan.nodes[index].id
        return Moment(now_us=began_us, execution_id=shared.execution_id, path=self.path, node_id=node_id)

    @property
    def own_moment(self) -> Moment:
        """The same for the outputs of the document."""
        shared = self.shared
        return Moment(now_us=shared.started_us, execution_id=shared.execution_id, path=self.path, node_id="")

    # --- what a node says ---------------------------------------------------------------------------

    def emit(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        """Record what a node says; what it says after its attempt has ended is dropped."""
        if threading.get_ident() != self.shared.thread:
            anyio.from_thread.run_sync(self._emit, ctx, event_type, content)
        else:
            self._emit(ctx, event_type, content)

    def _emit(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        index = self.machine.plan.index[ctx.node_id]
        if not self._is_current(ctx, index):
            return
        now_us = self.shared.clock.now_us()
        if event_type in {"Info", "Warning"}:
            self.flush(index)
            self._record(index, now_us, event_type, content)
            return
        saying = self.sayings.get(index)
        if saying is None or saying.attempt != ctx.attempt:
            saying = self.sayings[index] = Saying(ctx.attempt)
        due_us = saying.say(now_us, event_type, content)
        if due_us is not None:
            if due_us <= now_us:
                self.flush(index)
            elif self.shared.later is not None:
                self.shared.later(self, due_us, index)

    def hold_warning(self, index: int, message: str) -> None:
        """Have a warning of a running attempt recorded with the next flush. Called on any thread."""
        saying = self.sayings.get(index)
        if saying is None or saying.attempt != self.machine.attempts[index]:
            saying = self.sayings[index] = Saying(self.machine.attempts[index])
        saying.hold("Warning", {"message": message})

    def flush(self, index: int, *, ended: bool = False) -> None:
        """Record what is held of a node's attempt."""
        saying = self.sayings.pop(index, None) if ended else self.sayings.get(index)
        if saying is not None and saying.attempt == self.machine.attempts[index]:
            now_us = self.shared.clock.now_us()
            for event_type, content in saying.flush(now_us):
                self._record(index, now_us, event_type, content)

    def _record(self, index: int, now_us: int, event_type: NodeEventType, content: dict[str, Any]) -> None:
        machine, log = self.machine, self.shared.log
        node_id, attempt = machine.plan.nodes[index].id, machine.attempts[index]
        log.append(NodeEvent(log.seq + 1, now_us, self.path, node_id, attempt, event_type, content))

    # --- what a node asks ---------------------------------------------------------------------------

    def _is_current(self, ctx: Context, index: int) -> bool:
        # The same run may have served another item of a loop before, with another path.
        machine = self.machine
        return machine.status[index] == RUNNING and machine.attempts[index] == ctx.attempt and ctx.path is self.path

    def is_cancelled(self, ctx: Context) -> bool:
        """Whether nothing that the attempt still does will count, or soon so."""
        return self.machine.stopped is not None or not self._is_current(ctx, self.machine.plan.index[ctx.node_id])

    def moment_of(self, ctx: Context) -> Moment:
        """What `now()` and `uuid()` answer from in the node's own expressions."""
        return self.moment(self.machine.plan.index[ctx.node_id])

    def state(self, ctx: Context) -> dict[str, Value]:
        """A copy of what the node's last attempt left in its state."""
        stored: dict[str, Value] = thaw(self.machine.states.get(self.machine.plan.index[ctx.node_id], {}))
        return stored

    def store(self, ctx: Context) -> NodeStore:
        """What the node keeps across executions: that of its workflow, whatever the items and attempts around it."""
        place = [self.shared.workflow_id, *(name for name, _, _ in ctx.path), ctx.node_id]
        return NodeStore(self.shared.values, write_json(place), is_blocking=self.shared.log.is_blocking)

    def sources(self, ctx: Context, port: str) -> list[str]:
        """Ids of the nodes whose live connections filled a port."""
        plan = self.machine.plan
        node = plan.nodes[plan.index[ctx.node_id]]
        numbers = live_sources(node, port, self.machine.outputs, self.machine.completed_flags)
        return [plan.nodes[number].id for number in numbers]

    def now_us(self) -> int:
        """The runtime's clock."""
        return self.shared.clock.now_us()

    async def sleep(self, seconds: float) -> None:
        """Sleep by the runtime's clock."""
        await self.shared.clock.sleep_until(self.shared.clock.now_us() + round(seconds * 1_000_000))

    def http_client(self) -> httpx.AsyncClient:
        """The runtime's pooled client."""
        return self.shared.http()
