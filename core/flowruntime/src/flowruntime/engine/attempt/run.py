"""The execution as its attempts see it: what a node says becomes an event, what it asks for is looked up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread
from flowcore.contracts import Clock
from flowcore.events import NodeEvent, NodeEventType, timestamp_text
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.authoring import Context, Secret
from flowruntime.engine.inputs import live_sources
from flowruntime.engine.machine import RUNNING, Machine
from flowruntime.journal import ExecutionLog

if TYPE_CHECKING:
    import httpx

__all__ = ["ExecutionRun"]


class ExecutionRun:
    """`flowruntime.authoring.Run` for one execution."""

    __slots__ = (
        "_clock",
        "_http",
        "_info",
        "_started_us",
        "_thread",
        "execution_id",
        "inputs",
        "log",
        "machine",
        "secrets",
        "workflow",
    )

    def __init__(
        self,
        *,
        machine: Machine,
        log: ExecutionLog,
        clock: Clock,
        inputs: dict[str, Value],
        started_us: int,
        secrets: Mapping[str, Secret],
        http: Callable[[], httpx.AsyncClient],
    ) -> None:
        self.execution_id: str = log.execution_id
        self.workflow: Workflow = machine.plan.workflow
        self.inputs = inputs
        self.secrets = secrets
        self._started_us = started_us
        self._info: dict[str, Any] | None = None
        self.log = log
        self.machine = machine
        self._clock = clock
        self._http = http
        self._thread = threading.get_ident()

    @property
    def info(self) -> dict[str, Any]:
        """The part of the expression root `run` that all attempts share."""
        if self._info is None:
            self._info = {"execution_id": self.execution_id, "started_at": timestamp_text(self._started_us)}
        return self._info

    def emit(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        """Record what a node says; what it says after its attempt has ended is dropped."""
        if threading.get_ident() != self._thread:
            anyio.from_thread.run_sync(self._record, ctx, event_type, content)
        else:
            self._record(ctx, event_type, content)

    def _record(self, ctx: Context, event_type: NodeEventType, content: dict[str, Any]) -> None:
        machine, log = self.machine, self.log
        node = machine.plan.index[ctx.node_id]
        if machine.status[node] == RUNNING and machine.attempts[node] == ctx.attempt:
            log.append(
                NodeEvent(log.seq + 1, self._clock.now_us(), ctx.path, ctx.node_id, ctx.attempt, event_type, content)
            )

    def sources(self, ctx: Context, port: str) -> list[str]:
        """Ids of the nodes whose live connections filled a port."""
        plan = self.machine.plan
        node = plan.nodes[plan.index[ctx.node_id]]
        numbers = live_sources(node, port, self.machine.outputs, self.machine.completed_flags)
        return [plan.nodes[number].id for number in numbers]

    def now_us(self) -> int:
        """The runtime's clock."""
        return self._clock.now_us()

    async def sleep(self, seconds: float) -> None:
        """Sleep by the runtime's clock."""
        await self._clock.sleep_until(self._clock.now_us() + round(seconds * 1_000_000))

    def http_client(self) -> httpx.AsyncClient:
        """The runtime's pooled client."""
        return self._http()
