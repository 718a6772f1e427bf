"""The workflows that a runtime knows by name: what nodes run by name, and what follows a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.values import did_you_mean, show
from flowcore.workflows import Workflow

from flowruntime.plan import Checked, Library
from flowruntime.runtime.documents import Document
from flowruntime.runtime.reviewing import Reviewed, review

__all__ = ["Added", "Seen", "WorkflowLibrary"]

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A workflow that was added, and what was found in it: warnings, and in a draft errors."""

    stored: StoredWorkflow
    problems: tuple[Problem, ...]


class Seen(NamedTuple):
    """What the store had under some names when `changes` was its number of changes."""

    changes: int
    found: Mapping[str, StoredWorkflow | None]


class WorkflowLibrary:
    """Workflows by id and by name, in a store that other processes may change. Used from the loop's thread.

    Running executions keep the workflows that they began with. A store that keeps a database is read in the calling
    thread; it must be open.
    """

    def __init__(
        self,
        store: LibraryStore,
        *,
        check: Callable[[Document, Library], Checked],
        changed: Callable[[frozenset[str]], None] | None = None,
    ) -> None:
        self._store = store
        self._check = check
        #: Told the names under which something else is found from now on.
        self._changed = changed
        #: What was found by name when the store had this number of changes, or later.
        self._found: dict[str, StoredWorkflow] = {}
        self._changes: int | None = None

    # --- adding and removing ------------------------------------------------------------------------

    def add(self, document: Document) -> Workflow:
        """Add a workflow as the next version of its id. It may name itself.

        Raises WorkflowInvalid with all its problems; names that it refers to must be there.
        """
        return self.add_all([document])[0]

    def add_all(self, documents: Iterable[Document]) -> tuple[Workflow, ...]:
        """Add workflows that may name each other: all of them, or none.

        Raises WorkflowInvalid with the problems of the first one that cannot run.
        """
        return tuple(_whole(added.stored) for added in self.put_all(documents))

    def put(self, document: Document, *, draft: bool = False, expected: int | None = None) -> Added:
        """Add a workflow; with `draft` it may have errors, and becomes a draft then, which does not run.

        `expected` is its latest version as the caller knows it, 0 for none. Raises StoreError, `workflow.conflict`,
        when it is another one, and WorkflowInvalid for errors: in a draft for those that would get lost.
        """
        return self.keep(self.review([document])[0], draft=draft, expected=expected)

    def put_all(self, documents: Iterable[Document], *, draft: bool = False) -> tuple[Added, ...]:
        """`put` for workflows that may name each other. Raises before anything is added."""
        reviewed = self.review(documents)
        for one in reviewed:
            one.require(draft=draft)
        return tuple([self.keep(one, draft=draft) for one in reviewed])

    def review(self, documents: Iterable[Document]) -> list[Reviewed]:
        """What `put_all` would find in these documents. Adds nothing."""
        return review(documents, self._check, lambda workflows: _Shelf(self, workflows))

    def keep(self, reviewed: Reviewed, *, draft: bool = False, expected: int | None = None) -> Added:
        """Add what was reviewed, as `put` does."""
        workflow = reviewed.require(draft=draft)
        stored = self._store.put(workflow, draft=not reviewed.is_valid, expected=expected)
        self.refresh()
        return Added(stored=stored, problems=reviewed.problems)

    def remove(self, name: str) -> Workflow | None:
        """Remove what `get` finds, with all its versions, and return it.

        Workflows that name it cannot be started any more.
        """
        stored = self.find(name) or self._store.get(name)
        if stored is None or not self._store.remove(stored.id):
            return None
        self.refresh()
        return stored.workflow

    # --- finding ------------------------------------------------------------------------------------

    def get(self, name: str) -> Workflow | None:
        """The workflow of that id, else the oldest one of that name; None when there is neither. Drafts are no use."""
        stored = self.find(name)
        return None if stored is None else stored.workflow

    def find(self, name: str) -> StoredWorkflow | None:
        """What `get` finds, with its version."""
        self.refresh()
        return self.known(name)

    def names(self) -> tuple[str, ...]:
        """Everything that `get` finds a workflow for: ids, then names."""
        listed = [stored for stored in self._listed() if not stored.is_draft or self.known(stored.id) is not None]
        return tuple(dict.fromkeys([*(stored.id for stored in listed), *(stored.name for stored in listed)]))

    def __iter__(self) -> Iterator[Workflow]:
        """All workflows by id, each as it runs; drafts as they are."""
        for listed in list(self._listed()):
            stored = self.find(listed.id) or self._store.get(listed.id)
            if stored is not None:  # nobody has removed it meanwhile
                yield _whole(stored)

    def __len__(self) -> int:
        return sum(1 for _ in self._listed())

    # --- following the store ------------------------------------------------------------------------

    def refresh(self) -> None:
        """See what others have changed. What is found by name stays the same until this is called again."""
        self.take(self.look())

    def look(self, name: str | None = None) -> Seen:
        """What the store has now under the names that were asked for before, and under this one. For any thread."""
        changes = self._store.changes()
        names = tuple(self._found) if changes != self._changes else ()
        if name is not None and (changes != self._changes or name not in self._found):
            names = (*names, name)
        return Seen(changes, {name: self._store.find(name) for name in names})

    def take(self, seen: Seen) -> None:
        """Find from now on what `look` has seen, unless something later was seen already."""
        if self._changes is not None and seen.changes < self._changes:
            return
        self._changes = seen.changes
        changed: set[str] = set()
        for name, stored in seen.found.items():
            before = self._found.get(name)
            if stored is not None:
                self._found[name] = stored
            elif before is not None:
                del self._found[name]
            if before is not None and (stored is None or _identity(stored) != _identity(before)):
                changed.add(name)
        if changed and self._changed is not None:
            self._changed(frozenset(changed))

    def known(self, name: str) -> StoredWorkflow | None:
        """What is found by that name since the latest `refresh`."""
        stored = self._found.get(name)
        if stored is None:
            stored = self._store.find(name)
            if stored is not None:
                self._found[name] = stored
        return stored

    def require(self, name: str) -> tuple[Workflow, int]:
        """The document and the version of what is known by that name.

        Raises WorkflowInvalid when there is nothing, or a draft only.
        """
        stored = self.known(name)
        if stored is None:
            problem = self._missing(name)
            raise WorkflowInvalid([problem], problem.message)
        return _whole(stored), stored.version

    def documents(self, names: Iterable[str]) -> dict[str, Workflow]:
        """The documents that are known by these names."""
        return {name: _whole(stored) for name in names if (stored := self.known(name)) is not None}

    def shelf(self) -> Library:
        """What nodes of one document may run: the library as it is when the first of them is asked for."""
        return _Shelf(self, {})

    # --- inside -------------------------------------------------------------------------------------

    def _listed(self) -> Iterator[StoredWorkflow]:
        after = None
        while page := self._store.list(after=after, limit=_PAGE):
            yield from page
            after = page[-1].id

    def _missing(self, name: str) -> Problem:
        if any(name in (stored.id, stored.name) for stored in self._listed()):
            return Problem(
                code="workflow.draft",
                pointer="",
                message=f"The workflow {name!r} is a draft, and does not run.",
                remedy="Correct its problems, and add it again.",
            )
        return Problem(
            code="workflow.unknown",
            pointer="",
            message=f"There is no workflow {show(name)} in the library.",
            remedy=did_you_mean(name, self.names()) or "Add it first; a document's own text begins with '{'.",
        )


