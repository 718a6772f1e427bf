"""What arrays and objects within some limits have in common with those within others."""

from __future__ import annotations

from typing import Any, Final, Protocol

from flowcore.compatibility.branches import Arrays, Count, Objects, Shape
from flowcore.compatibility.parts import Conjunction, Finding, Part
from flowcore.compatibility.sameness import same_keywords

__all__ = ["array_clash", "array_gap", "object_clash", "object_gap"]

_STRING: Final = Part({"type": "string"}, {}, "", "source")


class _Prover(Protocol):
    """What decides about the items and properties: see `proving`."""

    def within(self, source: Conjunction, target: Conjunction) -> Finding | None: ...
    def nothing_in(self, parts: Conjunction) -> Finding | None: ...
    def accepts(self, part: Part, value: Any) -> bool | None: ...


def array_gap(prover: _Prover, mine: Arrays, theirs: Arrays) -> Finding | None:
    """What keeps some array of `mine` from being one of `theirs`."""
    if theirs.shortest > mine.shortest:
        return _finding(f"it can have fewer than {theirs.shortest} items")
    if theirs.longest is not None and (mine.longest is None or mine.longest > theirs.longest):
        return _finding(f"it can have more than {theirs.longest} items")
    if theirs.unique and not mine.unique and (mine.longest is None or mine.longest > 1):
        return _finding("it can hold the same item twice")
    for index in _places(max(mine.width, theirs.width), mine.longest):
        target = theirs.at(index)
        if target and (gap := prover.within(mine.at(index), target)):
            return gap
    for count in theirs.counts:
        if gap := _count_gap(prover, mine, count):
            return gap
    return None


def array_clash(prover: _Prover, arrays: Arrays) -> Finding | None:
    """Why there is no array within the limits; None when there may be one."""
    if arrays.longest is not None and arrays.shortest > arrays.longest:
        return _finding(f"at least {arrays.shortest} items are more than {arrays.longest}")
    for index in _places(arrays.width, arrays.shortest):
        if clash := prover.nothing_in(arrays.at(index)):
            return clash
    for count in arrays.counts:
        if count.most is not None and count.least > count.most:
            return _finding(f"at least {count.least} of such items are more than {count.most}")
        if arrays.longest is not None and count.least > arrays.longest:
            return _finding(f"at least {count.least} of such items are more than {arrays.longest}")
        places = _places(arrays.width, arrays.longest)
        if count.least and all(prover.nothing_in((*arrays.at(index), count.part)) for index in places):
            return _finding("no item can be one that it must contain")
    return None


def object_gap(prover: _Prover, mine: Objects, theirs: Objects) -> Finding | None:
    """What keeps some object of `mine` from being one of `theirs`."""
    if missing := theirs.required - mine.required:
        return _finding(f"its property {min(missing)!r} may be absent")
    if theirs.fewest > max(mine.fewest, len(mine.required)):
        return _finding(f"it can have fewer than {theirs.fewest} properties")
    allowed = mine.allowed
    if theirs.most is not None:
        most = [size for size in (mine.most, None if allowed is None else len(allowed)) if size is not None]
        if not most or min(most) > theirs.most:
            return _finding(f"it can have more than {theirs.most} properties")
    for part in theirs.names:
        if allowed is not None and all(prover.accepts(part, name) for name in allowed):
            continue
        if prover.within((*mine.names, _STRING), (part,)):
            return Finding(None, part.pointer, "its properties may have names that are not accepted")
    for shape in theirs.shapes:
        if (gap := _shape_gap(prover, mine, shape, allowed)) and not _same_shape(mine, shape):
            return gap
    return None


def object_clash(prover: _Prover, objects: Objects) -> Finding | None:
    """Why there is no object within the limits; None when there may be one."""
    fewest = max(objects.fewest, len(objects.required))
    if objects.most is not None and fewest > objects.most:
        return _finding(f"at least {fewest} properties are more than {objects.most}")
    allowed = objects.allowed
    if allowed is not None:
        if missing := objects.required - allowed:
            return _finding(f"the property {min(missing)!r} is required here, and not allowed there")
        if fewest > len(allowed):
            return _finding(f"at least {fewest} properties are more than the {len(allowed)} that are allowed")
    for name in sorted(objects.required):
        if any(prover.accepts(part, name) is False for part in objects.names):
            return _finding(f"the property {name!r} is required, and its name not accepted")
        if clash := prover.nothing_in(objects.at(name)):
            return clash
    return None


def _count_gap(prover: _Prover, mine: Arrays, count: Count) -> Finding | None:
    gap = Finding(None, count.part.pointer, "it may contain too few or too many such items")
    counted = [own for own in mine.counts if not prover.within((own.part,), (count.part,))] if count.least else []
    if count.least > max((own.least for own in counted), default=0):
        if mine.shortest < count.least:
            return gap
        if any(prover.within(mine.at(index), (count.part,)) for index in _places(mine.width, mine.longest)):
            return gap
    if count.most is None or (mine.longest is not None and mine.longest <= count.most):
        return None
    for own in mine.counts:
        if own.most is not None and own.most <= count.most and not prover.within((count.part,), (own.part,)):
            return None
    return gap


def _shape_gap(prover: _Prover, mine: Objects, shape: Shape, allowed: frozenset[str] | None) -> Finding | None:
    names: dict[str | None, None] = dict.fromkeys(shape.properties)
    if shape.patterns or shape.has_rest:
        for own in mine.shapes:
            names.update(dict.fromkeys(own.properties))
    if allowed is None:
        names[None] = None  # any other
    for name in names:
        target = shape.possible_at(name)
        if not target or (allowed is not None and name not in allowed):
            continue
        if gap := prover.within(mine.at(name), target):
            if name is None and shape.closed:
                return Finding(None, None, "it can have properties that are not allowed")
            return gap
    return None


def _same_shape(mine: Objects, shape: Shape) -> bool:
    """Whether the same keywords hold already: which patterns match need not be known then."""
    keywords = ("properties", "patternProperties", "additionalProperties")
    return any(same_keywords(own.owner, shape.owner, keywords) for own in mine.shapes if own.patterns)


def _places(width: int, length: int | None) -> range:
    """One index for each item that may have schemas of its own, up to the first of all the others."""
    return range(width + 1 if length is None else min(width + 1, length))


def _finding(why: str) -> Finding:
    return Finding(None, None, why)
