"""Shows the events of a run while they come: as lines for people, or as lines for programs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, Protocol, TextIO, TypeAlias

import anyio
import anyio.to_thread
from flowcore.events import Event, NodeEvent, NodeFailed, NodeRetrying, to_wire
from flowcore.values import write_json
from flowcore.workflows import Workflow
from flowruntime.journal import HistoryGap

from flowcli.durations import duration_text
from flowcli.terminal import is_lively, printable, say, styled, write_data

__all__ = ["EventLines", "Form", "PlainLines", "Told", "Watcher", "failure_words", "watcher_for"]

#: What goes to stdout: the outputs, the whole result as JSON, or nothing after the events.
Form: TypeAlias = Literal["outputs", "json", "events"]

#: What a follower of an execution is told.
Told: TypeAlias = Event | HistoryGap

_MOST_LINES_WAITING = 10_000


class Watcher(Protocol):
    """Shows a run to somebody."""

    #: Whether failures that the workflow outlives are among what it shows.
    tells_failures: bool
    #: Whether it shows the whole of an execution that is resumed, and not only what is new.
    shows_the_past: bool

    async def watch(self, execution_id: str, events: AsyncIterator[Told]) -> None:
        """Show all events; returns after the last one, or earlier when nobody looks any more."""
        ...


class PlainLines:
    """Lines on stderr for logs, and for terminals that cannot move their cursor: what nodes say, what goes wrong."""

    tells_failures = True
    shows_the_past = False

    async def watch(self, execution_id: str, events: AsyncIterator[Told]) -> None:  # noqa: ARG002 - they name nodes
        """Say a line for each event that people want to know of."""
        async for event in events:
            match event:
                case NodeEvent(event_type="Info"):
                    _say(event.node_id, str(event.content.get("message")))
                case NodeEvent(event_type="Warning"):
                    _say(event.node_id, str(event.content.get("message")), kind="warning")
                case NodeRetrying():
                    wait = duration_text(event.delay_ms)
                    cause = f"attempt {event.attempt} failed, the next comes in {wait}: {event.error['message']}"
                    _say(event.node_id, cause, kind="warning")
                case NodeFailed(then="continue" | "route"):
                    _say(event.node_id, failure_words(event), kind="warning")
                case _:
                    pass


class EventLines:
    """One wire event a line. A reader that is slow holds up neither the run nor the loop.

    `write` is called on a thread, with several lines where they have come meanwhile; it gives False when nobody
    reads any more.
    """

    tells_failures = False
    shows_the_past = False

    def __init__(self, write: Callable[[str], bool]) -> None:
        self._write = write
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_MOST_LINES_WAITING)

    async def watch(self, execution_id: str, events: AsyncIterator[Told]) -> None:
        """Write all events, as long as somebody reads them."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_lines, tasks.cancel_scope)
            async for event in events:
                await self._lines.put(write_json(_wire(event, execution_id)) + "\n")
            await self._lines.put(None)

    async def _write_lines(self, watching: anyio.CancelScope) -> None:
        ended = False
        while not ended:
            waiting = [await self._lines.get()]
            while not self._lines.empty():
                waiting.append(self._lines.get_nowait())
            ended = waiting[-1] is None
            text = "".join(line for line in waiting if line is not None)
            if not await anyio.to_thread.run_sync(self._write, text):
                watching.cancel()
                return


def watcher_for(form: Form, workflow: Workflow, data: TextIO) -> Watcher:
    """Who watches a run: events go to `data`, which is stdout; else the nodes are shown on stderr."""
    if form == "events":
        return EventLines(functools.partial(write_data, stream=data))
    if is_lively():
        from flowcli.live import LiveView  # brings rich, which is dear

        return LiveView(workflow)
    return PlainLines()


def failure_words(event: NodeFailed) -> str:
    """What to say of a failure that the workflow outlives."""
    went_on = "its error went on to port 'error'" if event.then == "route" else "the workflow went on without it"
    return f"failed, and {went_on}: {event.error['message']} [{event.error['code']}]"


def _wire(event: Told, execution_id: str) -> dict[str, Any]:
    if isinstance(event, HistoryGap):
        return {"type": "HistoryGap", "execution_id": execution_id, "first": event.first, "last": event.last}
    return to_wire(event, execution_id)


def _say(node_id: str, message: str, *, kind: str = "") -> None:
    # What follows a line break is indented: it must not look like the line of another node.
    text = printable(message).replace("\n", "\n  ")
    say(f"{printable(node_id)}: {styled(f'{kind}: ', 'yellow') if kind else ''}{text}")
