"""Arithmetic: integers are exact to 64 bit, and what would leave the numbers of JSON is an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeAlias

from flowcore.values import MAX_INTEGER, MIN_INTEGER

from flowruntime.authoring.functions import ExpressionFunction, FunctionError, JmesType

__all__ = ["FUNCTIONS", "checked_number"]

_Number: TypeAlias = int | float
_NUMBERS: Final[tuple[tuple[JmesType, ...], ...]] = (("number",), ("number",))


def _add(left: _Number, right: _Number) -> _Number:
    return left + right


def _sub(left: _Number, right: _Number) -> _Number:
    return left - right


def _mul(left: _Number, right: _Number) -> _Number:
    return left * right


def _div(left: _Number, right: _Number) -> _Number:
    """Exact when integers divide without a rest, which a float could not hold beyond 53 bit."""
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return left / right


def _mod(left: _Number, right: _Number) -> _Number:
    """With the sign of the divisor: `mod(-1, 7)` is 6, the day before the first of a week."""
    return left % right


def _calculating(name: str, rule: Callable[[_Number, _Number], _Number], description: str) -> ExpressionFunction:
    def calculate(left: _Number, right: _Number) -> _Number:
        try:
            result = rule(left, right)
        except ZeroDivisionError:
            raise FunctionError("divides by zero", "Check the divisor first: iif(b == `0`, …, …).") from None
        except OverflowError:  # an integer that is too large for a float
            raise _beyond("the range of numbers") from None
        return checked_number(result)

    return ExpressionFunction(name=name, function=calculate, arguments=_NUMBERS, description=description)


def checked_number(number: _Number) -> _Number:
    """The number itself. Raises FunctionError for one that is no value."""
    if isinstance(number, int):
        if not MIN_INTEGER <= number <= MAX_INTEGER:
            raise _beyond("64 bit")
    elif math.isnan(number):
        raise FunctionError("gives NaN, which is no number of JSON", "Check the text it reads.")
    elif math.isinf(number):
        raise _beyond("the range of numbers")
    return number


def _beyond(what: str) -> FunctionError:
    return FunctionError(f"gives a number beyond {what}", "Keep such numbers as texts.")


FUNCTIONS: Final = (
    _calculating("add", _add, "The sum of two numbers."),
    _calculating("sub", _sub, "The first number less the second."),
    _calculating("mul", _mul, "The product of two numbers."),
    _calculating("div", _div, "The first number divided by the second; an integer when nothing is left over."),
    _calculating("mod", _mod, "What is left over; it has the sign of the divisor."),
)
