"""The node type `debug.noop`: hands on what comes in."""

from __future__ import annotations

from flowruntime.authoring import Ports, Value, node

__all__ = ["noop"]


@node(
    "debug.noop",
    title="No Operation",
    description="Hands everything that comes in on under the same names: a place where wires meet.",
    category="Debug",
    inputs=Ports(rule="any"),
    outputs=Ports(rule="any", passthrough=True),
    effects="pure",
    examples=[{"title": "Two ports", "config": {}, "inputs": {"a": 1, "b": "x"}, "outputs": {"a": 1, "b": "x"}}],
)
def noop(**ports: Value) -> dict[str, Value]:
    """Everything that came in."""
    return ports
