"""The workflows that a runtime knows by name: what nodes run by name, and what follows a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from flowcore.documents import read_workflow
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.workflows import Workflow

from flowruntime.plan import Checked, Library
from flowruntime.runtime.documents import Document

__all__ = ["WorkflowLibrary"]


class WorkflowLibrary:
    """Workflows in memory, one an id, in the order in which they were added. Used from the loop's thread.

    Running executions keep the workflows that they began with.
    """

    def __init__(
        self, *, check: Callable[[Document, Library], Checked], changed: Callable[[frozenset[str]], None]
    ) -> None:
        self._check = check
        #: Told the names under which something else is found from now on.
        self._changed = changed
        self._workflows: dict[str, Workflow] = {}
        self._shelf = _Shelf(self._workflows)

    def add(self, document: Document) -> Workflow:
        """Add a workflow, in place of the one with the same id. It may name itself.

        Raises WorkflowInvalid with all its problems; names that it refers to must be there.
        """
        return self.add_all([document])[0]

    def add_all(self, documents: Iterable[Document]) -> tuple[Workflow, ...]:
        """Add workflows that may name each other: all of them, or none.

        Raises WorkflowInvalid with the problems of the first one that cannot run.
        """
        given = [(document, _read(document)) for document in documents]
        together = _Shelf({**self._workflows, **{workflow.id: workflow for _, workflow in given}})
        added: list[Workflow] = []
        for document, workflow in given:
            checked = self._check(document, together)
            if checked.plan is None:
                raise _invalid(workflow, checked.problems)
            added.append(checked.plan.workflow)
        for workflow in added:
            before = self._workflows.get(workflow.id)
            self._workflows[workflow.id] = workflow
            self._tell(workflow, before)
        return tuple(added)

    def get(self, name: str) -> Workflow | None:
        """The workflow of that id, else the first one of that name; None when there is neither."""
        return self._shelf.get(name)

    def names(self) -> tuple[str, ...]:
        """Everything that `get` finds a workflow for: ids, then names."""
        return self._shelf.names()

    def remove(self, name: str) -> Workflow | None:
        """Remove what `get` finds, and return it. Workflows that name it cannot be started any more."""
        workflow = self.get(name)
        if workflow is not None:
            del self._workflows[workflow.id]
            self._tell(workflow)
        return workflow

    def __iter__(self) -> Iterator[Workflow]:
        return iter(tuple(self._workflows.values()))

    def __len__(self) -> int:
        return len(self._workflows)

    def _tell(self, *workflows: Workflow | None) -> None:
        names = {name for workflow in workflows if workflow is not None for name in (workflow.id, workflow.name)}
        self._changed(frozenset(names))


class _Shelf:
    """A Library over these workflows by id."""

    def __init__(self, workflows: Mapping[str, Workflow]) -> None:
        self._workflows = workflows

    def get(self, name: str) -> Workflow | None:
        """By id, else by name."""
        workflow = self._workflows.get(name)
        if workflow is None:
            workflow = next((other for other in self._workflows.values() if other.name == name), None)
        return workflow

    def names(self) -> tuple[str, ...]:
        """Ids, then names."""
        return tuple(dict.fromkeys([*self._workflows, *(workflow.name for workflow in self._workflows.values())]))


def _read(document: Document) -> Workflow:
    if isinstance(document, Workflow):
        return document
    read = read_workflow(document)
    if read.workflow is None:
        raise WorkflowInvalid(read.problems)
    return read.workflow


def _invalid(workflow: Workflow, problems: Iterable[Problem]) -> WorkflowInvalid:
    plain = WorkflowInvalid(problems)
    return WorkflowInvalid(plain.problems, f"The workflow {workflow.id!r} cannot be added. {plain.message}")
