"""The node type `control.if`: sends a value one of two ways."""

from __future__ import annotations

from typing import Annotated, Any

from flowruntime.authoring import Context, Expression, Port, Value, is_true, node

__all__ = ["if_"]


@node(
    "control.if",
    title="If",
    description="Sends a value on to `true` or to `false`, whichever the condition says; what follows the "
    "other port is skipped.",
    category="Control",
    outputs=[
        Port(name="true", description="The value, when the condition holds."),
        Port(name="false", description="The value, when it does not."),
    ],
    effects="pure",
    examples=[
        {
            "title": "By a condition",
            "config": {"condition": "inputs.value.total > `100`"},
            "inputs": {"value": {"total": 120}},
            "outputs": {"true": {"total": 120}},
        },
        {"title": "By the value itself", "config": {}, "inputs": {"value": []}, "outputs": {"false": []}},
    ],
)
def if_(
    ctx: Context,
    value: Annotated[Any, "What is sent on, null when nothing comes in."] = None,
    *,
    condition: Annotated[
        Expression | None,
        "A JMESPath expression over `inputs`, `input`, `vars` and `run`, such as inputs.value > `5`. "
        "Without one the value itself decides. False are null, false and empty texts, arrays and objects.",
    ] = None,
) -> dict[str, Value]:
    """Decide. Raises NodeError when the condition cannot be evaluated."""
    holds = is_true(value) if condition is None else condition.is_true(ctx.scope)
    return {"true": value} if holds else {"false": value}
