"""Places in two schemas that are compared, where their local references lead, and how much work may be spent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from flowcore.values import pointer_of

__all__ = ["Budget", "Conjunction", "Finding", "NotASchema", "OutOfSteps", "Part", "Side", "child", "resolve"]

Side: TypeAlias = Literal["source", "target"]

#: Work for one comparison, each step some microseconds: far beyond what schemas written by hand need.
_MOST_STEPS: Final = 5_000


class Part(NamedTuple):  # a third of the time of a frozen dataclass, and there are many
    """A schema inside one of the two schemas, at `pointer`; its references lead into `root`."""

    schema: Any
    root: Any
    pointer: str
    side: Side

    @property
    def key(self) -> tuple[int, int]:
        """What tells schemas apart during one comparison, which keeps both alive."""
        return id(self.schema), id(self.root)


#: Schemas that all hold; none of them: anything.
Conjunction: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Where and why something could not be proved, or cannot be; a place is None where nothing is said of it."""

    source: str | None
    target: str | None
    why: str

    def within(self, source: str | None, target: str | None) -> Finding:
        """The finding, with these places where it has none."""
        if (self.source is None and source is not None) or (self.target is None and target is not None):
            return Finding(
                source if self.source is None else self.source, target if self.target is None else self.target, self.why
            )
        return self


class NotASchema(Exception):  # noqa: N818 - it says what the part is
    """A part that is no JSON Schema 2020-12."""

    def __init__(self, part: Part, why: str) -> None:
        super().__init__(why)
        self.part = part
        self.why = why


class OutOfSteps(Exception):  # noqa: N818 - it says what happened
    """The schemas are too large to compare within bounds."""


class Budget:
    """The steps that are left for one comparison, and what need not be done twice in it."""

    __slots__ = ("listed_values", "steps")

    def __init__(self) -> None:
        self.steps = _MOST_STEPS
        #: The values that `enum` and `const` list, by the identity of their schema.
        self.listed_values: dict[int, Mapping[Any, Any] | None] = {}

    def spend(self, steps: int = 1) -> None:
        """Take steps. Raises OutOfSteps when there are none left."""
        self.steps -= steps
        if self.steps < 0:
            raise OutOfSteps


def child(part: Part, *steps: str | int) -> Part:
    """The schema that stands at these steps inside a part."""
    schema = part.schema
    for step in steps:
        schema = schema[step]
    return Part(schema, part.root, part.pointer + pointer_of(*steps), part.side)


def resolve(part: Part, reference: Any) -> Part | None:
    """Where a `$ref` leads inside its own root; None for other documents, anchors and what is not there.

    >>> resolve(Part({}, {"$defs": {"a b": True}}, "", "source"), "#/$defs/a%20b")
    Part(schema=True, root={'$defs': {'a b': True}}, pointer='/$defs/a b', side='source')
    """
    if not isinstance(reference, str):
        raise NotASchema(part, "its $ref is no string")
    if reference != "#" and not reference.startswith("#/"):
        return None
    found, pointer = part.root, _decoded(reference[1:])
    for step in _steps(pointer):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
        if isinstance(found, dict) and "$id" in found:
            return None  # a document of its own, with references of its own
    return Part(found, part.root, pointer, part.side)


def _decoded(text: str) -> str:
    """The text with `%20` and the like decoded, as RFC 6901 has it for pointers in URI fragments."""
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode(errors="replace"))
    return raw.decode(errors="replace")


def _steps(pointer: str) -> Iterator[str]:
    for step in pointer.split("/")[1:]:
        yield step.replace("~1", "/").replace("~0", "~")
