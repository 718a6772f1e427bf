"""Why a store refuses what it is asked, in words that are the same in every store."""

from __future__ import annotations

from flowcore.contracts import Owner
from flowcore.errors import StoreError
from flowcore.events import ExecutionId

__all__ = [
    "already_seen",
    "does_not_follow",
    "exists",
    "has_ended",
    "is_held",
    "is_lost",
    "name_taken",
    "token_exists",
    "unknown",
    "unknown_owner",
    "unknown_request",
    "workflow_changed",
]


def unknown(
    execution_id: ExecutionId, remedy: str = "`flow executions list` shows those that there are."
) -> StoreError:
    """There is no such execution."""
    return StoreError(f"There is no execution {execution_id!r}.", code="execution.unknown", remedy=remedy)


def exists(execution_id: ExecutionId) -> StoreError:
    """An execution begins once."""
    return StoreError(
        f"There is an execution {execution_id!r} already.",
        code="store.exists",
        remedy="Give the new one an id of its own.",
    )


def already_seen(scope: str, key: str) -> StoreError:
    """Of what may begin one execution, a second one would begin."""
    return StoreError(
        f"An execution was created for {key!r} of {scope!r} already.",
        code="store.seen",
        remedy="Ask the store for it with `created_once`.",
    )


def does_not_follow(execution_id: ExecutionId, seq: int, latest: int) -> StoreError:
    """Events without those before them, or again."""
    return StoreError(
        f"Event {seq} of execution {execution_id!r} does not follow event {latest}.",
        code="store.gap",
        remedy="Two engines run the same execution; stop one.",
    )


def has_ended(execution_id: ExecutionId, status: str) -> StoreError:
    """A final status is final."""
    return StoreError(
        f"Execution {execution_id!r} has ended: it {'was' if status == 'cancelled' else 'has'} {status}.",
        code="execution.final",
        remedy="Run the workflow again; `flow executions events ID --json` shows its inputs.",
    )


def is_lost(execution_id: ExecutionId) -> StoreError:
    """Somebody else runs it by now, or it was given back."""
    return StoreError(
        f"The lease of execution {execution_id!r} is lost.",
        code="lease.lost",
        remedy="Nothing needs to be done: whoever claimed the execution goes on with it.",
    )


def is_held(execution_id: ExecutionId, owner: Owner) -> StoreError:
    """Somebody runs it."""
    return StoreError(
        f"Execution {execution_id!r} is run by {owner.name!r} (process {owner.pid} on {owner.host!r}).",
        code="lease.held",
        remedy="Wait until that process has ended, or end it.",
    )


def name_taken(owner: Owner) -> StoreError:
    """Names that users give are for one live process."""
    return StoreError(
        f"A runtime with the name {owner.name!r} is alive: process {owner.pid} on {owner.host!r}.",
        code="runtime.name_taken",
        remedy="Give this one another name, or end that process.",
    )


def unknown_owner(number: int) -> StoreError:
    """The owner left, or another process took its name."""
    return StoreError(
        f"Owner {number} is not registered: it left, or its leases ran out and its name was taken.",
        code="owner.unknown",
        remedy="Register again; what it ran is resumed by whoever claims it.",
    )


def unknown_request(number: int) -> StoreError:
    """The request was forgotten, or never made."""
    return StoreError(f"There is no request {number}.", code="request.unknown", remedy="Make the request again.")


def workflow_changed(workflow_id: str, expected: int, latest: int) -> StoreError:
    """Somebody else put another version meanwhile."""
    if not expected:
        message = f"There is a workflow {workflow_id!r} already, at version {latest}."
    elif latest:
        message = f"The workflow {workflow_id!r} is at version {latest} now, not at {expected}."
    else:
        message = f"The workflow {workflow_id!r}, which was at version {expected}, is not there any more."
    return StoreError(message, code="workflow.conflict", remedy="Read what is there now, and make the change to that.")


def token_exists(name: str) -> StoreError:
    """Tokens are told apart by their names, and found by their hashes."""
    return StoreError(
        f"There is a token {name!r} already, or the same token under another name.",
        code="token.exists",
        remedy="Give the new one another name, or revoke that one: `flow tokens revoke`.",
    )
