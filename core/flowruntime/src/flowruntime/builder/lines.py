"""Remembers at which lines of the user's code the parts of a document were made, for errors that come later."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from flowcore.errors import Problem

__all__ = ["Lines"]

#: The first two steps of a pointer name a part: `/nodes/3`.
_STEPS_OF_A_PART = 2


class Lines:
    """File and line of each part, by its pointer."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, int]] = {}

    def remember(self, pointer: str) -> None:
        """Keep the line at which the method was called that calls this."""
        frame = sys._getframe(2)  # noqa: SLF001 - `inspect` takes a hundred times as long for the same
        self._made[pointer] = (frame.f_code.co_filename, frame.f_lineno)

    def notes(self, problems: Iterable[Problem]) -> list[str]:
        """A sentence for each part with an error, such as `/nodes/3 was made at flow.py, line 12.`, in their order."""
        parts = dict.fromkeys(_part(problem.pointer) for problem in problems if problem.severity == "error")
        return [
            f"{part} was made at {self._made[part][0]}, line {self._made[part][1]}."
            for part in parts
            if part in self._made
        ]


def _part(pointer: str) -> str:
    return "/".join(pointer.split("/")[: _STEPS_OF_A_PART + 1])
