"""The node type `time.delay`: hands on what comes in, later."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flowruntime.authoring import Context, Node, Ports, Value, Wait, node

__all__ = ["Delay"]

_DELAY_MS: Final = 1000
#: No execution lives longer than a year.
_LONGEST_MS: Final = 365 * 24 * 3_600_000


@node(
    "time.delay",
    title="Delay",
    description="Waits, then hands everything that came in on under the same names.",
    category="Time",
    inputs=Ports(rule="any"),
    outputs=Ports(rule="any", passthrough=True),
    config={
        "type": "object",
        "properties": {
            "delay_ms": {
                "type": "number",
                "minimum": 0,
                "maximum": _LONGEST_MS,
                "default": _DELAY_MS,
                "title": "Delay",
                "description": "How long to wait, in milliseconds, up to a year.",
            }
        },
        "additionalProperties": False,
    },
    effects="pure",
    examples=[
        {
            "title": "A tenth of a second",
            "config": {"delay_ms": 100},
            "inputs": {"value": 1},
            "outputs": {"value": 1},
        }
    ],
)
class Delay(Node):
    """Waits without holding a slot or a task."""

    async def execute(self, ctx: Context) -> dict[str, Value] | Wait:
        """Everything that came in, after the delay."""
        if ctx.woken is None:
            return Wait(until=ctx.now() + timedelta(milliseconds=ctx.config.get("delay_ms", _DELAY_MS)))
        return ctx.inputs
