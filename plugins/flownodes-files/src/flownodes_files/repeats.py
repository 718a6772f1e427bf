"""Tells whether what an attempt does not find any more may be the work of one before it."""

from __future__ import annotations

from typing import Final

from flowruntime.authoring import Context

__all__ = ["may_be_done", "note_missing"]

_MISSING: Final = "missing_at"


def may_be_done(ctx: Context) -> bool:
    """Whether an attempt before this one may have done the work: it was killed, say, before it could tell.

    Not when the one before has looked, too, and there was nothing.
    """
    seen = ctx.state.get(_MISSING, 0)
    return ctx.attempt - 1 > (seen if isinstance(seen, int) else 0)


def note_missing(ctx: Context) -> None:
    """Remember that there was nothing to work on in this attempt, which fails for it."""
    ctx.state[_MISSING] = ctx.attempt
