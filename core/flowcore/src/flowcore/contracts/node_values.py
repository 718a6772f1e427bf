"""What nodes keep across executions: `ctx.store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["ValueStore"]


class ValueStore(Protocol):
    """JSON texts by scope and key. A scope is a node of a workflow; keys are its own affair.

    Texts are canonical (sorted keys, no spaces), so that equal values have equal texts.
    """

    def get(self, scope: str, key: str) -> str | None:
        """The text, None when there is none."""
        ...

    def put(self, scope: str, key: str, text: str | None) -> None:
        """Keep a text in place of what was there; None removes it."""
        ...

    def compare_and_set(self, scope: str, key: str, expected: str | None, text: str | None) -> bool:
        """Keep a text if `expected` is what is there now, None for nothing; whether it was."""
        ...

    def keys(self, scope: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[str]:
        """Keys that begin with `prefix`, in order, from the first one behind `after`."""
        ...