class _Shelf:
    """A Library that stays the same while a document is checked: workflows by id, over those of a WorkflowLibrary."""

    def __init__(self, library: WorkflowLibrary, over: Mapping[str, Workflow]) -> None:
        self._library = library
        self._over = over
        self._is_fresh = False

    def get(self, name: str) -> Workflow | None:
        """By id, else by name."""
        if name in self._over:
            return self._over[name]
        if not self._is_fresh:
            self._is_fresh = True
            self._library.refresh()
        stored = self._library.known(name)
        if stored is not None and stored.id not in self._over:
            return stored.workflow
        # None yet, or one that is about to be replaced, and may have another name then.
        return next((workflow for workflow in self._over.values() if workflow.name == name), None)

    def names(self) -> tuple[str, ...]:
        """Ids, then names."""
        over = [*self._over, *(workflow.name for workflow in self._over.values())]
        return tuple(dict.fromkeys([*self._library.names(), *over]))


def _identity(stored: StoredWorkflow) -> tuple[str, int, int]:
    """What is the same for the same document: versions never change, and begin anew when a workflow was removed."""
    return stored.id, stored.version, stored.created_us


def _whole(stored: StoredWorkflow) -> Workflow:
    assert stored.workflow is not None  # noqa: S101 - only lists leave it out
    return stored.workflow
