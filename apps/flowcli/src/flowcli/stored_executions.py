"""The executions of a database, as commands use them: found by the ids that people write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from flowcore.contracts import ExecutionRecord, ExecutionSummary, Owner, Store
from flowcore.errors import StoreError
from flowcore.events import Event, ExecutionId, timestamp_text
from flowcore.executions import FINAL_STATUSES
from flowcore.values import did_you_mean

from flowcli.usage import UsageError

__all__ = ["all_events", "find_execution", "is_interrupted", "owner_json", "summary_json", "summary_of"]

#: How many events, or executions, are read at once.
_PAGE: Final = 1000
#: The newest executions, among which the one is looked for that the beginning of an id means.
_MOST_SEARCHED: Final = 20_000
_MOST_NAMED: Final = 5
#: Fewer characters mean nobody in particular.
_SHORTEST: Final = 4


def find_execution(store: Store, given: str) -> ExecutionRecord:
    """The execution of that id, or the only one whose id begins so.

    Raises UsageError, with near ids, when there is none, or more than one.
    """
    record = store.record(ExecutionId(given))
    if record is not None:
        return record
    ids = _newest_ids(store)
    found = [execution_id for execution_id in ids if execution_id.startswith(given)] if len(given) >= _SHORTEST else []
    if len(found) > 1:
        more = ", …" if len(found) > _MOST_NAMED else ""
        raise UsageError(
            f"There are {len(found)} executions whose ids begin with {given!r}.",
            code="execution.ambiguous",
            remedy=f"Write more of the id: {', '.join(found[:_MOST_NAMED])}{more}",
        )
    record = store.record(found[0]) if found else None
    if record is None:
        remedy = did_you_mean(given, ids[:_PAGE]) or "`flow executions list` shows those that there are."
        raise UsageError(f"There is no execution {given!r}.", code="execution.unknown", remedy=remedy)
    return record


def all_events(store: Store, execution_id: ExecutionId, after: int = 0) -> Iterator[Event]:
    """All events that are kept with a seq greater than `after`."""
    while events := store.read(execution_id, after, _PAGE).events:
        after = events[-1].seq
        yield from events


def summary_of(store: Store, execution_id: ExecutionId) -> ExecutionSummary:
    """The line that a list has for it, which says who runs it. Raises StoreError for an unknown execution."""
    summary = store.summary(execution_id)
    if summary is None:
        raise StoreError(f"There is no execution {execution_id!r}.", code="execution.unknown")
    return summary


def is_interrupted(summary: ExecutionSummary) -> bool:
    """Whether it has not ended, nobody runs it, and `flow executions resume` without ids would take it up."""
    return summary.owner is None and summary.status not in FINAL_STATUSES and summary.status != "quarantined"


def owner_json(owner: Owner | None) -> dict[str, Any] | None:
    """Who runs an execution; None for nobody."""
    return None if owner is None else {"name": owner.name, "host": owner.host, "pid": owner.pid}


def summary_json(summary: ExecutionSummary) -> dict[str, Any]:
    """One execution of a list for programs."""
    return {
        "execution_id": summary.execution_id,
        "workflow_id": summary.workflow_id,
        "status": summary.status,
        "seq": summary.seq,
        "started_at": timestamp_text(summary.started_us),
        "ended_at": None if summary.ended_us is None else timestamp_text(summary.ended_us),
        "owner": owner_json(summary.owner),
        "interrupted": is_interrupted(summary),
    }


def _newest_ids(store: Store) -> list[ExecutionId]:
    ids: list[ExecutionId] = []
    while len(ids) < _MOST_SEARCHED:
        page = store.executions(before=ids[-1] if ids else None, limit=_PAGE)
        if not page:
            break
        ids += [summary.execution_id for summary in page]
    return ids
