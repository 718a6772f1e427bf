"""Starts the workflow that `settings.on_error_workflow` names when an execution fails.

It runs as an execution of its own with the input `error`: the error object, with the ids of execution and workflow. It
is kept together with the end of the one that failed, so that there is one for each failure whenever a process is gone.
Its own failure starts nothing. A runtime that is closed without an exception waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import anyio
from flowcore.errors import FlowError
from flowcore.executions import ExecutionResult
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.authoring import Body
from flowruntime.engine.executor import Executor
from flowruntime.journal import ExecutionLog

__all__ = ["Create", "ErrorWorkflows"]

_log = logging.getLogger("flowruntime")
#: How long closing the runtime waits for them.
DRAIN_SECONDS: Final = 30


class Create(Protocol):
    """Makes the execution of an error workflow, which is kept with the end of the leader.

    `named` are the workflows by name of the execution that fails.
    """

    def __call__(
        self,
        body: Body,
        named: Mapping[str, Workflow],
        inputs: dict[str, Value],
        origin: dict[str, Any],
        *,
        leader: ExecutionLog,
    ) -> Executor: ...


class ErrorWorkflows:
    """The error workflows of one runtime. `start` runs what `create` has made in the background."""

    def __init__(self, *, create: Create, start: Callable[[Executor], None]) -> None:
        self._create = create
        self._start = start
        self._running: list[Executor] = []

    def begin(
        self, body: Body, named: Mapping[str, Workflow], net: str, result: ExecutionResult, log: ExecutionLog
    ) -> None:
        """An execution that began under this network policy is about to end as failed, in this log."""
        self._running = [executor for executor in self._running if not executor.over]
        error = {**(result.error or {}), "execution_id": result.execution_id, "workflow_id": result.workflow_id}
        origin = {"type": "Error", "execution_id": result.execution_id}
        if net != "open":
            origin["net"] = net
        try:
            executor = self._create(body, named, {"error": error}, origin, leader=log)
        except FlowError as refused:
            _log.warning("The error workflow %r of %r could not be started: %s", body.name, result.workflow_id, refused)
            return
        self._running.append(executor)
        self._start(executor)

    async def finish(self) -> None:
        """Return when all have ended, or after `DRAIN_SECONDS`."""
        with anyio.move_on_after(DRAIN_SECONDS):
            while running := [executor for executor in self._running if not executor.over]:
                await running[0].ended.wait()
