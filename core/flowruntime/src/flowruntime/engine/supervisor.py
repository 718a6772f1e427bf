"""Starts executions, knows the running ones, and ends them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from flowcore.contracts import Clock
from flowcore.errors import ExecutionError
from flowcore.events import ExecutionId, WorkflowStarted
from flowcore.executions import ExecutionResult
from flowcore.values import Value

from flowruntime.authoring import Secret
from flowruntime.engine.attempt import ExecutionRun, Instances
from flowruntime.engine.executor import Executor
from flowruntime.engine.machine import Machine
from flowruntime.engine.watchdog import Watchdog
from flowruntime.journal import Journal
from flowruntime.plan.model import Plan

if TYPE_CHECKING:
    import httpx

__all__ = ["Supervisor"]


class Supervisor:
    """The executions of one runtime. Used from the loop's thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        secrets: Mapping[str, Secret],
        http: Callable[[], httpx.AsyncClient],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._secrets = secrets
        self._http = http
        self._jitter = _jitter
        #: Keeps the time of all executions; somebody must run it.
        self.watchdog = Watchdog(clock)
        self._running: dict[ExecutionId, Executor] = {}

    def start(
        self, plan: Plan, instances: Instances, inputs: dict[str, Value], *, fired: int | None
    ) -> tuple[ExecutionId, Executor]:
        """Make event 1 durable; the executor that comes back runs the execution. `fired` is the trigger's number."""
        origin = {"type": "Manual"} if fired is None else {"type": "Node", "node": plan.nodes[fired].id}
        now_us = self._clock.now_us()
        execution_id = _new_execution_id(now_us)
        first = WorkflowStarted(1, now_us, plan.workflow.id, None, inputs, origin, dict(plan.types))
        log = self._journal.create(execution_id, plan.workflow, first)
        machine = Machine(plan, fired=fired)
        run = ExecutionRun(
            machine=machine,
            log=log,
            clock=self._clock,
            inputs=inputs,
            started_us=now_us,
            secrets=self._secrets,
            http=self._http,
        )
        executor = Executor(
            run=run,
            machine=machine,
            instances=instances,
            clock=self._clock,
            watchdog=self.watchdog,
            started_us=now_us,
            jitter=self._jitter,
        )
        self._running[execution_id] = executor
        return execution_id, executor

    async def run(self, execution_id: ExecutionId, executor: Executor) -> ExecutionResult:
        """Run a started execution to its end in the calling task."""
        try:
            return await executor.execute()
        finally:
            del self._running[execution_id]
            self._journal.close_log(executor.log)

    async def wait(self, execution_id: str) -> ExecutionResult | None:
        """The result of an execution that runs here, once it has ended; None when it does not run here."""
        executor = self._running.get(ExecutionId(execution_id))
        if executor is None:
            return None
        while executor.result is None:
            await executor.ended.wait()
        return executor.result

    def cancel(self, execution_id: str) -> None:
        """Cancel a running execution. Raises ExecutionError when none of that id runs here."""
        executor = self._running.get(ExecutionId(execution_id))
        if executor is None:
            status = self._journal.record(execution_id).status
            raise ExecutionError(
                f"Execution {execution_id!r} does not run here: it is {status}.", code="execution.final"
            )
        executor.cancel()

    def signal(self, execution_id: str, name: str, value: Value) -> None:
        """Wake the nodes that wait for a signal. Raises ExecutionError when none of this execution does."""
        executor = self._running.get(ExecutionId(execution_id))
        if executor is None:
            status = self._journal.record(execution_id).status
            raise ExecutionError(
                f"Execution {execution_id!r} does not run here: it is {status}.", code="execution.final"
            )
        if not executor.signal(name, value):
            raise ExecutionError(
                f"No node of execution {execution_id!r} waits for the signal {name!r}.",
                code="execution.no_such_wait",
                remedy="Send it once a node waits; events of the type NodeWaiting say so.",
            )

    def cancel_all(self) -> None:
        """Cancel whatever runs."""
        for executor in self._running.values():
            executor.cancel()


def _jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311 - it spreads load, it hides nothing


def _new_execution_id(now_us: int) -> ExecutionId:
    """A UUID of version 7 (RFC 9562), so that ids sort by time: 48 bits of milliseconds, 74 random bits."""
    number = int.from_bytes(os.urandom(10), "big")
    number &= (1 << 74) - 1
    value = (now_us // 1000) << 80 | 0x7 << 76 | (number >> 62) << 64 | 0b10 << 62 | number & ((1 << 62) - 1)
    text = f"{value:032x}"
    return ExecutionId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")
