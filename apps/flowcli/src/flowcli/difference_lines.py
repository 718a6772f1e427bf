"""Writes the differences of two workflows for people: what came, what went, and what changed where."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from flowcore.documents import Difference
from flowcore.values import write_json

from flowcli.terminal import Style, printable, styled

__all__ = ["difference_lines"]

#: How much of a value is shown.
_MOST: Final = 80
_MARKS: Final[dict[str, tuple[str, Style]]] = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "reordered": ("~", "yellow"),
}


def difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    """A line for each part that came or went, and one for each change below the part that it is in."""
    for (part, name), group in groupby(differences, key=lambda found: (found.part, found.name)):
        inside: list[Difference] = []
        for found in group:
            if found.kind == "reordered":
                yield _marked("reordered", f"the order of {_whose(found)}")
            elif part != "workflow" and found.pointer.rpartition("/")[0].endswith(f"/{part}s"):
                yield _marked(found.kind, f"{part} {_titled(found)}")
            else:
                inside.append(found)
        if inside:
            yield _marked("changed", f"{part} {name!r}" if part != "workflow" else _where(name))
            yield from (f"    {_marked(found.kind, _change(found))}" for found in inside)


def _marked(kind: str, text: str) -> str:
    mark, style = _MARKS[kind]
    return styled(printable(f"{mark} {text}"), style, sys.stdout)


def _titled(found: Difference) -> str:
    """A whole part: a node with its type."""
    whole = found.after if found.kind == "added" else found.before
    if found.part == "node":
        return f"{found.name!r} ({whole['node_type']})"
    return found.name if found.part == "connection" else repr(found.name)


def _change(found: Difference) -> str:
    match found.kind:
        case "added":
            return f"{found.pointer}: {_short(found.after)}"
        case "removed":
            return f"{found.pointer}: {_short(found.before)}"
        case _:
            return f"{found.pointer}: {_short(found.before)} → {_short(found.after)}"


def _whose(found: Difference) -> str:
    if found.part == "workflow":
        return "keys"
    return f"{found.part}s" + (f" in {found.name!r}" if found.name else "")


def _where(name: str) -> str:
    return f"the workflow in {name!r}" if name else "the workflow itself"


def _short(value: Any) -> str:
    text = write_json(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
