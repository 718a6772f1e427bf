"""Decides which executions may run now: `settings.concurrency` a workflow, and a limit of the whole runtime.

What may not run yet is pending. When an execution ends, the pending one with the highest `settings.priority` takes its
place, the oldest among equals. An execution counts from its first attempt to its end, waiting included: a workflow that
must not run twice at the same time must not do so while one of them waits for an answer.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Hashable

from flowruntime.engine.executor import Executor

__all__ = ["Admission"]

_Queue = list[tuple[int, int, Executor]]


class Admission:
    """Used from the loop's thread. `max_executions` bounds the executions that run at the same time; None for none."""

    def __init__(self, max_executions: int | None = None) -> None:
        self._max = max_executions
        self._count = itertools.count()
        self._running = 0
        #: By workflow with a limit: how many run or have passed that limit, and who waits for it.
        self._of_workflow: Counter[Hashable] = Counter()
        self._behind_workflow: dict[Hashable, _Queue] = {}
        #: Who waits for the runtime's own limit.
        self._behind_all: _Queue = []

    def admit(self, executor: Executor) -> bool:
        """Whether the execution may run now; if not, it comes out of a `release` later."""
        workflow = executor.workflow
        limit = workflow.settings.concurrency
        if limit is None and self._max is None:
            return True
        if limit is not None:
            if self._of_workflow[workflow.id] >= limit:
                self._push(self._behind_workflow.setdefault(workflow.id, []), executor)
                return False
            self._of_workflow[workflow.id] += 1
        return self._admit_to_all(executor)

    def release(self, executor: Executor) -> list[Executor]:
        """An admitted execution ended: those that may run now."""
        workflow = executor.workflow
        if workflow.settings.concurrency is None and self._max is None:
            return []
        self._running -= 1
        admitted: list[Executor] = []
        if workflow.settings.concurrency is not None:
            self._release_workflow(workflow.id)
        while self._behind_all and (self._max is None or self._running < self._max):
            following = heapq.heappop(self._behind_all)[2]
            if not following.over:
                self._running += 1
                admitted.append(following)
            elif following.workflow.settings.concurrency is not None:  # cancelled when it had passed that limit
                self._release_workflow(following.workflow.id)
        return admitted

    def _release_workflow(self, workflow_id: Hashable) -> None:
        self._of_workflow[workflow_id] -= 1
        behind = self._behind_workflow.get(workflow_id, [])
        while behind:
            following = heapq.heappop(behind)[2]
            if not following.over:
                self._of_workflow[workflow_id] += 1
                self._push(self._behind_all, following)
                break
        if not behind:
            self._behind_workflow.pop(workflow_id, None)
        if not self._of_workflow[workflow_id]:
            del self._of_workflow[workflow_id]

    def _admit_to_all(self, executor: Executor) -> bool:
        if self._max is not None and self._running >= self._max:
            self._push(self._behind_all, executor)
            return False
        self._running += 1
        return True

    def _push(self, queue: _Queue, executor: Executor) -> None:
        priority = executor.workflow.settings.priority or 0
        heapq.heappush(queue, (-priority, next(self._count), executor))
