"""The node type `control.subflow`: runs another workflow as if it were one node."""

from __future__ import annotations

from typing import Final

from flowcore.values import Value
from flowruntime.authoring import Body, Child, ChildEnd, Container, Context, Node, Ports, node

from flownodes_control.failing import child_failure, error_of

__all__ = ["Subflow"]

_DAY_MS: Final = 24 * 3_600_000
#: The port of a workflow that declares no outputs.
_OUTPUT: Final = "output"


@node(
    "control.subflow",
    title="Subflow",
    description="Runs another workflow as one node. What the node is given are that workflow's inputs, checked against "
    "those it declares; each of its `outputs` is a port here, and one that declares none gives all at the port "
    "`output`. When it fails, the node fails with its error. The timeout is a day, because it bounds the workflow as a "
    "whole.",
    category="Control",
    inputs=Ports(rule="signature", pointer="/workflow"),
    outputs=Ports(rule="signature", pointer="/workflow"),
    config={
        "type": "object",
        "properties": {
            "workflow": {
                "type": ["object", "string"],
                "x-workflow": True,
                "title": "Workflow",
                "description": 'The workflow: a document, a name of the library, or {"file": path}.',
            }
        },
        "required": ["workflow"],
        "additionalProperties": False,
    },
    timeout_ms=_DAY_MS,
    effects="pure",
    examples=[
        {
            "title": "A workflow with an interface",
            "config": {
                "workflow": {
                    "name": "Greet",
                    "inputs": {
                        "type": "object",
                        "properties": {"name": {"type": "string"}, "word": {"type": "string", "default": "Hello"}},
                        "required": ["name"],
                    },
                    "nodes": [
                        {
                            "id": "n",
                            "node_type": "debug.noop",
                            "inputs": {"text": "${{ input.word }}, ${{ input.name }}!"},
                        }
                    ],
                    "outputs": {"greeting": "${{ nodes.n.text }}"},
                }
            },
            "inputs": {"name": "Ada"},
            "outputs": {"greeting": "Hello, Ada!"},
        }
    ],
)
class Subflow(Node):
    """One child."""

    async def execute(self, ctx: Context) -> Container:
        """Begin."""
        return _OneChild(ctx.config["workflow"], ctx.inputs)


class _OneChild(Container):
    """The workflow, once."""

    __slots__ = ("_body", "_inputs", "_is_started", "_outputs")

    def __init__(self, body: Body, inputs: dict[str, Value]) -> None:
        self._body = body
        self._inputs = inputs
        self._is_started = False
        self._outputs: dict[str, Value] | None = None

    def next(self) -> Child | None:
        """The child, at the first call."""
        if self._is_started:
            return None
        self._is_started = True
        return Child(body=self._body, index=None, inputs=self._inputs)

    def ended(self, end: ChildEnd) -> None:
        """Take what it gave. Raises NodeError with its error when it failed."""
        if end.status != "succeeded":
            error = error_of(end)
            name = self._body.name or self._body.workflow.name
            raise child_failure(
                f"The workflow {name!r}", error, details={"node_id": error.get("node_id"), "error": error}
            )
        if self._body.workflow.outputs is not None and isinstance(end.outputs, dict):
            self._outputs = end.outputs
        else:
            self._outputs = {_OUTPUT: end.outputs}

    def outputs(self) -> dict[str, Value] | None:
        """The child's outputs by port, once it has ended."""
        return self._outputs
