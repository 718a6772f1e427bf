"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from flowruntime.testing.suite.subject import PackSubject, TypeSubject

__all__ = ["Check", "Finding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: with which node type (`""`: with the pack), at which place of it, and what to do."""

    check: str
    type: str = ""
    place: str
    message: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """The finding as `flow pack check --json` gives it."""
        return {
            "check": self.check,
            "type": self.type,
            "place": self.place,
            "message": self.message,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        where = ", ".join(filter(None, (self.type, self.place)))
        return f"{where}: {self.message} {self.remedy} [{self.check}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A finding before it is known whose it is."""

    place: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A rule of one name, about the pack as a whole or about each of its types to which it applies."""

    name: str
    #: What is asked for, as a sentence.
    asks: str
    of_pack: Callable[[PackSubject], AsyncIterator[Fault]] | None = None
    of_type: Callable[[TypeSubject], AsyncIterator[Fault]] | None = None
    applies: Callable[[TypeSubject], bool] = lambda subject: True  # noqa: ARG005 - most apply to all
