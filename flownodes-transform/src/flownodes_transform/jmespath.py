"""The node type `transform.jmespath`: takes from data what a JMESPath expression says."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from flowruntime.authoring import DataExpression, Value, node

__all__ = ["jmespath"]


class Result(TypedDict):
    """The outputs."""

    result: Annotated[Value, "What the expression gives; null where it finds nothing."]


@node(
    "transform.jmespath",
    title="JMESPath",
    description="Selects, filters and reshapes data by a JMESPath expression, whose root is the data itself.",
    category="Transform",
    effects="pure",
    examples=[
        {
            "title": "Names of the active ones",
            "config": {"expression": "users[?active].name"},
            "inputs": {"data": {"users": [{"name": "Ada", "active": True}, {"name": "Bob", "active": False}]}},
            "outputs": {"result": ["Ada"]},
        },
        {
            "title": "A new shape",
            "config": {"expression": "{count: length(@), first: [0]}"},
            "inputs": {"data": ["a", "b"]},
            "outputs": {"result": {"count": 2, "first": "a"}},
        },
    ],
)
def jmespath(
    data: Annotated[Any, "The value that the expression is asked of."],
    *,
    expression: Annotated[DataExpression, "The expression, such as `items[?price > `10`].name`."],
) -> Result:
    """Evaluate the expression on the data. Raises NodeError when that is not possible."""
    return {"result": expression(data)}
