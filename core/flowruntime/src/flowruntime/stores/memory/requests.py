"""Requests to executions of a memory store. `flowcore.contracts.RequestStore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from flowcore.contracts import Request, RequestKind
from flowcore.events import ErrorObject, ExecutionId
from flowcore.executions import Status

from flowruntime.stores.memory.logs import Logs
from flowruntime.stores.refusals import has_ended, unknown_request

__all__ = ["MemoryRequests"]

#: Answers that nobody has come for are kept so long.
_ANSWERS_US: Final = 24 * 3600 * 1_000_000


class MemoryRequests:
    """What is wanted of these executions."""

    def __init__(self, logs: Logs, now_us: Callable[[], int]) -> None:
        self._logs = logs
        self._now_us = now_us
        self._numbers = count(1)
        self._waiting: dict[int, Request] = {}
        #: With the time of the answer, the oldest first.
        self._answered: dict[int, tuple[int, ErrorObject | None]] = {}

    def put(self, execution_id: ExecutionId, kind: RequestKind, body: Mapping[str, Any]) -> int:
        """Write a request down."""
        log = self._logs.get_unfinished(execution_id)
        if kind == "cancel":
            log.cancel_requested = True
        self._forget_old()
        number = next(self._numbers)
        self._waiting[number] = Request(number, execution_id, kind, body)
        return number

    def waiting(self, owner: int) -> list[Request]:
        """Requests to what this owner runs."""
        return [request for request in self._waiting.values() if self._logs.get(request.execution_id).owner == owner]

    def waiting_for(self, execution_id: ExecutionId) -> list[Request]:
        """Requests to one execution."""
        return [request for request in self._waiting.values() if request.execution_id == execution_id]

    def answered(self, number: int) -> Mapping[str, Any] | None:
        """What came of a request."""
        if number in self._waiting:
            return None
        if number not in self._answered:
            raise unknown_request(number)
        return {"error": self._answered[number][1]}

    def forget(self, number: int) -> None:
        """Remove a request with its answer."""
        self._waiting.pop(number, None)
        self._answered.pop(number, None)

    def answer(self, execution_id: ExecutionId, answers: Mapping[int, ErrorObject | None]) -> None:
        """Answer requests to an execution."""
        for number, error in answers.items():
            request = self._waiting.get(number)
            if request is not None and request.execution_id == execution_id:
                del self._waiting[number]
                self._answered[number] = self._now_us(), error

    def refuse_waiting(self, execution_id: ExecutionId, status: Status) -> None:
        """Answer all requests that wait for an execution, which ends now, with this status.

        It has come too late for them, but for those to cancel what was cancelled.
        """
        if self._waiting:
            error = has_ended(execution_id, status).to_json()
            answers = {
                request.number: None if (request.kind, status) == ("cancel", "cancelled") else error
                for request in self.waiting_for(execution_id)
            }
            self.answer(execution_id, answers)

    def clear(self) -> None:
        """Forget all requests."""
        self._waiting.clear()
        self._answered.clear()

    def _forget_old(self) -> None:
        long_ago = self._now_us() - _ANSWERS_US
        while self._answered and next(iter(self._answered.values()))[0] < long_ago:
            del self._answered[next(iter(self._answered))]
