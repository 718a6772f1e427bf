"""The plugin with the functions of Flownodes itself, which come in as those of any other."""

from __future__ import annotations

from flowruntime.expressions.functions import choices, dates, encodings, numbers, texts
from flowruntime.hooks import ExpressionFunction, hookimpl

__all__ = ["expression_functions"]


@hookimpl
def expression_functions() -> list[ExpressionFunction]:
    """All functions of Flownodes."""
    return [*choices.FUNCTIONS, *numbers.FUNCTIONS, *texts.FUNCTIONS, *dates.FUNCTIONS, *encodings.FUNCTIONS]
