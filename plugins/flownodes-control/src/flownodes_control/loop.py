"""The node type `control.loop`: runs a workflow for each item of an array, a number of times, or by a condition."""

from __future__ import annotations

from typing import Any, Final

from flowcore.values import Value, kind_of
from flowruntime.authoring import Container, Context, FatalNodeError, Node, Port, Ports, node

from flownodes_control.iterations import Conditional, Counted, too_many

__all__ = ["Loop"]

_DAY_MS: Final = 24 * 3_600_000
_MOST: Final = 1_000_000
#: What the body's `input` holds by the loop's doing.
_OWN_NAMES: Final = ("item", "index", "total", "last")

_TRUTH: Final = "False are null, false and empty texts, arrays and objects."


def _only_in(mode: str, field: str, given: str) -> dict[str, Any]:
    """The rule that a field stands in configs of one mode, which must have it, and in no others."""
    return {
        "if": {"properties": {"mode": {"const": mode}}, "required": ["mode"]},
        "then": {"properties": {field: {"type": given}}, "required": [field]},
        "else": {"properties": {field: {"type": "null"}}},
    }


@node(
    "control.loop",
    title="Loop",
    description="Runs a workflow, its body, for each item of an array, a number of times, or as long as a condition "
    "says, and gives the results in the order of the items. The body's `input` holds `item`, `index` (from 0), `total` "
    "(null when it is not known) and `last` (the result that came last, null at first), and beside them every other "
    "input of the loop. The timeout is a day, because it bounds the loop as a whole.",
    category="Control",
    inputs=Ports(
        ports=(
            Port(
                name="items",
                description="What mode `for_each` goes through, an array; in other modes an input like any other.",
            ),
        ),
        rule="any",
    ),
    outputs=[
        Port(
            name="results",
            schema={"type": "array"},
            description="What the body gave for each item, by index; null for items that failed.",
        ),
        Port(
            name="errors",
            schema={"type": "array"},
            description="The items that failed, by index, each as an object of `index` and `error`.",
        ),
    ],
    config={
        "type": "object",
        "properties": {
            "mode": {
                "enum": ["for_each", "times", "while", "until"],
                "default": "for_each",
                "title": "Mode",
                "description": "`for_each`: once for each item; `times`: as often as `times` says; `while`: as long as "
                "`while` holds, asked before each iteration; `until`: until `until` holds, asked after each.",
            },
            "body": {
                "type": ["object", "string"],
                "x-workflow": True,
                "title": "Body",
                "description": "The workflow that runs each time: a document, a name of the library, or "
                '{"file": path}. What it gives out is the result.',
            },
            "times": {
                "type": ["integer", "null"],
                "minimum": 0,
                "default": None,
                "title": "Times",
                "description": "How often, in mode `times`; there `input.item` is null.",
            },
            "while": {
                "type": ["string", "null"],
                "x-expression": True,
                "default": None,
                "title": "While",
                "description": "A JMESPath expression over `inputs`, `vars`, `run` and the body's `input` of the "
                f"iteration to come, such as input.last.more. {_TRUTH}",
            },
            "until": {
                "type": ["string", "null"],
                "x-expression": True,
                "default": None,
                "title": "Until",
                "description": "The same over the `input` of the iteration that has just ended, with its own result as "
                "`last`.",
            },
            "break_when": {
                "type": ["string", "null"],
                "x-expression": True,
                "default": None,
                "title": "Break when",
                "description": "Asked after each item as `until` is, in any mode; when it holds the loop is left: no "
                "later item starts, later ones that run are cancelled and dropped, earlier ones run to their ends.",
            },
            "concurrency": {
                "type": "integer",
                "minimum": 1,
                "default": 1,
                "title": "Concurrency",
                "description": "How many items run at the same time; 1 for `while` and `until`. Among them "
                "`max_parallel_nodes` of the workflow counts as ever.",
            },
            "on_item_error": {
                "enum": ["stop", "collect"],
                "default": "stop",
                "title": "On item error",
                "description": "`stop`: the first item that fails fails the loop, and the others are cancelled; "
                "`collect`: its error goes to `errors`, and the loop goes on.",
            },
            "max_iterations": {
                "type": "integer",
                "minimum": 1,
                "maximum": _MOST,
                "default": 10_000,
                "title": "Most iterations",
                "description": "A loop that is or becomes longer fails; one whose length is known does so at once.",
            },
        },
        "required": ["body"],
        "additionalProperties": False,
        "allOf": [
            _only_in("times", "times", "integer"),
            _only_in("while", "while", "string"),
            _only_in("until", "until", "string"),
            {
                "if": {"properties": {"mode": {"enum": ["while", "until"]}}, "required": ["mode"]},
                "then": {"properties": {"concurrency": {"const": 1}}},
            },
        ],
    },
    timeout_ms=_DAY_MS,
    effects="pure",
    examples=[
        {
            "title": "For each item",
            "config": {
                "body": {
                    "name": "Price",
                    "nodes": [
                        {
                            "id": "price",
                            "node_type": "transform.jmespath",
                            "config": {"expression": "{id: item.id, net: item.price}"},
                            "inputs": {"data": "${{ input }}"},
                        }
                    ],
                    "outputs": {"line": "${{ nodes.price.result }}", "of": "${{ input.total }}"},
                },
                "concurrency": 4,
            },
            "inputs": {"items": [{"id": "a", "price": 3}, {"id": "b", "price": 5}]},
            "outputs": {
                "results": [
                    {"line": {"id": "a", "net": 3}, "of": 2},
                    {"line": {"id": "b", "net": 5}, "of": 2},
                ],
                "errors": [],
            },
        },
        {
            "title": "Until the text is long enough",
            "config": {
                "mode": "until",
                "until": "length(input.last.text) >= `3`",
                "body": {
                    "name": "One more",
                    "nodes": [
                        {
                            "id": "n",
                            "node_type": "debug.noop",
                            "inputs": {"text": "${{ input.last.text }}${{ input.mark }}"},
                        }
                    ],
                    "outputs": {"text": "${{ nodes.n.text }}"},
                },
            },
            "inputs": {"mark": "*"},
            "outputs": {"results": [{"text": "*"}, {"text": "**"}, {"text": "***"}], "errors": []},
        },
    ],
)
class Loop(Node):
    """Iterations of a body."""

    async def execute(self, ctx: Context) -> Container:
        """Begin. Raises FatalNodeError for items that are no array, for too many, and for inputs of reserved names."""
        others = dict(ctx.inputs)
        _check_names(ctx, others)
        most: int = ctx.config["max_iterations"]
        match ctx.config["mode"]:
            case "for_each":
                items = _items(others)
                if len(items) > most:
                    raise too_many(f"'items' holds {len(items)} items", most)
                return Counted(ctx, others=others, items=items, total=len(items))
            case "times":
                times = int(ctx.config["times"])  # 3.0 is an integer of JSON Schema
                if times > most:
                    raise too_many(f"`times` is {times}", most)
                return Counted(ctx, others=others, items=None, total=times)
            case _:
                return Conditional(ctx, others=others)


