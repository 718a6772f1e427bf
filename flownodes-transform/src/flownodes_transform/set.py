"""The node type `transform.set`: makes a value out of fixed parts and expressions."""

from __future__ import annotations

from flowruntime.authoring import Context, Node, Port, Ports, Value, node

__all__ = ["Set"]


@node(
    "transform.set",
    title="Set",
    description="Makes an object of the fields in its config. What comes in under any port is there for "
    "their expressions: `${{ inputs.NAME }}`.",
    category="Transform",
    inputs=Ports(rule="any"),
    outputs=[Port(name="value", schema={"type": "object"}, description="The object with all the fields.")],
    config={
        "type": "object",
        "properties": {
            "fields": {
                "type": "object",
                "default": {},
                "x-no-secrets": True,
                "title": "Fields",
                "description": "The fields by name; a text may hold `${{ expressions }}`, but no secrets.",
            }
        },
        "additionalProperties": False,
    },
    effects="pure",
    examples=[
        {
            "title": "Two fixed fields",
            "config": {"fields": {"greeting": "Hello", "retries": 3}},
            "inputs": {},
            "outputs": {"value": {"greeting": "Hello", "retries": 3}},
        }
    ],
)
class Set(Node):
    """The engine has put the values of the expressions in already."""

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """The fields as they came."""
        return {"value": ctx.config.get("fields", {})}
