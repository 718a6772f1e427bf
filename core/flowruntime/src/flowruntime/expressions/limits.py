"""Keeps an evaluation within its limits: counts its steps, and weighs what it makes before that grows.

A value that only passes through is free, however large: it is handed on by reference. What an expression makes (lists,
objects, texts) weighs one for each element, and what is in it a second time weighs all it holds: `[@, @] | [@, @] | …`
costs no memory here, and doubles with each step for whoever writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = ["LIMITS", "UNLIMITED", "LimitReached", "Limits", "Meter"]

#: How many characters or elements a function reads or makes in one step.
_WORK_PER_STEP: Final = 64
#: Shorter texts weigh one.
_LONG_TEXT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one evaluation may do and make."""

    #: Visits of a part of the expression, plus one for every 64 characters or elements that functions go through.
    steps: int = 100_000
    #: Elements of a list or object with all that is in it, or characters of a text.
    size: int = 1024 * 1024


LIMITS: Final = Limits()
UNLIMITED: Final = Limits(steps=2**62, size=2**62)


class LimitReached(Exception):  # noqa: N818 - it says what happened
    """An evaluation did or made too much; `code`, the reason as the end of a sentence, and a remedy."""

    def __init__(self, reason: str, *, code: str, remedy: str) -> None:
        self.reason = reason
        self.code = code
        self.remedy = remedy
        super().__init__(reason)


class Meter:
    """What one evaluation has done and made so far."""

    __slots__ = ("kept", "limits", "steps_left", "weights")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.steps_left = limits.steps
        #: Weight by identity: what was made and is in nothing yet has that of its making, below 0; what is in something
        #: once has 0, until it is there again and is measured.
        self.weights: dict[int, int] = {}
        #: Keeps what was weighed alive, so that no other object gets its identity.
        self.kept: list[Any] = []

    def work(self, amount: int) -> None:
        """Count the steps of going through so many characters or elements. Raises LimitReached."""
        self.spend(amount // _WORK_PER_STEP)

    def spend(self, steps: int) -> None:
        """Count so many steps. Raises LimitReached."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise self.too_many_steps()

    def compare(self, left: Any, right: Any) -> None:
        """Count the steps of comparing two values. Raises LimitReached."""
        if isinstance(left, list | dict | str) and isinstance(right, list | dict | str) and left is not right:
            self.work(min(self.measure(left), self.measure(right)))

    def room(self, size: int) -> None:
        """Raise LimitReached unless a text of so many characters, or a list of so many elements, may be made."""
        if size > self.limits.size:
            raise LimitReached(
                f"it makes more than the limit of {self.limits.size:,} characters or elements".replace(",", " "),
                code="expression.too_large",
                remedy="Take less data at a time, or leave this to a node.",
            )

    def made(self, value: Any) -> Any:
        """Weigh a list or object that the expression has made; gives it back. Raises LimitReached."""
        weight = 1
        for item in value.values() if isinstance(value, dict) else value:
            weight += self._weight(item)
        self.room(weight)
        self.weighs(value, weight)
        return value

    def weighs(self, value: Any, weight: int) -> None:
        """Remember the weight of a list or object that has been made."""
        self.weights[id(value)] = -weight
        self.kept.append(value)

    def measure(self, value: Any) -> int:
        """The weight of a value with all that is in it, as far as it matters: one more than the limit at most."""
        most = self.limits.size + 1
        weight, waiting = 0, [value]
        while waiting and weight < most:
            item = waiting.pop()
            if isinstance(item, str):
                weight += max(1, len(item))
                continue
            weight += 1
            if isinstance(item, dict):
                waiting.extend(item.values())
            elif isinstance(item, list):
                if len(item) > most:
                    return most
                waiting.extend(item)
        return min(weight, most)

    def too_many_steps(self) -> LimitReached:
        """The error of an evaluation that goes on for too long."""
        return LimitReached(
            f"it takes more than the limit of {self.limits.steps:,} steps".replace(",", " "),
            code="expression.too_many_steps",
            remedy="Take less data at a time, or leave this to a node.",
        )

    def _weight(self, item: Any) -> int:
        if isinstance(item, str):
            if len(item) <= _LONG_TEXT:
                return 1
        elif not isinstance(item, list | dict):
            return 1
        known = self.weights.get(id(item))
        if known is None:
            self.weights[id(item)] = 0
            self.kept.append(item)
            return 1
        if known < 0:
            self.weights[id(item)] = 0
            return -known
        if known == 0:
            known = self.weights[id(item)] = self.measure(item)
            self.work(known)
        return known
