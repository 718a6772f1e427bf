"""How an attempt waits without holding a slot or a task: it returns `Wait`, and is called again with `ctx.woken`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from flowcore.values import Value

__all__ = ["Wait", "Woken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Return it from a node to be called again later, in the same attempt, with the same inputs.

    `until` is a moment with a time zone (`ctx.now() + timedelta(…)`), `signal` the name of something from outside;
    with both, whichever comes first. `reason` is for people. Nothing of the call is kept but the node's instance.
    """

    until: datetime | None = None
    signal: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.until is None and not self.signal:
            msg = "Wait needs a moment (until=…), a signal (signal='name'), or both."
            raise ValueError(msg)
        if self.until is not None and self.until.tzinfo is None:
            msg = "Wait(until=…) needs a moment with a time zone; ctx.now() gives one."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """Why a waiting attempt goes on: its time has come (`due`), or what it waited for (`signal`, `answer`: `value`)."""

    reason: Literal["due", "signal", "answer"]
    value: Value = None
