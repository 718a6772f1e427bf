"""The answer to whether the values of one schema fit another, with what people are told about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["FITS", "Answer", "Fit"]

Answer: TypeAlias = Literal["fits", "may_fit", "cannot_fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether values fit: `fits` all of them, `cannot_fit` none, `may_fit` some or it cannot be known beforehand.

    What `fits` needs no words: its texts are empty.
    """

    answer: Answer
    #: Both schemas, each as one readable line: `array of integer or null`.
    source: str = ""
    target: str = ""
    #: JSON Pointers into both schemas to the parts that decide, `""` for the whole.
    source_pointer: str = ""
    target_pointer: str = ""
    #: What stands against it, about the value at these places: `it can be null`.
    why: str = ""
    #: A way to make it fit, as one or more sentences.
    remedy: str = ""

    @property
    def message(self) -> str:
        """One sentence that names both schemas, empty when all fits.

        >>> Fit(answer="cannot_fit", source="string", target="integer", why="a string is no number").message
        'string does not fit integer: a string is no number.'
        """
        if self.answer == "fits":
            return ""
        verb = "may not fit" if self.answer == "may_fit" else "does not fit"
        return f"{self.source} {verb} {self.target}: {self.why}{self._place}."

    @property
    def _place(self) -> str:
        if not self.source_pointer and not self.target_pointer:
            return ""
        if self.source_pointer == self.target_pointer:
            return f" (at {self.source_pointer!r} of both)"
        return f" (at {self.source_pointer!r} of the first and {self.target_pointer!r} of the second)"


#: Every value fits.
FITS = Fit(answer="fits")
