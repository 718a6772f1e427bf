"""The error tree: what people and machines are told."""

from __future__ import annotations

import inspect
import json

import pytest
from flowcore import errors
from flowcore.errors import (
    FatalNodeError,
    FlowError,
    InstallationError,
    NodeError,
    PackError,
    Problem,
    RetryableNodeError,
    WorkflowInvalid,
)


def problem(pointer: str, severity: errors.Severity = "error") -> Problem:
    return Problem(severity=severity, code="a.b", pointer=pointer, message="It is wrong.", remedy="Mend it.")


def test_every_error_has_a_default_message_code_and_belongs_to_the_tree() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert len(kinds) == 10
    for kind in kinds:
        assert issubclass(kind, FlowError)
        assert (kind.__doc__ or "").splitlines()[0].endswith(".")
        assert kind.__name__ in (errors.__doc__ or "")


def test_an_error_says_cause_and_remedy_to_people_and_machines() -> None:
    error = FlowError("The disk is full.", code="store.full", remedy="Make room.")
    assert str(error) == "The disk is full. Make room."
    assert error.to_json() == {"code": "store.full", "message": "The disk is full.", "remedy": "Make room."}
    assert str(InstallationError()).startswith("This installation cannot do what was asked. `flow nodes`")


def test_an_invalid_workflow_names_its_first_error_and_counts_the_others() -> None:
    error = WorkflowInvalid([problem("/a", "warning"), problem("/b"), problem("/c")])
    assert error.message == "The workflow is not valid at /b: It is wrong. (and 1 more)"
    assert [entry["pointer"] for entry in json.loads(json.dumps(error.to_json()))["problems"]] == ["/a", "/b", "/c"]
    assert WorkflowInvalid([problem("")]).message == "The workflow is not valid: It is wrong."
    assert WorkflowInvalid([]).message == "The workflow is not valid."


def test_a_problem_is_one_line_with_place_and_code() -> None:
    assert str(problem("/a")) == "/a: It is wrong. Mend it. [a.b]"
    assert str(problem("")).startswith("the document: ")


def test_only_a_fatal_failure_of_a_node_is_not_retried() -> None:
    assert (NodeError.retryable, RetryableNodeError.retryable, FatalNodeError.retryable) == (True, True, False)
    error = RetryableNodeError("Busy.", details={"status": 503}, retry_after_seconds=2.5)
    assert (error.details, error.retry_after_seconds) == ({"status": 503}, 2.5)


def test_a_pack_error_names_its_pack() -> None:
    with pytest.raises(PackError) as caught:
        raise PackError("It raised.", pack="flownodes-x")
    assert (caught.value.pack, caught.value.code) == ("flownodes-x", "pack.broken")
