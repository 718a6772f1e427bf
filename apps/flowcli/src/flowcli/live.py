"""The live view of a run on a terminal: every node with its state, at most ten times a second."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple

import anyio
from flowcore.events import TOP, ExecutionId, NodeEvent, NodeFailed, NodeRetrying, NodeSkipped, NodeStarted
from flowcore.executions import Execution, NodeView
from flowcore.workflows import Workflow
from flowruntime.journal import HistoryGap
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flowcli.durations import duration_text
from flowcli.terminal import printable
from flowcli.watching import Told

__all__ = ["LiveView"]

_REFRESH_SECONDS: Final = 0.1
#: Lines that are not nodes: the head, the rest's count, the cursor's own.
_OTHER_LINES: Final = 3


class _Look(NamedTuple):
    icon: str
    #: For terminals without Unicode.
    letter: str
    style: str


_LOOKS: Final = {
    "pending": _Look("○", ".", "dim"),
    "running": _Look("●", "*", "cyan"),
    "retrying": _Look("↻", "~", "yellow"),
    "waiting": _Look("◌", "~", "cyan"),
    "interrupted": _Look("○", "!", "yellow"),
    "completed": _Look("✔", "+", "green"),
    "failed": _Look("✘", "x", "red"),
    "skipped": _Look("–", "-", "dim"),
    "cancelled": _Look("■", "x", "yellow"),
    "succeeded": _Look("✔", "+", "green"),
}
#: How long these take so far is of interest.
_UNDER_WAY: Final = ("running", "waiting")
#: When there are more nodes than lines, these are shown first.
_URGENT: Final = ("running", "retrying", "failed", "waiting")


class LiveView:
    """A tree of the workflow's nodes on stderr, which stays there when the run has ended."""

    tells_failures = False
    shows_the_past = True

    def __init__(self, workflow: Workflow) -> None:
        self._name = printable(workflow.name)
        self._node_ids: list[str] = [node.id for node in workflow.nodes]
        self._console = Console(stderr=True)
        self._execution = Execution(execution_id=ExecutionId(""))
        #: The latest thing to say about a node.
        self._notes: dict[str, str] = {}

    async def watch(self, execution_id: str, events: AsyncIterator[Told]) -> None:  # noqa: ARG002 - one is shown
        """Show the nodes until the events end."""
        view = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        with view:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._refresh, view)
                async for event in events:
                    self._take(event)
                tasks.cancel_scope.cancel()
            view.update(self._picture(), refresh=True)

    async def _refresh(self, view: Live) -> None:
        while True:
            # The empty line is the cursor's: behind a full one, the `^C` that a terminal shows would begin another,
            # of which the view knows nothing.
            view.update(Group(self._picture(), Text()), refresh=True)
            await anyio.sleep(_REFRESH_SECONDS)

    def _take(self, event: Told) -> None:
        if isinstance(event, HistoryGap):
            return
        self._execution.apply(event)
        if getattr(event, "path", TOP):
            self._take_inner(event)
            return
        match event:
            case NodeEvent(event_type="Info" | "Warning"):
                self._notes[event.node_id] = str(event.content.get("message"))
            case NodeEvent(event_type="Progress"):
                self._notes[event.node_id] = f"{event.content['percent']:.0f} % {event.content.get('message') or ''}"
            case NodeFailed() | NodeRetrying():
                self._notes[event.node_id] = event.error["message"]
            case NodeSkipped():
                self._notes[event.node_id] = event.why
            case _:
                pass

    def _take_inner(self, event: Told) -> None:
        """What happens inside a container is told in the container's line: the latest node that started there."""
        match event:
            case NodeStarted(path=((container, item, _), *_), node_id=node_id):
                self._notes[container] = node_id if item is None else f"item {item + 1:,}: {node_id}"
            case NodeFailed(path=((container, item, _), *_), node_id=node_id, error=error):
                where = node_id if item is None else f"item {item + 1:,}: {node_id}"
                self._notes[container] = f"{where}: {error['message']}"
            case _:
                pass

    # --- the picture --------------------------------------------------------------------------------

    def _picture(self) -> RenderableType:
        now_us = time.time_ns() // 1000
        shown, hidden = self._choose(max(self._console.height - _OTHER_LINES, 1))
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for _ in range(4):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
        for index, node_id in enumerate(shown):
            last = index == len(shown) - 1 and not hidden
            table.add_row(*self._row(node_id, now_us, last=last))
        parts: list[RenderableType] = [self._head(now_us), table]
        if hidden:
            parts.append(Text(f"{self._guide(last=True)}{len(hidden)} more: {self._count(hidden)}", style="dim"))
        return Group(*parts)

    def _head(self, now_us: int) -> Text:
        execution = self._execution
        look = _LOOKS.get(execution.status, _LOOKS["running"])
        duration_ms = execution.duration_ms
        if duration_ms is None:
            duration_ms = max(now_us - execution.started_us, 0) / 1000 if execution.started_us else 0.0
        counted = f"{len(execution.ended)} of {len(self._node_ids)} nodes"
        return Text.assemble(
            (self._name, "bold"),
            "  ",
            (execution.status, look.style),
            f"  {duration_text(duration_ms)}  ",
            (counted, "dim"),
        )

    def _row(self, node_id: str, now_us: int, *, last: bool) -> Iterable[RenderableType]:
        view = self._execution.nodes.get((TOP, node_id))
        status = self._status(node_id)
        look = _LOOKS[status]
        yield Text.assemble((self._guide(last=last), "dim"), (self._icon(look), look.style), f" {printable(node_id)}")
        yield Text(status, style=look.style)
        yield Text(_duration(view, now_us), justify="right")
        yield Text(f"attempt {view.attempt}" if view is not None and view.attempt > 1 else "")
        note = printable(self._notes.get(node_id, "")).replace("\n", " ")
        yield Text(note, style="red" if status == "failed" else "dim", no_wrap=True, overflow="ellipsis")

    def _choose(self, room: int) -> tuple[list[str], list[str]]:
        """The nodes that are shown and those for which there is no line, both in document order."""
        if len(self._node_ids) <= room:
            return self._node_ids, []
        urgent = [node_id for node_id in self._node_ids if self._status(node_id) in _URGENT]
        recent = reversed(list(self._execution.ended))
        chosen = set(list(dict.fromkeys([*urgent, *recent, *self._node_ids]))[:room])
        shown = [node_id for node_id in self._node_ids if node_id in chosen]
        return shown, [node_id for node_id in self._node_ids if node_id not in chosen]

    def _count(self, node_ids: Iterable[str]) -> str:
        counts: dict[str, int] = {}
        for node_id in node_ids:
            status = self._status(node_id)
            counts[status] = counts.get(status, 0) + 1
        return ", ".join(f"{count} {status}" for status, count in counts.items())

    def _status(self, node_id: str) -> str:
        view = self._execution.nodes.get((TOP, node_id))
        return "pending" if view is None else view.status

    def _icon(self, look: _Look) -> str:
        return look.letter if self._console.options.ascii_only else look.icon

    def _guide(self, *, last: bool) -> str:
        if self._console.options.ascii_only:
            return "`- " if last else "|- "
        return "└─ " if last else "├─ "


def _duration(view: NodeView | None, now_us: int) -> str:
    if view is None:
        return ""
    if view.duration_ms is not None:
        return duration_text(view.duration_ms)
    if view.status in _UNDER_WAY and view.started_us is not None:
        return duration_text(max(now_us - view.started_us, 0) / 1000)
    return ""
