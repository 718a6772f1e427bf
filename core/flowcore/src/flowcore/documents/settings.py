"""Reads the settings of a document: how the whole workflow runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flowcore.errors import Problem
from flowcore.policies import ContinueOnError, RetryWorkflow, StopWorkflow, WorkflowOnError
from flowcore.values import ObjectReader, show
from flowcore.workflows import Settings

__all__ = ["read_settings"]


def read_settings(value: Any, problems: list[Problem]) -> Settings:
    """The settings; a field that could not be read has its default."""
    reader = ObjectReader(value, "/settings", problems, what="The settings", known=_FIELDS.keys())
    return Settings(**reader.read(_FIELDS), extensions=reader.finish())


def _read_parallel(reader: ObjectReader) -> int | None:
    most: int | None = None  # null is no limit
    if reader.any("max_parallel_nodes") is not None:
        most = reader.integer("max_parallel_nodes", 10, minimum=1)
    return most


def _read_on_error(reader: ObjectReader) -> WorkflowOnError:
    value = reader.any("on_error", "StopWorkflow")
    match value:
        case "StopWorkflow":
            return StopWorkflow()
        case "ContinueOnError":
            return ContinueOnError()
        case {"RetryWorkflow": policy}:
            form = ObjectReader(value, "/settings/on_error", reader.problems, what="This form of 'on_error'")
            form.any("RetryWorkflow")
            form.finish(extensions=False)
            inner = ObjectReader(policy, "/settings/on_error/RetryWorkflow", reader.problems, what="'RetryWorkflow'")
            again = RetryWorkflow(max_attempts=inner.integer("max_attempts", 3, minimum=1))
            inner.finish(extensions=False)
            return again
        case _:
            forms = '"StopWorkflow", "ContinueOnError" or {"RetryWorkflow": {"max_attempts": 3}}'
            reader.problem("on_error", f"'on_error' must be one of three forms, not {show(value)}.", f"Write {forms}.")
            return StopWorkflow()


_FIELDS: Final[dict[str, Callable[[ObjectReader], Any]]] = {
    "max_execution_time_ms": lambda settings: settings.number("max_execution_time_ms", None, minimum=1),
    "max_parallel_nodes": _read_parallel,
    "on_error": _read_on_error,
    "on_error_workflow": lambda settings: settings.text("on_error_workflow", None, empty=False),
    "concurrency": lambda settings: settings.integer("concurrency", None, minimum=1),
    "priority": lambda settings: settings.integer("priority", None),
    "placement": lambda settings: settings.text("placement", None, empty=False),
}
