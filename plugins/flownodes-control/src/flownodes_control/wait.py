"""The node type `control.wait`: goes on when a signal comes from outside, or when it has waited long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from flowruntime.authoring import Context, Port, Value, Wait, node

__all__ = ["wait"]


@node(
    "control.wait",
    title="Wait",
    description="Waits for a signal from outside, such as somebody's approval, for as long as its timeout allows.",
    category="Control",
    inputs=[],
    outputs=[
        Port(name="value", description="What came with the signal; null after the timeout."),
        Port(name="timed_out", schema={"type": "boolean"}, description="Whether no signal came in time."),
    ],
    effects="pure",
)
async def wait(
    ctx: Context,
    *,
    signal: Annotated[str, "The name of the signal."],
    timeout_ms: Annotated[float | None, "How long to wait at most, in milliseconds; null is for ever."] = None,
) -> dict[str, Value] | Wait:
    """Wait, then tell what came."""
    woken = ctx.woken
    if woken is None:
        until = None if timeout_ms is None else ctx.now() + timedelta(milliseconds=timeout_ms)
        return Wait(signal=signal, until=until)
    return {"value": woken.value, "timed_out": woken.reason == "due"}
