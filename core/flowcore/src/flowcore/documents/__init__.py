"""Workflow documents: JSON to immutable objects with all problems at once, and back without loss."""

from flowcore.documents.bodies import file_of, read_body
from flowcore.documents.differences import Difference, differences
from flowcore.documents.graph import MAX_CONNECTIONS, MAX_NODES
from flowcore.documents.inputs import read_execution_inputs
from flowcore.documents.json_schema import document_schema
from flowcore.documents.order import sort_problems
from flowcore.documents.reading import ReadWorkflow, parse_workflow, read_workflow
from flowcore.documents.writing import write_workflow

__all__ = [
    "MAX_CONNECTIONS",
    "MAX_NODES",
    "Difference",
    "ReadWorkflow",
    "differences",
    "document_schema",
    "file_of",
    "parse_workflow",
    "read_body",
    "read_execution_inputs",
    "read_workflow",
    "sort_problems",
    "write_workflow",
]
