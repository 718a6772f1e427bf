"""The node type `control.merge`: waits for several branches and brings their values together."""

from __future__ import annotations

from flowcore.values import kind_of
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
                "object, each value named by the id of the node that it comes from; of several values of one node it "
                "keeps the last.",
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
        """Bring the values together.

        Raises FatalNodeError when a fixed or execution input is no array, or shall be named by nodes it has not.
        """
        values = ctx.inputs["values"]
        if not isinstance(values, list):
            raise FatalNodeError(
                f"'values' has no connection that brings a value and is {kind_of(values)}; it must be an array.",
                code="merge.no_array",
                remedy="Connect 'values' to nodes, or give it an array.",
            )
        if ctx.config["as"] == "list":
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
