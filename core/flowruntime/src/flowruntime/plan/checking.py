"""From a document to a validated plan: all problems of the document at once, or the plan."""

from __future__ import annotations

from dataclasses import dataclass

from flowcore.documents import read_workflow, sort_problems, write_workflow
from flowcore.errors import Problem, ProblemList, WorkflowInvalid
from flowcore.values import Value
from flowcore.workflows import Workflow

from flowruntime.plan.closure import Closure, Library
from flowruntime.plan.documents import TypeSource
from flowruntime.plan.model import Plan
from flowruntime.plan.schemas import SchemaCache

__all__ = ["Checked", "check_workflow", "require_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document checked: its problems, and the plan when none of them is an error."""

    workflow: Workflow | None
    plan: Plan | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the workflow from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def check_workflow(
    source: str | bytes | dict[str, Value] | Workflow,
    types: TypeSource,
    schemas: SchemaCache,
    library: Library | None = None,
) -> Checked:
    """Parse, check against the installed types, and compile. Never raises for what is wrong with the document.

    Documents inside it are checked with it, and so are the workflows of the library that they name.
    """
    read = read_workflow(write_workflow(source) if isinstance(source, Workflow) else source)
    if read.workflow is None:
        return Checked(workflow=None, plan=None, problems=read.problems)
    problems = ProblemList()
    problems.extend(read.problems)
    closure = Closure(types, schemas, library)
    drafted = closure.draft(read.workflow, problems)
    told = tuple(sort_problems(problems.told()))
    broken = any(problem.severity == "error" for problem in told)
    return Checked(workflow=drafted.workflow, plan=None if broken else closure.build(drafted), problems=told)


def require_plan(checked: Checked) -> Plan:
    """The plan. Raises WorkflowInvalid with all problems when there is none."""
    if checked.plan is None:
        raise WorkflowInvalid(checked.problems)
    return checked.plan
