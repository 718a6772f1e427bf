"""Documents within documents under failures, waits, signals and cancels, judged by an independent model."""

from __future__ import annotations

from typing import Any

from flowcore.executions import Execution
from hypothesis import given, settings

from tests.properties.nested_model import Undetermined, check_shape, expected_outputs
from tests.properties.random_nested import Nested, nested, play


@settings(max_examples=25, deadline=None)
@given(nested())
def test_whatever_is_nested_ends_once_in_order_and_within_its_limits(trouble: Nested) -> None:
    played = play(trouble)
    assert played.tasks_left == 0
    check_shape(trouble, played)
    result = played.result
    assert Execution.fold(result.execution_id, played.log).result(result.total_nodes) == result
    try:
        status, outputs = expected_outputs(trouble)
    except Undetermined:
        return
    assert (result.status, _named(result.outputs)) == (status, outputs)


def _named(value: Any) -> Any:
    """Errors by the words that the model has for them: an error object, and the indexes of a loop's errors."""
    if isinstance(value, list):
        if value and all(isinstance(one, dict) and one.keys() == {"index", "error"} for one in value):
            return [one["index"] for one in value]
        return [_named(one) for one in value]
    if isinstance(value, dict):
        if "retryable" in value:
            return "error"
        return {key: _named(one) for key, one in value.items()}
    return value
