"""The node type `control.merge`: waits for several branches and brings their values together."""

from __future__ import annotations

from flowruntime.authoring import Context, FatalNodeError, Node, Port, Value, node

__all__ = ["Merge"]


@node(
    "control.merge",
    title="Merge",
    description="Waits for everything connected to `values` and brings together what came; branches that "
    "were skipped are left out.",
    category="Control",
    inputs=[
        Port(
            name="values",
            required=True,
            multiple=True,
            description="What to bring together; takes any number of connections.",
        )
    ],
    outputs=[
        Port(
            name="merged",
            schema={"type": ["array", "object"]},
            description="All values: an array in the order of the connections, or an object.",
        )
    ],
    config={
        "type": "object",
        "properties": {
            "as": {
                "enum": ["list", "object"],
                "default": "list",
                "title": "As",
                "description": "`list`: an array in the order of the document's connections; `object`: an "
                "object, each value named by the id of the node that it comes from.",
            }
        },
        "additionalProperties": False,
    },
    effects="pure",
    examples=[{"title": "A list", "config": {}, "inputs": {"values": [1, "b"]}, "outputs": {"merged": [1, "b"]}}],
)
class Merge(Node):
    """All values as one."""

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Bring the values together. Raises FatalNodeError for an object of values that no node gave."""
        values: list[Value] = ctx.inputs["values"]
        if ctx.config.get("as", "list") == "list":
            return {"merged": values}
        sources = ctx.sources("values")
        if len(sources) != len(values):
            raise FatalNodeError(
                "The values of 'values' come from no connections, so there are no node ids to name them by.",
                code="merge.no_sources",
                remedy="Connect 'values' to nodes, or set `as` to 'list'.",
            )
        merged = dict(zip(sources, values, strict=True))
        if len(merged) < len(values):
            twice = ", ".join(sorted({repr(name) for name in sources if sources.count(name) > 1}))
            ctx.events.warning(
                f"Several values come from {twice}; the object keeps the last of each. `as: list` keeps all."
            )
        return {"merged": merged}
