"""Reads a whole workflow document, and finds everything that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flowcore.documents.graph import MAX_CONNECTIONS, MAX_NODES, read_connection, read_node
from flowcore.documents.order import sort_problems
from flowcore.documents.settings import read_settings
from flowcore.documents.source import json_of
from flowcore.documents.structure import check_structure
from flowcore.documents.triggers import read_trigger
from flowcore.errors import Problem, ProblemList, WorkflowInvalid
from flowcore.schemas import Schema
from flowcore.values import REQUIRED, FrozenDict, ObjectReader, freeze, kind_of, show
from flowcore.workflows import Settings, Workflow, WorkflowId

__all__ = ["ReadWorkflow", "parse_workflow", "read_object", "read_workflow"]

_EMPTY: Final = FrozenDict()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWorkflow:
    """A document as far as it could be read, and what is wrong with it.

    `workflow` is there when every node and connection has its place in it, so that their indexes are those of
    the document and more can be said about it; ids, types and ports that could not be read are `""`. It may
    be run only when no problem has the severity `error`.
    """

    workflow: Workflow | None
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is a workflow and no error; warnings may remain."""
        return self.workflow is not None and all(problem.severity != "error" for problem in self.problems)


def parse_workflow(source: str | bytes | dict[str, Any], *, allow_draft: bool = False) -> Workflow:
    """The workflow of a document without errors; raises WorkflowInvalid with all problems otherwise.

    >>> parse_workflow({"name": "Two words", "nodes": [{"id": "a", "node_type": "debug.noop"}]}).id
    'two-words'
    """
    read = read_workflow(source, allow_draft=allow_draft)
    if read.workflow is None or not read.valid:
        raise WorkflowInvalid(read.problems)
    return read.workflow


def read_workflow(source: str | bytes | dict[str, Any], *, allow_draft: bool = False) -> ReadWorkflow:
    """Read a document from its text, or from decoded JSON, which is held to the same limits. Never raises.

    All structural problems come at once in the order of the document. A draft may have no nodes. What depends
    on node types is checked by `flowcore.validation`.
    """
    value, unreadable = json_of(source)
    if unreadable:
        return ReadWorkflow(workflow=None, problems=tuple(sort_problems(unreadable)))
    problems = ProblemList()
    workflow = read_object(value, problems, allow_draft=allow_draft)
    return ReadWorkflow(workflow=workflow, problems=tuple(sort_problems(problems.told())))


def read_object(
    value: Any, problems: list[Problem], *, allow_draft: bool = False, default_name: str | None = None
) -> Workflow | None:
    """The workflow of decoded JSON that is within the limits; None as in ReadWorkflow. Problems are not sorted.

    A document must have a name unless there is a default.
    """
    reader = ObjectReader(value, "", problems, what="A workflow")
    if not reader.readable:
        return None
    name = reader.text("name", REQUIRED if default_name is None else default_name, empty=False) or ""
    workflow_id = reader.text("id", None, empty=False) or _slug(name)
    description = reader.text("description", None)
    inputs = _read_inputs(reader.any("inputs"), problems)
    variables = reader.object("vars", None) or _EMPTY
    outputs = reader.object("outputs", None)
    settings = read_settings(reader.any("settings"), problems) if reader.has("settings") else Settings()
    reader.any("settings")
    node_items = _items(reader, "nodes", MAX_NODES, required=True)
    connection_items = _items(reader, "connections", MAX_CONNECTIONS)
    trigger_items = reader.items("triggers", [])
    extensions = reader.finish()
    if node_items == [] and not allow_draft:
        reader.problem("nodes", "A workflow needs at least one node.", "Add a node.", code="document.empty")
    triggers = tuple([read_trigger(item, index, problems) for index, item in enumerate(trigger_items)])
    # Both are read even when the other is unreadable: all problems come at once.
    nodes = tuple([read_node(item, index, problems) for index, item in enumerate(node_items or ())])
    connections = tuple([read_connection(item, index, problems) for index, item in enumerate(connection_items or ())])
    if node_items is None or connection_items is None:
        return None
    check_structure(nodes, connections, triggers, problems)
    return Workflow(
        id=WorkflowId(workflow_id),
        name=name,
        description=description,
        inputs=inputs,
        vars=variables,
        nodes=nodes,
        connections=connections,
        triggers=triggers,
        outputs=outputs,
        settings=settings,
        extensions=extensions,
    )


def _items(reader: ObjectReader, name: str, most: int, *, required: bool = False) -> list[Any] | None:
    """The array of that name; None when it is none, or has too many elements to read them."""
    value = reader.any(name)
    if not isinstance(value, list) and (required or reader.has(name)):
        reader.items(name)  # says what is wrong
        return None
    items: list[Any] = value or []
    if len(items) > most:
        reader.problem(
            name,
            f"The workflow has {len(items):,} {name}, the limit is {most:,}.",
            "Split it into several workflows.",
            code="document.limit",
        )
        return None
    return items


def _read_inputs(schema: Any, problems: list[Problem]) -> Schema | None:
    """The schema of the execution inputs, looked at as far as the names of the inputs depend on it."""
    if schema is None or isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping):
        problems.append(
            _schema_problem(
                "/inputs",
                f"'inputs' must be a JSON Schema, not {kind_of(schema)}.",
                'Write {"type": "object", "properties": {…}}.',
            )
        )
        return None
    if schema.get("type", "object") != "object":
        problems.append(
            _schema_problem(
                "/inputs/type",
                f"The inputs of a workflow are an object; the schema's 'type' is {show(schema['type'])}.",
                'Write "object".',
            )
        )
    properties = schema.get("properties", _EMPTY)
    if not isinstance(properties, Mapping):
        problems.append(
            _schema_problem(
                "/inputs/properties",
                f"'properties' must be an object of schemas, not {kind_of(properties)}.",
                'Write {"name": {"type": …}}.',
            )
        )
        return None
    frozen: FrozenDict = freeze(schema)
    return frozen


def _schema_problem(pointer: str, message: str, remedy: str) -> Problem:
    return Problem(code="document.schema", pointer=pointer, message=message, remedy=remedy)


def _slug(name: str) -> str:
    """The id of a workflow that has none: its name in lower case, words joined by hyphens."""
    return re.sub(r"[\W_]+", "-", name.lower()).strip("-") or "workflow"
