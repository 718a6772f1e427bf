"""A compiled bare expression, as a node gets it from a config field marked `x-expression`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcore.values import Value

__all__ = ["DataExpression", "Expression", "is_true"]


class Expression:
    """A JMESPath expression that the node evaluates when it wants, compiled when the workflow was loaded."""

    __slots__ = ("_search", "text")

    def __init__(self, text: str, search: Callable[[Any], Value]) -> None:
        self.text = text
        self._search = search

    def __call__(self, root: Value) -> Value:
        """The value of the expression for this root. Raises NodeError when it cannot be evaluated."""
        return self._search(root)

    def is_true(self, root: Value) -> bool:
        """Whether the value counts as true in JMESPath."""
        return is_true(self._search(root))

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


class DataExpression(Expression):
    """A bare expression whose root is a value of the node's choice, so that its names are the data's own."""

    __slots__ = ()


def is_true(value: Value) -> bool:
    """JMESPath's truth: false are null, false, and empty strings, arrays and objects. The number 0 is true.

    >>> is_true(0), is_true([])
    (True, False)
    """
    return value is not None and value is not False and value not in ("", [], {})
