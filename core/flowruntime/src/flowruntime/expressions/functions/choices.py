"""Functions that choose between values, and evaluate only the one that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from flowcore.values import Value

from flowruntime.authoring.expressions import is_true
from flowruntime.authoring.functions import ExpressionFunction

__all__ = ["FUNCTIONS"]

_Later: TypeAlias = Callable[[], Value]


def _iif(condition: _Later, then: _Later, otherwise: _Later) -> Value:
    return then() if is_true(condition()) else otherwise()


def _default(value: _Later, fallback: _Later) -> Value:
    given = value()
    return fallback() if given is None else given


FUNCTIONS: Final = (
    ExpressionFunction(
        name="iif",
        function=_iif,
        arguments=((), (), ()),
        is_lazy=True,
        description="The second value if the first is true, as JMESPath has it, else the third.",
    ),
    ExpressionFunction(
        name="default",
        function=_default,
        arguments=((), ()),
        is_lazy=True,
        description="The first value, or the second when the first is null or absent.",
    ),
)
