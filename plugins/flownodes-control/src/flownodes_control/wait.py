"""The node type `control.wait`: goes on when a signal comes from outside, or when it has waited long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flowruntime.authoring import Context, Port, Value, Wait, node

__all__ = ["wait"]

#: No execution lives longer than a year.
_LONGEST_MS: Final = 365 * 24 * 3_600_000


@node(
    "control.wait",
    title="Wait",
    description="Waits for a signal from outside, such as somebody's approval, for as long as its timeout allows. "
    "A signal that comes before the node waits for it is refused.",
    category="Control",
    inputs=[],
    outputs=[
        Port(name="value", description="What came with the signal; null after the timeout."),
        Port(name="timed_out", schema={"type": "boolean"}, description="Whether no signal came in time."),
    ],
    config={
        "type": "object",
        "properties": {
            "signal": {
                "type": "string",
                "minLength": 1,
                "x-no-secrets": True,
                "title": "Signal",
                "description": "The name of the signal; nodes that wait for the same one go on together.",
            },
            "timeout_ms": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": _LONGEST_MS,
                "default": None,
                "title": "Timeout",
                "description": "How long to wait at most, in milliseconds, up to a year; null is for ever.",
            },
        },
        "required": ["signal"],
        "additionalProperties": False,
    },
    # What comes is not the node's doing, and is another thing each time.
    effects="read",
    examples=[
        {
            "title": "A week for an approval",
            "config": {"signal": "approval", "timeout_ms": 604_800_000},
            "signals": {"approval": {"by": "Ada"}},
            "outputs": {"value": {"by": "Ada"}, "timed_out": False},
        }
    ],
)
async def wait(ctx: Context, *, signal: str, timeout_ms: float | None = None) -> dict[str, Value] | Wait:
    """Wait, then tell what came."""
    woken = ctx.woken
    if woken is None:
        until = None if timeout_ms is None else ctx.now() + timedelta(milliseconds=timeout_ms)
        return Wait(signal=signal, until=until)
    return {"value": woken.value, "timed_out": woken.reason == "due"}
