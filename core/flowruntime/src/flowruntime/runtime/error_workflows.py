"""Starts the workflow that `settings.on_error_workflow` names when an execution has failed.

It runs as an execution of its own with the input `error`: the error object, with the ids of execution and workflow. Its
own failure starts nothing. A runtime that is closed without an exception waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import anyio
from flowcore.errors import WorkflowInvalid
from flowcore.executions import ExecutionResult
from flowcore.values import Value

from flowruntime.engine.executor import Executor
from flowruntime.plan import Plan

__all__ = ["ErrorWorkflows"]

_log = logging.getLogger("flowruntime")
#: How long closing the runtime waits for them.
DRAIN_SECONDS: Final = 30


class ErrorWorkflows:
    """The error workflows of one runtime. `create` makes an execution, `start` runs it in the background."""

    def __init__(
        self,
        *,
        create: Callable[[Plan, dict[str, Value], dict[str, Any]], Executor],
        start: Callable[[Executor], None],
    ) -> None:
        self._create = create
        self._start = start
        self._running: list[Executor] = []

    def after(self, plan: Plan, result: ExecutionResult) -> None:
        """An execution of this plan has ended."""
        if result.status != "failed" or plan.on_error is None or result.error is None:
            return
        self._running = [executor for executor in self._running if not executor.over]
        error = {**result.error, "execution_id": result.execution_id, "workflow_id": result.workflow_id}
        origin = {"type": "Error", "execution_id": result.execution_id}
        try:
            executor = self._create(plan.on_error.plan, {"error": error}, origin)
        except WorkflowInvalid as refused:
            _log.warning(
                "The error workflow %r of %r could not be started: %s", plan.on_error.name, result.workflow_id, refused
            )
            return
        self._running.append(executor)
        self._start(executor)

    async def finish(self) -> None:
        """Return when all have ended, or after `DRAIN_SECONDS`."""
        with anyio.move_on_after(DRAIN_SECONDS):
            for executor in self._running:
                while not executor.over:
                    await executor.ended.wait()
