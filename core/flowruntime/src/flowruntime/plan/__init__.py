"""Plans: workflow documents checked against the installed node types and compiled for running."""

from flowruntime.plan.checking import Checked, check_workflow, require_plan
from flowruntime.plan.closure import Library
from flowruntime.plan.documents import TypeSource
from flowruntime.plan.model import Plan, PlannedNode
from flowruntime.plan.schemas import SchemaCache

__all__ = [
    "Checked",
    "Library",
    "Plan",
    "PlannedNode",
    "SchemaCache",
    "TypeSource",
    "check_workflow",
    "require_plan",
]
