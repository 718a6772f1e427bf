"""The order in which the problems of a document are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flowcore.errors import Problem

__all__ = ["FIELDS", "sort_problems"]

#: The fields of a document in the order in which they are written.
FIELDS: Final = (
    "id",
    "name",
    "description",
    "inputs",
    "vars",
    "nodes",
    "connections",
    "triggers",
    "outputs",
    "settings",
)

_RANKS: Final = {name: rank for rank, name in enumerate(FIELDS)}
_LONGEST_INDEX = 9  # digits; what is longer is the name of a field


def sort_problems(problems: Iterable[Problem]) -> list[Problem]:
    """The problems from the top of the document to its end; one that was found twice is told once.

    Fields stand in the order in which documents are written, elements of arrays in their own.

    >>> def problem(pointer):
    ...     return Problem(code="a", pointer=pointer, message="Wrong.", remedy="Mend it.")
    >>> [p.pointer for p in sort_problems(map(problem, ["/outputs", "/nodes/10/id", "/nodes/9", "/name"]))]
    ['/name', '/nodes/9', '/nodes/10/id', '/outputs']
    """
    return sorted(dict.fromkeys(problems), key=_place)


def _place(problem: Problem) -> tuple[object, ...]:
    field, *steps = problem.pointer.split("/")[1:] or [""]
    places = [
        (0, int(step), "") if step.isdecimal() and len(step) <= _LONGEST_INDEX else (1, 0, step) for step in steps
    ]
    rank = _RANKS.get(field, len(_RANKS)) if problem.pointer else -1
    return rank, field, places, problem.severity, problem.code, problem.message
