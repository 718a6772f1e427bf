"""Judges the log of nested documents by the contract's rules alone, without the engine's code.

Two readings: `check_shape` looks at what must hold for any log at any moment, `Model` works out what a document comes
to where no stop, cancel or time limit makes that a matter of timing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from flowcore.events import (
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeRetrying,
    NodeSkipped,
    NodeStarted,
    NodeWaiting,
    NodeWoken,
    WorkflowCompleted,
    WorkflowRetrying,
    WorkflowStarted,
)

from tests.properties.random_nested import CONTAINERS, Nested, Played, script_of

__all__ = ["Shape", "Undetermined", "check_shape", "expected_outputs"]

_ENDS = (NodeCompleted, NodeFailed, NodeSkipped, NodeCancelled)
_NO_LIMIT = 10**9


class Documents:
    """Finds the document that runs at a path."""

    def __init__(self, trouble: Nested) -> None:
        self.trouble = trouble

    def child_of(self, given: dict[str, Any]) -> dict[str, Any]:
        config = given["config"]
        child = config["body"] if given["node_type"] == "control.loop" else config["workflow"]
        found: dict[str, Any] = self.trouble.library[child] if isinstance(child, str) else child
        return found

    def at(self, path: Any) -> dict[str, Any]:
        document = self.trouble.document
        for node_id, _, _ in path:
            document = self.child_of(node_of(document, node_id))
        return document


def node_of(document: dict[str, Any], node_id: str) -> dict[str, Any]:
    """The node of this id."""
    return next(given for given in document["nodes"] if given["id"] == node_id)


# --- what holds for every log -------------------------------------------------------------------------


class Shape:
    """Where every node stands, by path and id, as far as the log has been read."""

    def __init__(self, trouble: Nested) -> None:
        self.documents = Documents(trouble)
        #: running, asleep (in backoff or waiting), woken; absent before the start, ended afterwards.
        self.phase: dict[tuple[Any, str], str] = {}
        self.attempt: dict[tuple[Any, str], int] = {}
        #: The leaves that hold slots.
        self.leaves: set[tuple[Any, str]] = set()
        #: Paths of documents that a failure or its container has stopped.
        self.stopped: set[Any] = set()
        self.open_items: dict[tuple[Any, str], set[Any]] = defaultdict(set)
        self.last_item: dict[tuple[Any, str, int], int] = {}
        self.cancelled = False
        self.over = False

    def take(self, event: Any) -> None:
        assert not self.over, event
        match event:
            case WorkflowStarted():
                pass
            case WorkflowCompleted():
                self.over = True
                assert not [where for where, phase in self.phase.items() if phase != "ended"]
            case WorkflowRetrying():
                self.take_restart(event)
            case _:
                self.take_node(event)

    def take_restart(self, event: WorkflowRetrying) -> None:
        assert not self.cancelled
        assert event.path in self.stopped
        assert not any(event.path[:size] in self.stopped for size in range(len(event.path)))
        for where in [where for where in self.phase if where[0][: len(event.path)] == event.path]:
            assert self.phase[where] == "ended", where
            del self.phase[where]
        self.stopped = {path for path in self.stopped if path[: len(event.path)] != event.path}

    def take_node(self, event: Any) -> None:
        where = (event.path, event.node_id)
        phase = self.phase.get(where)
        assert phase != "ended", event
        for size in range(len(event.path)):
            # Children live between the start and the end of every container around them.
            node_id, _, attempt = event.path[size]
            around = (event.path[:size], node_id)
            assert self.phase.get(around) == "running", event
            assert self.attempt[around] == attempt, event
        given = node_of(self.documents.at(event.path), event.node_id)
        is_leaf = given["node_type"] not in CONTAINERS
        match event:
            case NodeStarted():
                assert phase in {None, "backoff"}, event
                assert not self.is_stopped(event.path), event
                assert event.attempt == self.attempt.get(where, 0) + 1
                self.attempt[where] = event.attempt
                self.start_items(event)
                self.run(where, is_leaf=is_leaf)
            case NodeSkipped():
                assert phase is None
                self.start_items(event)
                self.phase[where] = "ended"
            case NodeWoken():
                assert phase == "waiting"
                assert event.attempt == self.attempt[where]
                self.phase[where] = "woken"
            case NodeEvent():
                if phase == "woken":
                    self.run(where, is_leaf=is_leaf)
                assert self.phase[where] == "running"
            case NodeWaiting() | NodeRetrying():
                assert phase == "running"
                assert event.attempt == self.attempt[where]
                self.leaves.discard(where)
                self.phase[where] = "waiting" if isinstance(event, NodeWaiting) else "backoff"
                self.close_items(where)
            case NodeCompleted() | NodeFailed():
                assert phase == "running", event
                self.end(where, event)
                if isinstance(event, NodeFailed) and event.then == "stop":
                    self.stopped.add(event.path)
            case NodeCancelled():
                assert phase is not None, event
                self.end(where, event)
                self.stopped.add(event.path)  # only what was stopped cancels its nodes
            case _:
                raise AssertionError(event)

    def is_stopped(self, path: Any) -> bool:
        return self.cancelled or any(path[:size] in self.stopped for size in range(len(path) + 1))

    def run(self, where: tuple[Any, str], *, is_leaf: bool) -> None:
        self.phase[where] = "running"
        if not is_leaf:
            return
        self.leaves.add(where)
        path, _ = where
        for size in range(len(path) + 1):
            limit = self.documents.at(path[:size])["settings"]["max_parallel_nodes"] or _NO_LIMIT
            assert sum(leaf[0][:size] == path[:size] for leaf in self.leaves) <= limit, where

    def end(self, where: tuple[Any, str], event: Any) -> None:
        assert event.attempt == self.attempt[where]
        self.leaves.discard(where)
        self.phase[where] = "ended"
        self.close_items(where)

    def close_items(self, where: tuple[Any, str]) -> None:
        """A container ended: so has all within."""
        path, node_id = where
        size = len(path)
        self.open_items.pop(where, None)
        for below, phase in self.phase.items():
            if len(below[0]) > size and below[0][:size] == path and below[0][size][0] == node_id:
                assert phase == "ended", (where, below)

    def start_items(self, event: Any) -> None:
        """Items start in their order, and no more of them run than the loop says."""
        if not event.path:
            return
        node_id, item, attempt = event.path[-1]
        container = (event.path[:-1], node_id)
        given = node_of(self.documents.at(container[0]), node_id)
        if item is None or item in self.open_items[container]:
            return
        if given["config"].get("concurrency", 1) == 1:  # else a later one may get the slot for its first node first
            assert item > self.last_item.get((*container, attempt), -1)
        self.last_item[*container, attempt] = item
        self.open_items[container].add(item)
        running = [
            one for one in self.open_items[container] if not self.has_ended((*container[0], (node_id, one, attempt)))
        ]
        assert len(running) <= given["config"].get("concurrency", 1)

    def has_ended(self, path: Any) -> bool:
        """Whether every node of the document has."""
        nodes = self.documents.at(path)["nodes"]
        phases = [self.phase.get((path, given["id"])) for given in nodes]
        return all(phase == "ended" or (phase is None and path in self.stopped) for phase in phases)


def check_shape(trouble: Nested, played: Played) -> None:
    """Raises AssertionError where the log is not gapless, or what it tells cannot be."""
    shape = Shape(trouble)
    cancels = [seq for seq, _, happening, taken in played.happened if happening.signal is None and taken]
    before_us = 0
    for number, event in enumerate(played.log, start=1):
        assert event.seq == number
        assert event.at_us >= before_us
        before_us = event.at_us
        if cancels and event.seq > cancels[0]:
            shape.cancelled = True
        shape.take(event)
    assert shape.over
    keys: dict[tuple[Any, str], set[str]] = defaultdict(set)
    for (path, node_id, _, _), seen in played.seen.items():
        keys[tuple((step[0], step[1]) for step in path), node_id].add(seen.key)
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert max(Counter(key for of_one in keys.values() for key in of_one).values(), default=1) == 1


# --- what a document comes to ---------------------------------------------------------------------------


class Undetermined(Exception):  # noqa: N818 - no error: timing decides
    """Several ends are right."""


class _Failed(Exception):  # noqa: N818 - a document's end, not an error of the model
    def __init__(self, *, fatal: bool) -> None:
        super().__init__()
        self.fatal = fatal


def expected_outputs(trouble: Nested) -> tuple[str, Any]:
    """Status and outputs. Raises Undetermined where timing decides: races, limits of time, signals, cancels, stops."""
    if any(happening.signal is None for happening in trouble.happenings):
        raise Undetermined
    try:
        return "succeeded", _Model(Documents(trouble)).document(trouble.document, (), None)
    except _Failed:
        return "failed", None


class _Model:
    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def document(self, document: dict[str, Any], path: Any, last: Any) -> dict[str, Any]:
        """The outputs of one run. Raises _Failed."""
        settings = document["settings"]
        if settings["max_execution_time_ms"] is not None or isinstance(settings["on_error"], dict):
            raise Undetermined
        outputs: dict[str, dict[str, Any] | None] = {}
        done: dict[str, bool] = {}
        stops: list[bool] = []
        for given in document["nodes"]:
            node_id = given["id"]
            arrows = [wire for wire in document["connections"] if wire["to_node"] == node_id]
            live = []
            for wire in arrows:
                is_live, value = _value(wire, outputs, done)
                if is_live:
                    live.append((wire["to_port"], value))
            if not _runs(given, arrows, live):
                outputs[node_id], done[node_id] = None, False
                continue
            try:
                outputs[node_id] = self.node(given, path, live)
                done[node_id] = True
            except _Failed as failed:
                done[node_id] = False
                outputs[node_id] = {"error": "error"} if given["on_error"] == "route" else None
                if given["on_error"] == "stop" or (
                    given["on_error"] is None and settings["on_error"] == "StopWorkflow"
                ):
                    stops.append(failed.fatal)
        if len(set(stops)) > 1:
            raise Undetermined  # whichever is first decides whether it is tried again
        if stops:
            raise _Failed(fatal=stops[0])
        followed = {wire["from_node"] for wire in document["connections"]}
        return {name: outputs[name] for name in outputs if name not in followed and done[name]}

    def node(self, given: dict[str, Any], path: Any, live: list[tuple[str, Any]]) -> dict[str, Any]:
        match given["node_type"]:
            case "local.act":
                return self.act(given, path)
            case "control.if":
                is_true = _truth(live[-1][1])
                return {"true" if is_true == (given["config"]["condition"] == "inputs.value") else "false": live[-1][1]}
            case "control.merge":
                return {"merged": [value for _, value in live]}
            case "control.first":
                if len(live) > 1:
                    raise Undetermined
                return {"value": live[0][1]}
            case _:
                return self.container(given, path)

    def act(self, given: dict[str, Any], path: Any) -> dict[str, Any]:
        failures = 0
        policy = given.get("retry_policy")
        most = 1 if policy is None else policy["max_attempts"]
        attempt = 0
        while True:
            attempt += 1
            calls = script_of(given["config"], path, attempt)
            if any(call["then"] == "wait" and call["signal"] is not None for call in calls):
                raise Undetermined
            timeout_ms = given["timeout_ms"]
            takes_ms = sum(call["takes_ms"] for call in calls)
            is_late = timeout_ms is not None and takes_ms > timeout_ms
            if timeout_ms is not None and takes_ms == timeout_ms:
                raise Undetermined
            last = calls[-1]
            if not is_late and last["then"] == "give":
                where = "/".join(str(item) for _, item, _ in path)
                return {port: f"{given['id']}.{port}@{where}" for port in last["gives"]}
            is_fatal = not is_late and last["then"] == "fatal"
            failures += 1
            is_retried = not is_fatal and failures < most
            if is_late and policy is not None and not policy.get("retry_on_timeout", True):
                is_retried = False
            if not is_retried:
                raise _Failed(fatal=is_fatal)

    def container(self, given: dict[str, Any], path: Any) -> dict[str, Any]:
        if given["timeout_ms"] is not None:
            raise Undetermined
        policy = given.get("retry_policy")
        most = 1 if policy is None else policy["max_attempts"]
        for attempt in range(1, most + 1):
            try:
                if given["node_type"] == "control.subflow":
                    child = self.documents.child_of(given)
                    return {"output": self.document(child, (*path, (given["id"], None, attempt)), None)}
                return self.loop(given, path, attempt)
            except _Failed as failed:
                if failed.fatal or attempt == most:
                    raise
        raise AssertionError

    def loop(self, given: dict[str, Any], path: Any, attempt: int) -> dict[str, Any]:
        config = given["config"]
        count = _count(given)
        is_alone = config.get("concurrency", 1) == 1
        results: list[Any] = []
        errors: list[int] = []
        failed_kinds: list[bool] = []
        leave_at = int(config["break_when"].split("`")[1]) if "break_when" in config else None
        for index in range(count):
            try:
                child = self.documents.child_of(given)
                results.append(self.document(child, (*path, (given["id"], index, attempt)), None))
            except _Failed as failed:
                results.append(None)
                errors.append(index)
                failed_kinds.append(failed.fatal)
                if config["on_item_error"] == "stop" and is_alone:
                    raise
            if index == leave_at:
                if config["on_item_error"] == "stop" and not is_alone and count > index + 1:
                    raise Undetermined  # a later one may have failed before
                break
        if errors and config["on_item_error"] == "stop":
            if len(set(failed_kinds)) > 1:
                raise Undetermined
            raise _Failed(fatal=failed_kinds[0])
        return {"results": results, "errors": errors}


def _count(given: dict[str, Any]) -> int:
    config = given["config"]
    match config["mode"]:
        case "for_each":
            return len(given["inputs"]["items"])
        case "times":
            return int(config["times"])
        case "while":
            return int(config["while"].split("`")[1])
        case _:
            return int(config["until"].split("`")[1]) + 1


def _value(wire: dict[str, str], outputs: dict[str, Any], done: dict[str, bool]) -> tuple[bool, Any]:
    if wire["from_port"] == "done":
        return done[wire["from_node"]], True
    given = outputs[wire["from_node"]]
    return given is not None and wire["from_port"] in given, (given or {}).get(wire["from_port"])


def _runs(given: dict[str, Any], arrows: list[Any], live: list[tuple[str, Any]]) -> bool:
    if not arrows:
        return True
    ports = [port for port, _ in live]
    return bool(ports) and ("after" in ports or all(wire["to_port"] != "after" for wire in arrows))


def _truth(value: Any) -> bool:
    """JMESPath's."""
    return value is not None and value is not False and value not in ("", [], {})