def _items(others: dict[str, Value]) -> list[Value]:
    """Take the items out of the inputs."""
    if "items" not in others:
        raise FatalNodeError(
            "'items' has no value: nothing is connected to it that gave one.",
            code="loop.no_items",
            remedy="Connect 'items' to an array, give it one, or set `mode` to 'times', 'while' or 'until'.",
        )
    items = others.pop("items")
    if not isinstance(items, list):
        raise FatalNodeError(
            f"'items' is {kind_of(items)}; it must be an array.",
            code="loop.no_array",
            remedy="Give it an array; of an object, transform.jmespath makes one with the expression values(@).",
        )
    return items


def _check_names(ctx: Context, others: dict[str, Value]) -> None:
    """Raise FatalNodeError for an input that is wired or written under a name that the loop gives its body itself.

    Execution inputs of these names, as the body of an outer loop has them, come along unasked and are not meant.
    """
    for name in _OWN_NAMES:
        if name in others and (ctx.sources(name) or name in ctx.workflow.node(ctx.node_id).inputs):
            raise FatalNodeError(
                f"The loop gives its body 'input.{name}' itself, so it takes no input port {name!r}.",
                code="loop.input_name",
                remedy="Give the port another name; the body finds it as `input.<name>`.",
                details={"port": name},
            )
