"""What numbers and strings within some limits have in common with those within others."""

from __future__ import annotations

import math
from typing import Final

from flowcore.compatibility.branches import Numbers, Strings
from flowcore.compatibility.parts import Finding

__all__ = ["FRACTION", "number_clash", "number_gap", "string_clash", "string_gap"]


FRACTION: Final = "it can have a fraction"


def number_gap(mine: Numbers, theirs: Numbers) -> Finding | None:
    """What keeps some number of `mine` from being one of `theirs`."""
    if theirs.integer and not mine.integer and not any(isinstance(multiple, int) for multiple in mine.multiples):
        return _finding(FRACTION)
    mine, low, high = _narrowed(mine), theirs.low, theirs.high
    if low is not None and (mine.low is None or (low, theirs.low_open) > (mine.low, mine.low_open)):
        return _finding(f"it can be {low} or less" if theirs.low_open else f"it can be less than {low}")
    if high is not None and (mine.high is None or (-high, theirs.high_open) > (-mine.high, mine.high_open)):
        return _finding(f"it can be {high} or more" if theirs.high_open else f"it can be more than {high}")
    for multiple in theirs.multiples:
        if not _is_multiple(mine, multiple):
            return _finding(f"it can be no multiple of {multiple}")
    return None


def _narrowed(numbers: Numbers) -> Numbers:
    """Whole numbers with bounds that are whole and allowed themselves."""
    low, high = numbers.low, numbers.high
    if not numbers.integer or (low is None and high is None):
        return numbers
    if low is not None:
        low = math.floor(low) + 1 if numbers.low_open else math.ceil(low)
    if high is not None:
        high = math.ceil(high) - 1 if numbers.high_open else math.floor(high)
    return Numbers(integer=True, low=low, high=high, multiples=numbers.multiples)


def number_clash(numbers: Numbers) -> Finding | None:
    """Why there is no number within the limits; None when there may be one."""
    low, high = numbers.low, numbers.high
    if low is None or high is None:
        return None
    if low > high or (low == high and (numbers.low_open or numbers.high_open)):
        return _finding(f"nothing is above {low} and below {high}")
    steps = [multiple for multiple in numbers.multiples if isinstance(multiple, int)]
    if steps or numbers.integer:
        step = math.lcm(1, *steps)
        first = -(-math.ceil(low) // step) * step  # the lowest multiple that is not below
        if first == low and numbers.low_open:
            first += step
        if first > high or (first == high and numbers.high_open):
            return _finding(f"no such whole number is between {low} and {high}")
    return None


def string_gap(mine: Strings, theirs: Strings) -> Finding | None:
    """What keeps some string of `mine` from being one of `theirs`."""
    if theirs.shortest > mine.shortest:
        return _finding(f"it can have fewer than {theirs.shortest} characters")
    if theirs.longest is not None and (mine.longest is None or mine.longest > theirs.longest):
        return _finding(f"it can have more than {theirs.longest} characters")
    if unmatched := theirs.patterns - mine.patterns:
        return _finding(f"it may not match the pattern {min(unmatched)!r}")
    return None


def string_clash(strings: Strings) -> Finding | None:
    """Why there is no string within the limits; None when there may be one."""
    if strings.longest is not None and strings.shortest > strings.longest:
        return _finding(f"at least {strings.shortest} characters are more than {strings.longest}")
    return None


def _is_multiple(numbers: Numbers, multiple: float) -> bool:
    # Fractions are rounded when they are divided: only the same one proves anything.
    if isinstance(multiple, int):
        known = [number for number in numbers.multiples if isinstance(number, int)]
        return (multiple == 1 and numbers.integer) or any(number % multiple == 0 for number in known)
    return any(isinstance(number, float) and number == multiple for number in numbers.multiples)


def _finding(why: str) -> Finding:
    return Finding(None, None, why)
