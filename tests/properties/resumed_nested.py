"""What must hold for the log of nested documents that was interrupted and taken up again, some number of times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import anyio
from flowcore.documents import parse_workflow
from flowcore.events import NodeCancelled, NodeEvent, NodeInterrupted, WorkflowCompleted, WorkflowResumed

from tests.properties import nested_model, random_nested
from tests.properties.nested_model import Shape, node_of
from tests.properties.random_nested import CONTAINERS, Nested, Played
from tests.properties.resuming import resume

__all__ = ["check_resumed_shape", "steadily", "take_up"]


class _ResumedShape(Shape):
    """When a further process begins, all that ran is interrupted, but containers in which something had begun."""

    def __init__(self, trouble: Nested) -> None:
        super().__init__(trouble)
        #: Leaves that ran at the end of the process before, until something is said of them.
        self.lost: set[tuple[Any, str]] = set()
        #: Containers in which something has happened, by path, node and attempt.
        self.begun: set[tuple[Any, str, int]] = set()

    def take(self, event: Any) -> None:
        if isinstance(event, WorkflowResumed):
            self.cancelled = False
            self.lost = {
                where
                for where, phase in self.phase.items()
                if phase in {"running", "woken"} and not self.is_container(where)
            }
            return
        assert not isinstance(event, WorkflowCompleted) or not self.lost
        super().take(event)

    def is_container(self, where: tuple[Any, str]) -> bool:
        path, node_id = where
        return node_of(self.documents.at(path), node_id)["node_type"] in CONTAINERS

    def take_node(self, event: Any) -> None:
        where = (event.path, event.node_id)
        for size in range(len(event.path)):
            self.begun.add((event.path[:size], event.path[size][0], event.path[size][2]))
        if not isinstance(event, NodeInterrupted):
            assert where not in self.lost or isinstance(event, NodeCancelled), event
            self.lost.discard(where)
            super().take_node(event)
            return
        assert event.attempt == self.attempt[where]
        assert not self.is_stopped(event.path), event
        if self.is_container(where):
            assert self.phase[where] == "running"
            assert (*where, event.attempt) not in self.begun, event
        else:
            self.lost.remove(where)
        self.leaves.discard(where)
        self.phase[where] = "backoff"


def check_resumed_shape(trouble: Nested, played: Played) -> None:
    """Raises AssertionError where the log is not gapless, or what it tells cannot be."""
    shape = _ResumedShape(trouble)
    cancels = [seq for seq, _, happening, taken in played.happened if happening.signal is None and taken]
    before_us = 0
    for number, event in enumerate(played.log, start=1):
        assert event.seq == number
        assert event.at_us >= before_us
        before_us = event.at_us
        if cancels and event.seq > cancels[0] and not isinstance(event, WorkflowResumed):
            shape.cancelled = True
            cancels.clear()
        shape.take(event)
    assert shape.over
    keys: dict[tuple[Any, str], set[str]] = defaultdict(set)
    for (path, node_id, _, _), seen in played.seen.items():
        keys[tuple((step[0], step[1]) for step in path), node_id].add(seen.key)
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert max(Counter(key for of_one in keys.values() for key in of_one).values(), default=1) == 1


def take_up(trouble: Nested, played: Played, cut: int, *, gap_us: int = 0, happenings: Any = ()) -> Played:
    """What comes of the first events of a log."""
    log = played.log[:cut]
    begun = Played(log=log, happened=[one for one in played.happened if one[0] < cut])
    for event in log:
        if isinstance(event, NodeEvent) and event.event_type == "Info":
            where = event.path, event.node_id, event.attempt, int(event.content["message"].split()[1])
            begun.seen[where] = played.seen[where]
    named = {name: parse_workflow({**document, "id": name}) for name, document in trouble.library.items()}
    random_nested._PLAYED.append(begun)
    try:
        resumed = anyio.run(
            lambda: resume(
                played.result.execution_id,
                parse_workflow(trouble.document),
                log,
                registry=random_nested._REGISTRY,
                named=named,
                happenings=happenings,
                gap_us=gap_us,
                seed=trouble.seed,
            )
        )
    finally:
        random_nested._PLAYED.pop()
    begun.log, begun.result = resumed.log, resumed.result
    begun.happened += resumed.happened
    return begun


@contextmanager
def steadily() -> Iterator[None]:
    """Every attempt of a node does the same, and that of its containers: then interruptions change nothing."""
    with (
        mock.patch.object(random_nested, "script_of", _of_item),
        mock.patch.object(nested_model, "script_of", _of_item),
    ):
        yield


def _of_item(config: dict[str, Any], path: Any, _: int) -> list[dict[str, Any]]:
    scripts = config["scripts"]
    calls: list[dict[str, Any]] = scripts[sum(item or 0 for _, item, _ in path) % len(scripts)][0]
    return calls
