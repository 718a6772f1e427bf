"""The node type `control.fail`: ends the workflow as failed, with a message of its own."""

from __future__ import annotations

from typing import NoReturn

from flowruntime.authoring import Context, FatalNodeError, Node, Ports, node

__all__ = ["Fail"]

_CODE = "control.fail"


@node(
    "control.fail",
    title="Fail",
    description="Ends the workflow as failed, with a message and a code of your own. It is not tried again, neither "
    "by a retry policy nor by RetryWorkflow. Under ContinueOnError the failure is only recorded, unless the node "
    "says `on_error: stop`.",
    category="Control",
    inputs=Ports(rule="any"),
    outputs=[],
    config={
        "type": "object",
        "properties": {
            "message": {
                "type": "string",
                "minLength": 1,
                "title": "Message",
                "description": "What went wrong, in a sentence; may hold expressions such as ${{ inputs.value.id }}.",
            },
            "code": {
                "type": ["string", "null"],
                "minLength": 1,
                "default": None,
                "title": "Code",
                "description": f"What programs know the failure by, such as order.unpaid; `{_CODE}` without one.",
            },
            "details": {
                "default": None,
                "title": "Details",
                "description": "What else the error shall hold: an object; any other value stands there as `value`.",
            },
        },
        "required": ["message"],
        "additionalProperties": False,
    },
    effects="pure",
    examples=[
        {
            "title": "Say what is wrong",
            "config": {
                "message": "Order ${{ inputs.order.id }} is not paid.",
                "code": "order.unpaid",
                "details": "${{ inputs.order }}",
            },
            "inputs": {"order": {"id": 17, "paid": False}},
            "error": "order.unpaid",
        }
    ],
)
class Fail(Node):
    """Fails on purpose."""

    async def execute(self, ctx: Context) -> NoReturn:
        """Raise FatalNodeError with what the config says."""
        details = ctx.config["details"]
        if details is None:
            details = {}
        elif not isinstance(details, dict):
            details = {"value": details}
        raise FatalNodeError(
            ctx.config["message"],
            code=ctx.config["code"] or _CODE,
            remedy=f"Node {ctx.node_id!r} fails on purpose: look at what led to it.",
            details=details,
        )
