"""Evaluates a checked expression, and turns whatever goes wrong into a node's error that names no value."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from flowcore.errors import FatalNodeError, NodeError
from flowcore.values import NotAValue, Value, check_value

from flowruntime.expressions.analysis import Analysis
from flowruntime.expressions.parsing import shown

__all__ = ["Search", "search_of"]

#: jmespath calls the elements of arrays by the names that Python has for them.
_PYTHON_NAMES: Final = {
    "NoneType": "null",
    "bool": "boolean",
    "dict": "object",
    "float": "number",
    "int": "number",
    "list": "array",
    "str": "string",
}

#: Gives the value of an expression for its root.
Search: TypeAlias = Callable[[Any], Value]


def search_of(text: str, analysis: Analysis) -> Search:
    """What evaluates the expression. It raises FatalNodeError, and whatever NodeError the root itself raises."""
    return _search_by_tree(text, analysis) if analysis.path is None else _search_by_path(analysis.path)


def _search_by_path(path: tuple[str, ...]) -> Search:
    def follow(root: Any) -> Value:
        try:
            for name in path:
                root = root.get(name)
        except AttributeError:  # no object
            return None
        return root

    return follow


def _search_by_tree(text: str, analysis: Analysis) -> Search:
    visit, tree, calculates = _interpreter().visit, analysis.tree, analysis.calculates

    def evaluate(root: Any) -> Value:
        try:
            value = visit(tree, root)
            if calculates:
                check_value(value)
        except NodeError:
            raise
        except Exception as error:  # noqa: BLE001 - jmespath lets bare ValueErrors, TypeErrors and others through
            # Not chained: the message of jmespath's error holds the value, which may be a secret.
            raise FatalNodeError(
                f"The expression {shown(text)} failed: {_reason(error)}.",
                code="expression.failed",
                remedy="Check the types of the values it uses.",
            ) from None
        return value

    return evaluate


@cache
def _interpreter() -> Any:
    from jmespath.visitor import Options, TreeInterpreter

    from flowruntime.expressions.functions import ExpressionFunctions

    return TreeInterpreter(Options(custom_functions=ExpressionFunctions()))


def _reason(error: Exception) -> str:
    from jmespath.exceptions import JMESPathError, JMESPathTypeError

    if isinstance(error, JMESPathTypeError):
        wanted = " or ".join(str(kind) for kind in error.expected_types)
        return (
            f"{error.function_name}() takes {wanted}, and got {_PYTHON_NAMES.get(error.actual_type, error.actual_type)}"
        )
    if isinstance(error, NotAValue):
        return f"the result is no value ({error})"
    if isinstance(error, JMESPathError) or not isinstance(error, ArithmeticError | TypeError | ValueError):
        return type(error).__name__
    return str(error) or type(error).__name__
