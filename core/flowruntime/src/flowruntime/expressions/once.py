"""Evaluates one expression that stands in no document, as `flow eval` does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from flowcore.errors import Problem
from flowcore.values import Value, write_json

from flowruntime.authoring.functions import Moment
from flowruntime.expressions.analysis import analyse, warnings_of
from flowruntime.expressions.evaluating import EvaluationFailed, search_of
from flowruntime.expressions.parsing import ExpressionError
from flowruntime.expressions.templates import OPEN, TemplateError, split_template

__all__ = ["evaluate_once"]


def evaluate_once(
    text: str, data: Value, moment: Moment | None = None, *, problems: list[Problem] | None = None
) -> Value:
    """The value of a bare expression whose root is the data, or of a text with `${{ … }}` whose root `input` is.

    What is told of expressions that can be used is added to `problems`. Raises ExpressionError, and EvaluationFailed;
    their columns count in the whole text.

    >>> evaluate_once("name", {"name": "Ada"}), evaluate_once("Hello ${{ input.name }}", {"name": "Ada"})
    ('Ada', 'Hello Ada')
    """
    told = [] if problems is None else problems

    def evaluate(one: str, roots: Collection[str] | None, root: Value, number: int = 0) -> Value:
        analysis = analyse(one, roots)
        told.extend(warnings_of(analysis, ""))
        return search_of(one, analysis, number=number, moment=moment)(root)

    if OPEN not in text:
        return evaluate(text, None, data)
    try:
        parts = split_template(text)
    except TemplateError as error:
        raise ExpressionError(
            str(error), code="expression.syntax", remedy="Close it with '}}', or write '$${{' for the text."
        ) from None
    values: list[Value] = []
    position = 0
    for number, part in enumerate(parts):
        if isinstance(part, str):
            values.append(part)
            continue
        position = text.index(part.text, text.index(OPEN, position) + len(OPEN))

        ask = partial(evaluate, part.text, {"input"}, {"input": data}, number)
        values.append(_moved(position, ask))
        position += len(part.text)
    return values[0] if len(values) == 1 else "".join(map(_as_text, values))


def _moved(columns: int, ask: Callable[[], Any]) -> Value:
    """What the expression gives that stands so many columns further to the right."""
    try:
        return ask()
    except (ExpressionError, EvaluationFailed) as fault:
        if fault.column is not None:
            fault.column += columns
        raise


def _as_text(value: Value) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else write_json(value)
