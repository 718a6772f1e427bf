"""The nodes of an execution that wait for somebody, and the commands that they wait for."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flowcore.events import (
    Event,
    NodeEvent,
    NodeWaiting,
    Path,
    WorkflowCompleted,
    WorkflowResumed,
    WorkflowRetrying,
    WorkflowStarted,
    timestamp_text,
)

from flowcli.node_paths import path_text, place_text

__all__ = ["Waits", "commands_for", "options_like", "wait_json", "wait_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingNode:
    """A node that waits: for an answer, for a signal, or only for a time."""

    node_id: str
    path: Path
    signal: str | None
    until_us: int | None
    reason: str | None

    @property
    def waits_for(self) -> Literal["answer", "signal", "time"]:
        """What makes it go on; a signal may have a time at which it is given up."""
        if self.signal is not None:
            return "signal"
        return "answer" if self.until_us is None else "time"


class Waits:
    """The nodes that wait, brought forward event by event."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._waiting: dict[tuple[Path, str], WaitingNode] = {}
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Take the next event of the log into account."""
        match event:
            case NodeWaiting():
                self._waiting[event.path, event.node_id] = WaitingNode(
                    node_id=event.node_id,
                    path=event.path,
                    signal=event.signal,
                    until_us=event.until_us,
                    reason=event.reason,
                )
            case WorkflowCompleted():
                self._waiting.clear()
            case WorkflowRetrying():
                depth = len(event.path)
                for path, node_id in [key for key in self._waiting if key[0][:depth] == event.path]:
                    del self._waiting[path, node_id]
            case WorkflowStarted() | WorkflowResumed() | NodeEvent():
                pass
            case _:
                self._waiting.pop((event.path, event.node_id), None)

    @property
    def nodes(self) -> tuple[WaitingNode, ...]:
        """Those that wait now, the longest first."""
        return tuple(self._waiting.values())

    def of(self, kind: Literal["answer", "signal", "time"]) -> tuple[WaitingNode, ...]:
        """Those that wait for this."""
        return tuple(node for node in self._waiting.values() if node.waits_for == kind)


def options_like(arguments: argparse.Namespace) -> list[str]:
    """What another command must be given to see the same database and node types."""
    options = [] if arguments.db is None else ["--db", arguments.db]
    return options if getattr(arguments, "nodes", None) is None else [*options, "--nodes", arguments.nodes]


def commands_for(execution_id: str, node: WaitingNode, options: Sequence[str]) -> list[str]:
    """The commands that make the node go on, with these options."""
    if node.signal is not None:
        words = [["signal", execution_id, node.signal, "--value", "null"]]
    elif node.waits_for == "answer":
        path = ["--path", path_text(node.path)] if node.path else []
        words = [["answer", execution_id, node.node_id, answer, *path] for answer in ("retry", "fail", "value=JSON")]
    else:
        words = []
    return [shlex.join(["flow", "executions", *one, *options]) for one in words]


def wait_lines(execution_id: str, node: WaitingNode, options: Sequence[str]) -> list[str]:
    """What to tell people: a sentence, and the commands below it."""
    place = place_text(node.path, node.node_id)
    until = "" if node.until_us is None else f" until {timestamp_text(node.until_us)[:19]}Z"
    what = {"answer": "an answer", "signal": f"the signal {node.signal!r}", "time": "its time"}[node.waits_for]
    sentence = f"Node {place!r} waits for {what}{until}{f': {node.reason}' if node.reason else ''}."
    return [sentence, *(f"  {command}" for command in commands_for(execution_id, node, options))]


def wait_json(execution_id: str, node: WaitingNode, options: Sequence[str]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "node_id": node.node_id,
        "path": [list(step) for step in node.path],
        "waits_for": node.waits_for,
        "signal": node.signal,
        "until": None if node.until_us is None else timestamp_text(node.until_us),
        "reason": node.reason,
        "commands": commands_for(execution_id, node, options),
    }
