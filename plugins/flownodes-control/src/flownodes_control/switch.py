"""The node type `control.switch`: sends a value to the ports of the cases that fit it."""

from __future__ import annotations

from typing import Any, Final

from flowruntime.authoring import Context, FatalNodeError, Node, NodeError, Port, Ports, Value, node

__all__ = ["Switch"]

_DEFAULT: Final = "default"


@node(
    "control.switch",
    title="Switch",
    description="Sends a value on to the port of the first case that fits, or of every case that does, and to "
    "`default` when none does; what follows the other ports is skipped.",
    category="Control",
    inputs=[Port(name="value", required=True, description="What is sent on.")],
    outputs=Ports(
        ports=(Port(name=_DEFAULT, description="The value, when no case fits."),), rule="each", pointer="/cases"
    ),
    config={
        "type": "object",
        "properties": {
            "cases": {
                "type": "array",
                "minItems": 1,
                "title": "Cases",
                "description": "The cases, asked in this order. Each has an output port of its own.",
                "items": {
                    "type": "object",
                    "properties": {
                        "port": {
                            "type": "string",
                            "minLength": 1,
                            "title": "Port",
                            "description": "The output port that the value goes to when the case fits.",
                        },
                        "when": {
                            "type": "string",
                            "x-expression": True,
                            "title": "When",
                            "description": "A JMESPath expression over `inputs`, `input`, `vars` and `run`, such as "
                            "inputs.value.kind == 'order'. False are null, false and empty texts, arrays and objects.",
                        },
                    },
                    "required": ["port", "when"],
                    "additionalProperties": False,
                },
            },
            "match": {
                "enum": ["first", "all"],
                "default": "first",
                "title": "Match",
                "description": "`first`: the value goes to the first case that fits, and later ones are not asked; "
                "`all`: to every case that fits.",
            },
        },
        "required": ["cases"],
        "additionalProperties": False,
    },
    effects="pure",
    examples=[
        {
            "title": "By kind",
            "config": {
                "cases": [
                    {"port": "order", "when": "inputs.value.kind == 'order'"},
                    {"port": "refund", "when": "inputs.value.kind == 'refund'"},
                ]
            },
            "inputs": {"value": {"kind": "refund"}},
            "outputs": {"refund": {"kind": "refund"}},
        },
        {
            "title": "Every case that fits",
            "config": {
                "cases": [
                    {"port": "large", "when": "inputs.value > `100`"},
                    {"port": "huge", "when": "inputs.value > `1000`"},
                ],
                "match": "all",
            },
            "inputs": {"value": 5000},
            "outputs": {"large": 5000, "huge": 5000},
        },
        {
            "title": "When none fits",
            "config": {"cases": [{"port": "text", "when": "type(inputs.value) == 'string'"}]},
            "inputs": {"value": 3},
            "outputs": {"default": 3},
        },
    ],
)
class Switch(Node):
    """The value at the ports of the cases that fit."""

    async def execute(self, ctx: Context) -> dict[str, Value]:
        """Decide. Raises FatalNodeError when the expression of a case cannot be evaluated."""
        value, scope = ctx.inputs["value"], ctx.scope
        outputs: dict[str, Value] = {}
        for place, case in enumerate(ctx.config["cases"]):
            if _fits(case, place, scope):
                outputs[case["port"]] = value
                if ctx.config["match"] == "first":
                    break
        return outputs or {_DEFAULT: value}


def _fits(case: dict[str, Any], place: int, scope: dict[str, Value]) -> bool:
    try:
        return bool(case["when"].is_true(scope))
    except NodeError as error:
        raise FatalNodeError(
            f"The case of the port {case['port']!r} (cases[{place}].when) could not be decided: {error.message}",
            code=error.code,
            remedy=error.remedy,
            details={"case": place, "port": case["port"]},
        ) from None  # the cause says the same
