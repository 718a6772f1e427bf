"""Documents inside documents: what may stand in a config field that is marked `x-workflow`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flowcore.documents.reading import read_object
from flowcore.errors import Problem
from flowcore.values import FrozenDict
from flowcore.workflows import NodeId, Workflow

__all__ = ["file_of", "read_body"]


def file_of(value: Any) -> str | None:
    """The path in a body of the form `{"file": PATH}`, which stands for the document in that file.

    >>> file_of({"file": "shout.json"})
    'shout.json'
    """
    if isinstance(value, dict) and value.keys() == {"file"} and isinstance(value["file"], str):
        return value["file"]
    return None


def read_body(value: Any, node_id: NodeId, outer_vars: FrozenDict, problems: list[Problem]) -> Workflow | None:
    """The document that stands in the config of a node; pointers of problems begin at it, unsorted.

    It is called after the node unless it says a name, and has the vars of the document around it with its own on
    top. None when it cannot be read; with errors among the problems it must not be run. Its JSON must have been
    held to the limits together with that of the document around it.
    """
    workflow = read_object(value, problems, default_name=f"{node_id} body")
    if workflow is None or not outer_vars:
        return workflow
    return replace(workflow, vars=FrozenDict({**outer_vars, **workflow.vars}))
