"""The library of workflows of the store that keeps everything in this process. `flowcore.contracts.LibraryStore`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flowcore.contracts import StoredWorkflow
from flowcore.documents import write_workflow
from flowcore.values import write_json
from flowcore.workflows import Workflow

from flowruntime.stores.refusals import workflow_changed

__all__ = ["MemoryLibrary"]


def _wall_us() -> int:
    return time.time_ns() // 1000


@dataclass(slots=True, eq=False)
class _Entry:
    """A workflow; `versions` begin with version 1."""

    versions: list[StoredWorkflow]
    is_active: bool = False

    @property
    def latest(self) -> StoredWorkflow:
        return self.versions[-1]

    @property
    def runnable(self) -> StoredWorkflow | None:
        """The latest version that is no draft."""
        return next((version for version in reversed(self.versions) if not version.is_draft), None)


class MemoryLibrary:
    """Workflows in memory. Used from one thread."""

    def __init__(self, *, now_us: Callable[[], int] = _wall_us) -> None:
        self._now_us = now_us
        #: By id, the oldest first.
        self._entries: dict[str, _Entry] = {}
        self._changes = 0

    def put(self, workflow: Workflow, *, draft: bool = False, expected: int | None = None) -> StoredWorkflow:
        """Keep the next version."""
        entry = self._entries.get(workflow.id)
        latest = None if entry is None else entry.latest
        known = 0 if latest is None else latest.version
        if expected not in (None, known):
            raise workflow_changed(workflow.id, expected or 0, known)
        now_us = self._now_us()
        if entry is None:
            entry = self._entries[workflow.id] = _Entry([])
        elif latest is not None and _is_same(latest.workflow, workflow):
            if latest.is_draft and not draft:
                entry.versions[-1] = replace(latest, is_draft=False)
                self._changes += 1
            return self._shown(entry, entry.latest)
        entry.versions.append(
            StoredWorkflow(
                id=workflow.id,
                version=known + 1,
                name=workflow.name,
                description=workflow.description,
                created_us=now_us if latest is None else latest.created_us,
                updated_us=now_us,
                is_draft=draft,
                workflow=workflow,
            )
        )
        self._changes += 1
        return self._shown(entry, entry.latest)

    def get(self, workflow_id: str, version: int | None = None) -> StoredWorkflow | None:
        """A version of a workflow."""
        entry = self._entries.get(workflow_id)
        if entry is None:
            return None
        number = entry.latest.version if version is None else version
        return self._shown(entry, entry.versions[number - 1]) if 1 <= number <= entry.latest.version else None

    def find(self, name: str) -> StoredWorkflow | None:
        """What runs under that name."""
        entry = self._entries.get(name)
        if entry is None:
            for other in self._entries.values():
                runnable = other.runnable
                if runnable is not None and runnable.name == name:
                    return self._shown(other, runnable)
            return None
        runnable = entry.runnable
        return None if runnable is None else self._shown(entry, runnable)

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[StoredWorkflow]:
        """Latest versions by id."""
        ids = sorted(workflow_id for workflow_id in self._entries if after is None or workflow_id > after)
        entries = [self._entries[workflow_id] for workflow_id in ids[:limit]]
        return [self._shown(entry, replace(entry.latest, workflow=None)) for entry in entries]

    def versions(self, workflow_id: str) -> Sequence[StoredWorkflow]:
        """All versions, the newest first."""
        entry = self._entries.get(workflow_id)
        if entry is None:
            return []
        return [self._shown(entry, replace(version, workflow=None)) for version in reversed(entry.versions)]

    def remove(self, workflow_id: str) -> bool:
        """Remove a workflow."""
        if self._entries.pop(workflow_id, None) is None:
            return False
        self._changes += 1
        return True

    def activate(self, workflow_id: str, *, active: bool) -> bool:
        """Turn its triggers on or off."""
        entry = self._entries.get(workflow_id)
        if entry is None:
            return False
        entry.is_active = active
        self._changes += 1
        return True

    def changes(self) -> int:
        """How often something was changed."""
        return self._changes

    @staticmethod
    def _shown(entry: _Entry, version: StoredWorkflow) -> StoredWorkflow:
        return version if version.is_active == entry.is_active else replace(version, is_active=entry.is_active)


def _is_same(one: Workflow | None, other: Workflow) -> bool:
    """Whether two workflows are the same document; equal ones may differ in the order of keys, or have 1 for 1.0."""
    if one is other:
        return True
    return one == other and write_json(write_workflow(one)) == write_json(write_workflow(other))
