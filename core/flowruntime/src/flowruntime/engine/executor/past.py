"""The log of an execution, split up by the documents in which things happened, for resuming it.

Only what is needed to go on is unfolded later: of a loop that has ended nothing inside it is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from flowcore.events import (
    Event,
    ExecutionId,
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeInterrupted,
    NodeStarted,
    NodeWoken,
    Path,
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowStarted,
)
from flowcore.executions import Execution

__all__ = ["MAX_INTERRUPTIONS", "MAX_RECOVERIES", "RELEASED", "DocumentPast", "ExecutionPast"]

#: So many recoveries in a row without any progress, and so many interruptions of one node, are borne.
MAX_RECOVERIES: Final = 5
MAX_INTERRUPTIONS: Final = 5
#: The reason of a WorkflowResumed with which counting begins anew: somebody took the execution out of quarantine.
RELEASED: Final = "it was taken out of quarantine"
#: Whose keys those attempts share that a limit of interruptions counts together: the path without its attempts.
_Key = tuple[tuple[tuple[str, int | None], ...], str]


class DocumentPast:
    """What happened in one document, with how long the execution had been active at each event, in microseconds."""

    __slots__ = ("active_us", "below", "events", "last_seq")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.active_us: list[int] = []
        #: By container node and its attempt: the children by item.
        self.below: dict[tuple[str, int], dict[int | None, DocumentPast]] = {}
        #: The latest event here or below.
        self.last_seq = 0

    def __iter__(self) -> Iterator[tuple[Event, int]]:
        return zip(self.events, self.active_us, strict=True)


class ExecutionPast:
    """The whole log, taken in event by event."""

    __slots__ = (
        "_at_us",
        "_documents",
        "_is_active",
        "active_us",
        "answers",
        "interruptions",
        "recoveries",
        "started",
        "top",
        "view",
    )

    def __init__(self, execution_id: ExecutionId) -> None:
        self.top = DocumentPast()
        self.started: WorkflowStarted | None = None
        #: The snapshot at the end of the log.
        self.view = Execution(execution_id=execution_id)
        #: How long the execution has been active, in microseconds: something ran in it, and a process ran that.
        self.active_us = 0
        #: How often it was taken up since anything came of it.
        self.recoveries = 0
        self.interruptions: Counter[_Key] = Counter()
        #: What was answered of parked nodes, by path and node, while nothing has come of it.
        self.answers: dict[tuple[Path, str], Any] = {}
        self._documents: dict[Path, DocumentPast] = {(): self.top}
        self._at_us = 0
        self._is_active = False

    def take(self, events: Iterable[Event]) -> None:
        """Take in the next events."""
        view = self.view
        for event in events:
            if self._is_active and not isinstance(event, WorkflowResumed):
                self.active_us += max(0, event.at_us - self._at_us)
            view.apply(event)
            self._at_us = event.at_us
            self._is_active = view.active > 0  # not the status: what was taken up and waits is `running` at first
            match event:
                case WorkflowStarted():
                    self.started = event
                case WorkflowCompleted():
                    pass
                case WorkflowResumed():
                    self.recoveries += 1
                    if event.reason == RELEASED:
                        self.release()
                case _:
                    self._take(event, event.path)

    def release(self) -> None:
        """Somebody takes the execution out of quarantine: counting begins anew."""
        self.recoveries = 0
        self.interruptions.clear()

    def interruptions_of(self, path: Path, node_id: str) -> int:
        """How often attempts of a node were interrupted, whatever the attempts of its containers."""
        return self.interruptions[_key(path, node_id)]

    def _take(self, event: Event, path: Path) -> None:
        if isinstance(event, NodeWoken) and event.reason == "answer":
            self.answers[path, event.node_id] = event.value
        elif self.answers and isinstance(event, NodeStarted | NodeCompleted | NodeFailed | NodeCancelled):
            self.answers.pop((path, event.node_id), None)
        if isinstance(event, NodeInterrupted):
            self.interruptions[_key(event.path, event.node_id)] += 1
        elif not isinstance(event, NodeStarted | NodeEvent):
            self.recoveries = 0
        document = self._documents.get(path)
        if document is None:
            document = self._document(path)
        document.events.append(event)
        document.active_us.append(self.active_us)
        document.last_seq = event.seq

    def _document(self, path: Path) -> DocumentPast:
        parent = self._documents.get(path[:-1]) or self._document(path[:-1])
        node_id, item, attempt = path[-1]
        document = DocumentPast()
        parent.below.setdefault((node_id, attempt), {})[item] = document
        self._documents[path] = document
        return document


def _key(path: Path, node_id: str) -> _Key:
    return tuple((name, item) for name, item, _ in path), node_id
