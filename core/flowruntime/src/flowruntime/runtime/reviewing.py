"""Looks at documents that are to be added to a library: whether they run, and what of them could be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flowcore.documents import ReadWorkflow, read_workflow, write_workflow
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.workflows import Workflow

from flowruntime.plan import Checked, Library
from flowruntime.runtime.documents import Document

__all__ = ["Reviewed", "review"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A document that is to be added, and everything that was found in it.

    `lost` are the errors of what could not be read, and would be left out of a draft without a word. Without a
    `workflow` nothing can be kept at all.
    """

    workflow: Workflow | None
    problems: tuple[Problem, ...]
    lost: tuple[Problem, ...]
    is_valid: bool

    def require(self, *, draft: bool) -> Workflow:
        """The workflow, when it may be added. Raises WorkflowInvalid otherwise."""
        if self.workflow is None or (self.lost and draft):
            name = "What was given" if self.workflow is None else f"The workflow {self.workflow.id!r}"
            raise _refusal(name, "kept as it is" if draft else "added", self.lost)
        if not self.is_valid and not draft:
            raise _refusal(f"The workflow {self.workflow.id!r}", "added", self.problems)
        return self.workflow


def review(
    documents: Iterable[Document],
    check: Callable[[Document, Library], Checked],
    together: Callable[[dict[str, Workflow]], Library],
) -> list[Reviewed]:
    """Look at documents that may name each other. `together` gives the library that there would be with them."""
    given = [(document, _read(document)) for document in documents]
    library = together({read.workflow.id: read.workflow for _, read in given if read.workflow is not None})
    made = []
    for document, read in given:
        checked = check(document, library)
        made.append(
            Reviewed(
                workflow=read.workflow,
                problems=checked.problems,
                lost=_lost(read),
                is_valid=checked.plan is not None,
            )
        )
    return made


def _read(document: Document) -> ReadWorkflow:
    if isinstance(document, Workflow):
        return ReadWorkflow(workflow=document, problems=())
    return read_workflow(document, allow_draft=True)


def _lost(read: ReadWorkflow) -> tuple[Problem, ...]:
    if read.valid or read.workflow is None:
        return read.problems if read.workflow is None else ()
    # What was left out cannot be at fault any more.
    kept = set(read_workflow(write_workflow(read.workflow), allow_draft=True).problems)
    return tuple(problem for problem in read.problems if problem.severity == "error" and problem not in kept)


def _refusal(name: str, what: str, problems: Iterable[Problem]) -> WorkflowInvalid:
    plain = WorkflowInvalid(problems)
    return WorkflowInvalid(plain.problems, f"{name} cannot be {what}. {plain.message}")
