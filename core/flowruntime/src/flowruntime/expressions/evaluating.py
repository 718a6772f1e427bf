"""Evaluates a checked expression, and turns whatever goes wrong into a node's error that names no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from flowcore.errors import FatalNodeError, InstallationError, NodeError
from flowcore.values import NotAValue, Value

from flowruntime.authoring.functions import MOMENT, FunctionError, Moment
from flowruntime.expressions.analysis import Analysis
from flowruntime.expressions.limits import LIMITS, LimitReached, Limits
from flowruntime.expressions.parsing import shown

__all__ = ["EvaluationFailed", "Search", "search_of"]

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

_REMEDY: Final = "Check the types of the values it uses."

#: Gives the value of an expression for its root.
Search: TypeAlias = Callable[[Any], Value]


class EvaluationFailed(FatalNodeError):  # noqa: N818 - it says what happened
    """An expression cannot be evaluated; `column` (from 0) is that of the call at fault, if it was one."""

    def __init__(self, message: str, *, code: str, remedy: str, column: int | None) -> None:
        self.column = column
        super().__init__(message, code=code, remedy=remedy)


def search_of(
    text: str,
    analysis: Analysis,
    where: str = "",
    *,
    number: int = 0,
    moment: Moment | None = None,
    limits: Limits = LIMITS,
) -> Search:
    """What evaluates the expression that stands at the pointer `where`, as the one of this number.

    It raises EvaluationFailed, and the NodeError or InstallationError that the root itself raises. `moment` is what
    `now()` and `uuid()` answer from for roots that hold none under MOMENT.
    """
    if analysis.path is not None:
        return _search_by_path(analysis.path)
    from flowruntime.expressions.interpreting import Evaluation

    def begin(root: Any) -> Evaluation:
        given = root.get(MOMENT, moment) if type(root) is dict else moment
        return Evaluation(limits, given, f"{where}:{number}")

    return _search_by_tree(text, analysis, where, begin)


def _search_by_path(path: tuple[str, ...]) -> Search:
    def follow(root: Any) -> Value:
        try:
            for name in path:
                root = root.get(name)
        except AttributeError:  # no object
            return None
        return root

    return follow


def _search_by_tree(text: str, analysis: Analysis, where: str, begin: Callable[[Any], Any]) -> Search:
    tree = analysis.tree

    def evaluate(root: Any) -> Value:
        evaluation = begin(root)
        try:
            return evaluation.visit(tree, root)
        except (NodeError, InstallationError):  # a secret is missing, or the key that opens it
            raise
        except Exception as error:  # noqa: BLE001 - jmespath lets bare ValueErrors, TypeErrors and others through
            # Not chained: the message of jmespath's error holds the value, which may be a secret.
            raise _failure(text, where, evaluation.failed_at, error) from None

    return evaluate


def _failure(text: str, where: str, column: int | None, error: Exception) -> EvaluationFailed:
    from flowruntime.expressions.interpreting import WrongArgument

    code, remedy = "expression.failed", _REMEDY
    match error:
        case LimitReached():
            code, reason, remedy = error.code, error.reason, error.remedy
        case WrongArgument():
            reason, remedy = _wrong_argument(error)
        case FunctionError():
            name = _name_at(text, column)
            reason, remedy = f"{name}() {error.reason}", error.remedy
        case NotAValue():
            name = _name_at(text, column)
            reason, remedy = f"{name}() gives what is no value ({error})", error.remedy
        case _:
            reason = _reason(error)
    place = "" if column is None else f" at column {column}"
    field = f" in {where}" if where else ""
    return EvaluationFailed(
        f"The expression {shown(text)}{field} failed{place}: {reason}.", code=code, remedy=remedy, column=column
    )


def _name_at(text: str, column: int | None) -> str:
    return text[column or 0 :].partition("(")[0].strip()


def _wrong_argument(error: Any) -> tuple[str, str]:
    """The reason, and what to write."""
    got = _PYTHON_NAMES.get(error.got, error.got)
    place = f" as argument {error.place}" if error.place else ""
    reason = f"{error.function}() takes {' or '.join(error.wanted)}{place}, and got {got}"
    if got == "null":
        return reason, "Say what stands for it where it is null: default(VALUE, 'text')."
    if error.wanted == ["string"]:
        return reason, "Make it a text: to_string(VALUE)."
    if error.wanted == ["number"] and got == "string":
        return reason, "Make it a number: to_number(VALUE)."
    return reason, _REMEDY


def _reason(error: Exception) -> str:
    from jmespath.exceptions import JMESPathError, JMESPathTypeError

    if isinstance(error, JMESPathTypeError):  # what a & of sort_by and others gives
        wanted = " or ".join(str(kind) for kind in error.expected_types)
        got = _PYTHON_NAMES.get(error.actual_type, error.actual_type)
        return f"{error.function_name}() takes {wanted}, and got {got}"
    if isinstance(error, JMESPathError) or not isinstance(error, ArithmeticError | TypeError | ValueError):
        return type(error).__name__
    return str(error) or type(error).__name__
