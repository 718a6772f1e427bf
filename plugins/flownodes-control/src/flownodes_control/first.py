"""The node type `control.first`: hands on the first value that comes, whatever becomes of the others."""

from __future__ import annotations

from typing import Any

from flowruntime.authoring import Port, Value, node

__all__ = ["first"]


@node(
    "control.first",
    title="First",
    description="Hands on the first value that comes along any of its connections and drops the later ones; their "
    "nodes run to their ends. Skipped when no connection brings a value.",
    category="Control",
    inputs=[Port(name="value", required=True, join="first", description="The race; takes any number of connections.")],
    outputs=[Port(name="value", description="The first value that came.")],
    effects="pure",
    examples=[{"title": "Hand on", "config": {}, "inputs": {"value": "fast"}, "outputs": {"value": "fast"}}],
)
def first(value: Any) -> dict[str, Value]:
    """Hand on what came: the race was decided before."""
    return {"value": value}
