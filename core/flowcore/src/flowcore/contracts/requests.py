"""What somebody wants of an execution that may run in another process: cancel, signal, answer.

A request is written down first, so that it cannot be lost; whoever has the execution's lease takes it and answers it in
the same commit as the events that came of it. What nobody runs waits until it is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from flowcore.events import ExecutionId

__all__ = ["Request", "RequestKind", "RequestStore"]

RequestKind: TypeAlias = Literal["cancel", "signal", "answer"]


class Request(NamedTuple):
    """A request by its number, which grows; `body` is JSON and depends on the kind.

    `signal`: `{"name", "value"}`; `answer`: `{"node_id", "path", "answer", "value"}`; `cancel`: `{"why"}`.
    """

    number: int
    execution_id: ExecutionId
    kind: RequestKind
    body: Mapping[str, Any]


class RequestStore(Protocol):
    """Requests, until they are answered.

    A `Change` with `answers` answers them. Those that wait when an execution ends are answered by that change:
    `execution.final`, but no error for one to cancel what ended as `cancelled`. An answer that nobody has come for is
    kept for a day at least.
    """

    def put(self, execution_id: ExecutionId, kind: RequestKind, body: Mapping[str, Any]) -> int:
        """Write a request down; its number. `cancel` marks the execution as well, for whoever resumes it.

        Raises StoreError for an unknown execution (`execution.unknown`) and a final one (`execution.final`).
        """
        ...

    def waiting(self, owner: int) -> Sequence[Request]:
        """Unanswered requests to executions that this owner has the lease of, the oldest first. Cheap when none are."""
        ...

    def waiting_for(self, execution_id: ExecutionId) -> Sequence[Request]:
        """Unanswered requests to one execution, the oldest first."""
        ...

    def answered(self, number: int) -> Mapping[str, Any] | None:
        """What came of a request: `{"error": null}` or `{"error": {code, message, remedy}}`; None while it waits.

        Raises StoreError, `request.unknown`, for one that was forgotten.
        """
        ...

    def forget(self, number: int) -> None:
        """Whoever asked has its answer, or does not want it any more: one that waits is taken back.

        An execution that was to be cancelled is still marked so.
        """
        ...
