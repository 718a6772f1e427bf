"""Asks something of an execution, whoever runs it, and waits for what comes of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flowcore.contracts import Owner, RequestKind, Store
from flowcore.errors import StoreError
from flowcore.events import ExecutionId

from flowcli.stored_executions import summary_of
from flowcli.usage import UsageError

__all__ = ["Asked", "Done", "Nobody", "Silent", "ask", "refusal", "wait_for_answer", "wait_for_owner"]

_POLL_SECONDS: Final = 0.05
#: So many polls pass between looks at who runs the execution.
_OWNER_POLLS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Who runs the execution has done it."""

    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Nobody:
    """Nobody runs the execution; the request with this number waits for whoever takes it up."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Whoever runs the execution has not come for it in time; the request still waits."""

    owner: Owner


Asked: TypeAlias = Done | Nobody | Silent


def ask(
    store: Store,
    execution_id: ExecutionId,
    kind: RequestKind,
    body: Mapping[str, Any],
    *,
    timeout_seconds: float,
) -> Asked:
    """Write a request down, and wait for its answer as `wait_for_owner` does.

    Raises UsageError when the execution has ended, or whoever runs it refuses.
    """
    try:
        number = store.requests.put(execution_id, kind, body)
    except StoreError as error:
        if error.code in {"execution.final", "execution.unknown"}:
            raise UsageError(error.message, code=error.code, remedy=error.remedy) from error
        raise
    return wait_for_owner(store, execution_id, number, timeout_seconds=timeout_seconds)


def wait_for_owner(store: Store, execution_id: ExecutionId, number: int, *, timeout_seconds: float) -> Asked:
    """Wait for the answer to a request while somebody runs the execution.

    Raises UsageError when whoever runs it refuses.
    """
    ends_at = time.monotonic() + timeout_seconds
    polls = 0
    last_owner: Owner | None = None
    while True:
        owner = summary_of(store, execution_id).owner if polls % _OWNER_POLLS == 0 else last_owner
        last_owner = owner or last_owner
        polls += 1
        answer = store.requests.answered(number)
        if answer is not None and last_owner is not None:
            store.requests.forget(number)
            if answer["error"] is not None:
                raise refusal(answer["error"])
            return Done(owner=last_owner)
        if owner is None:
            return Nobody(number=number)
        if time.monotonic() > ends_at:
            return Silent(owner=owner)
        time.sleep(_POLL_SECONDS)


def wait_for_answer(store: Store, number: int, *, timeout_seconds: float) -> None:
    """Return when this process, which runs the execution, has answered the request, or the time is over.

    Raises UsageError with its refusal.
    """
    ends_at = time.monotonic() + timeout_seconds
    while (answer := store.requests.answered(number)) is None and time.monotonic() < ends_at:
        time.sleep(_POLL_SECONDS / 5)
    if answer is not None:
        store.requests.forget(number)
        if answer["error"] is not None:
            raise refusal(answer["error"])


def refusal(error: Mapping[str, Any]) -> UsageError:
    """The refusal of a request, as it was written down."""
    return UsageError(error["message"], code=error["code"], remedy=error.get("remedy") or "")
