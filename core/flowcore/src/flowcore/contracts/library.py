"""Where workflows are kept by name, with all their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flowcore.workflows import Workflow

__all__ = ["LibraryStore", "StoredWorkflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorkflow:
    """A version of a workflow. Versions of an id count from 1; times in microseconds since the epoch.

    `created_us` is that of version 1, `updated_us` that of this one. A draft has problems and does not run. `is_active`
    says whether its triggers are on. `workflow` is None in lists.
    """

    id: str
    version: int
    name: str
    description: str | None
    created_us: int
    updated_us: int
    is_draft: bool = False
    is_active: bool = False
    workflow: Workflow | None = None


class LibraryStore(Protocol):
    """Workflows by id. What was put stays as it is, under its version, until the whole workflow is removed."""

    def put(self, workflow: Workflow, *, draft: bool = False, expected: int | None = None) -> StoredWorkflow:
        """Keep a workflow as the next version of its id; gives that version.

        The same document as the latest version's makes no new one, and takes the mark of a draft from that when it is
        put as none. Documents are the same when their JSON is, with the order of its keys. `expected` is the latest
        version that the caller knows, 0 for none; StoreError, `workflow.conflict`, when there is another one.
        """
        ...

    def get(self, workflow_id: str, version: int | None = None) -> StoredWorkflow | None:
        """A version of a workflow, the latest without; None when there is none."""
        ...

    def find(self, name: str) -> StoredWorkflow | None:
        """What runs under that name; None when nothing does.

        It is the latest version that is no draft, of the workflow of that id, else of the oldest one of that name. When
        the one of that id has drafts only, no other stands in for it.
        """
        ...

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[StoredWorkflow]:
        """Latest versions without their documents, by id; `after` is the last id of the page before."""
        ...

    def versions(self, workflow_id: str) -> Sequence[StoredWorkflow]:
        """All versions without their documents, the newest first."""
        ...

    def remove(self, workflow_id: str) -> bool:
        """Remove a workflow with all versions; executions keep what they run. False when there is none."""
        ...

    def activate(self, workflow_id: str, *, active: bool) -> bool:
        """Turn its triggers on or off. False when there is none."""
        ...

    def changes(self) -> int:
        """A number that grows with every change, by whatever process; cheap to ask for."""
        ...
