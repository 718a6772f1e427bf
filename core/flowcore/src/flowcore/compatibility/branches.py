"""What one branch of a schema allows: values of a single JSON type within limits, or one of some given values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from flowcore.compatibility.parts import Conjunction, Part, child

__all__ = [
    "Arrays",
    "Branch",
    "Count",
    "Extra",
    "Kind",
    "Limits",
    "Numbers",
    "Objects",
    "Row",
    "Shape",
    "Strings",
    "merge",
]

Kind: TypeAlias = Literal["null", "boolean", "number", "string", "array", "object"]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Bounds of numbers; an `open` bound is itself not allowed."""

    integer: bool = False
    low: int | float | None = None
    low_open: bool = False
    high: int | float | None = None
    high_open: bool = False
    multiples: tuple[int | float, ...] = ()

    def __and__(self, other: Numbers) -> Numbers:
        low, low_open = self.low, self.low_open
        if other.low is not None and (low is None or (other.low, other.low_open) > (low, low_open)):
            low, low_open = other.low, other.low_open
        high, high_open = self.high, self.high_open
        if other.high is not None and (high is None or (-other.high, other.high_open) > (-high, high_open)):
            high, high_open = other.high, other.high_open
        integer = self.integer or other.integer
        return Numbers(integer, low, low_open, high, high_open, self.multiples + other.multiples)


@dataclass(frozen=True, slots=True)
class Strings:
    """Lengths in code points, and the patterns that all match."""

    shortest: int = 0
    longest: int | None = None
    patterns: frozenset[str] = frozenset()

    def __and__(self, other: Strings) -> Strings:
        longest = _least(self.longest, other.longest)
        return Strings(max(self.shortest, other.shortest), longest, self.patterns | other.patterns)


@dataclass(frozen=True, slots=True)
class Row:
    """`prefixItems` and `items` of one schema."""

    owner: Part
    prefix: int
    has_rest: bool

    def at(self, index: int) -> Part | None:
        """The schema of the item at an index; None: anything."""
        if index < self.prefix:
            return child(self.owner, "prefixItems", index)
        return child(self.owner, "items") if self.has_rest else None


@dataclass(frozen=True, slots=True)
class Count:
    """`contains` with its bounds."""

    part: Part
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Arrays:
    """Lengths and items of arrays."""

    shortest: int = 0
    longest: int | None = None
    unique: bool = False
    rows: tuple[Row, ...] = ()
    counts: tuple[Count, ...] = ()

    @property
    def width(self) -> int:
        """From this index on, all items have the same schemas."""
        return max((row.prefix for row in self.rows), default=0)

    def at(self, index: int) -> Conjunction:
        """The schemas of the item at an index."""
        return tuple(part for row in self.rows if (part := row.at(index)) is not None)

    def __and__(self, other: Arrays) -> Arrays:
        shortest, longest = max(self.shortest, other.shortest), _least(self.longest, other.longest)
        unique = self.unique or other.unique
        return Arrays(shortest, longest, unique, self.rows + other.rows, self.counts + other.counts)


@dataclass(frozen=True, slots=True)
class Shape:
    """`properties`, `patternProperties` and `additionalProperties` of one schema."""

    owner: Part
    properties: Mapping[str, Any]
    patterns: tuple[str, ...]
    has_rest: bool

    @property
    def closed(self) -> bool:
        """Whether no other names than those of `properties` are allowed."""
        return self.has_rest and not self.patterns and self.owner.schema["additionalProperties"] is False

    def known_at(self, name: str | None) -> Part | None:
        """A schema that holds for the property surely, for `None` one of another name; which patterns match is open."""
        if name is not None and name in self.properties:
            return child(self.owner, "properties", name)
        return child(self.owner, "additionalProperties") if self.has_rest and not self.patterns else None

    def possible_at(self, name: str | None) -> Conjunction:
        """All schemas that can hold for the property."""
        parts = [child(self.owner, "patternProperties", pattern) for pattern in self.patterns]
        if name is not None and name in self.properties:
            parts.append(child(self.owner, "properties", name))
        elif self.has_rest:
            parts.append(child(self.owner, "additionalProperties"))
        return tuple(parts)


@dataclass(frozen=True, slots=True)
class Objects:
    """Sizes, names and properties of objects."""

    fewest: int = 0
    most: int | None = None
    required: frozenset[str] = frozenset()
    shapes: tuple[Shape, ...] = ()
    names: Conjunction = ()

    @property
    def allowed(self) -> frozenset[str] | None:
        """The names that there may be; None: any."""
        allowed: frozenset[str] | None = None
        for shape in self.shapes:
            if shape.closed:
                allowed = frozenset(shape.properties) if allowed is None else allowed & shape.properties.keys()
        return allowed

    def at(self, name: str | None) -> Conjunction:
        """Schemas that hold for a property, for `None` one that no schema names."""
        return tuple(part for shape in self.shapes if (part := shape.known_at(name)) is not None)

    def __and__(self, other: Objects) -> Objects:
        fewest, most = max(self.fewest, other.fewest), _least(self.most, other.most)
        required = self.required | other.required
        return Objects(fewest, most, required, self.shapes + other.shapes, self.names + other.names)


Limits: TypeAlias = Numbers | Strings | Arrays | Objects


@dataclass(frozen=True, slots=True)
class Extra:
    """A keyword of a schema that narrows a branch in a way that limits cannot say (`not`, `oneOf`, `if`, …)."""

    keyword: str
    owner: Part


class Branch(NamedTuple):  # as many as parts
    """Values of one type. Those that the `parts` accept: everything else here follows from them."""

    kind: Kind
    parts: Conjunction
    #: None for null and boolean.
    limits: Limits | None
    #: The only values there can be, by their key; null and booleans have them always.
    values: Mapping[Any, Any] | None
    extras: tuple[Extra, ...] = ()


def merge(one: Branch, other: Branch) -> Branch | None:
    """What is in both branches of one kind; None when they list no common value."""
    values = one.values
    if values is None:
        values = other.values
    elif other.values is not None:
        values = {key: value for key, value in values.items() if key in other.values}
        if not values:
            return None
    limits: Limits | None
    match one.limits, other.limits:
        case (
            (Numbers() as a, Numbers() as b)
            | (Strings() as a, Strings() as b)
            | (Arrays() as a, Arrays() as b)
            | (Objects() as a, Objects() as b)
        ):
            limits = a & b  # type: ignore[operator]
        case _:
            limits = None
    return Branch(one.kind, one.parts + other.parts, limits, values, one.extras + other.extras)


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
