"""The inputs of an execution as the command line and the API take them."""

from __future__ import annotations

from typing import Any

from flowcore.documents.order import sort_problems
from flowcore.documents.source import check_json
from flowcore.errors import Problem, ProblemList
from flowcore.values import Json, kind_of, untag_object

__all__ = ["read_execution_inputs"]


def read_execution_inputs(value: Json, pointer: str = "") -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Execution inputs from decoded JSON: an object, whose values may be tagged or refer to Blobs.

    Returns the inputs by name, and what is wrong with them; with problems the inputs are not fit for a run.
    `pointer` is where the value stands in the document that it came in.

    >>> read_execution_inputs({"url": {"type": "String", "value": "/zen"}, "limit": 3})
    ({'url': '/zen', 'limit': 3}, ())
    """
    problems = ProblemList()
    inputs = check_json(value, pointer, problems)
    if not problems and not isinstance(inputs, dict):
        problems.append(
            Problem(
                code="inputs.type",
                pointer=pointer,
                message=f"The inputs of an execution must be an object, not {kind_of(inputs)}.",
                remedy='Write {"name": value, …}.',
            )
        )
    if problems:
        return {}, tuple(problems)
    plain = untag_object(inputs, pointer, problems)
    return plain, tuple(sort_problems(problems.told())) if problems else ()
