"""Keeps what nodes say within bounds: progress ten times a second, lines in batches and 1 MiB of them an attempt.

What comes too soon after the last event of its kind is held and merged: of progress the latest counts, lines are joined
by line breaks into one event. `flush` gives what is held, in the order in which it was said; it is called when the
pause is over, before anything else of the node is recorded, and at the end of the attempt.
"""

from __future__ import annotations

from typing import Any, Final

from flowcore.events import NodeEventType

__all__ = ["MAX_LINE_BYTES", "PAUSE_US", "Saying"]

#: A tenth of a second.
PAUSE_US: Final = 100_000
#: Of standard output and standard error together, an attempt.
MAX_LINE_BYTES: Final = 1 << 20

_Said = tuple[NodeEventType, dict[str, Any]]
_CUT: Final = "The output of the node was cut at 1 MiB; the rest of this attempt's lines is dropped."


class Saying:
    """Progress and lines of one attempt."""

    __slots__ = ("_armed", "_bytes", "_held", "_next_us", "attempt")

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self._held: list[_Said] = []
        self._next_us = 0
        self._armed = False
        self._bytes = 0

    def say(self, now_us: int, event_type: NodeEventType, content: dict[str, Any]) -> int | None:
        """Take something in; when it is to be flushed, or None when it is dropped or a flush was asked for before."""
        if event_type == "Progress":
            self._held = [said for said in self._held if said[0] != "Progress"]
            self._held.append((event_type, content))
        elif not self._take_line(event_type, content["line"]):
            return None
        if now_us >= self._next_us:
            return now_us
        if self._armed:
            return None
        self._armed = True
        return self._next_us

    def hold(self, event_type: NodeEventType, content: dict[str, Any]) -> None:
        """Have something come with the next flush."""
        self._held.append((event_type, content))

    def _take_line(self, event_type: NodeEventType, line: str) -> bool:
        if self._bytes > MAX_LINE_BYTES:
            return False
        self._bytes += len(line.encode(errors="surrogatepass")) + 1
        if self._bytes > MAX_LINE_BYTES:
            self.hold("Warning", {"message": _CUT})
        elif self._held and self._held[-1][0] == event_type:
            self._held[-1][1]["lines"].append(line)
        else:
            self._held.append((event_type, {"lines": [line]}))
        return True

    def flush(self, now_us: int) -> list[_Said]:
        """What is held, as events' types and contents; the next pause begins."""
        held, self._held = self._held, []
        self._armed = False
        self._next_us = now_us + PAUSE_US
        return [
            (event_type, {"line": "\n".join(content["lines"])} if "lines" in content else content)
            for event_type, content in held
        ]
