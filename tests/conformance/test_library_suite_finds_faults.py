"""Controls of the conformance suite: a library with one of its protections switched off fails a test of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.workflows import Workflow
from flowruntime.stores.memory import library
from flowruntime.stores.memory.library import MemoryLibrary
from flowruntime.testing.stores import LibrarySuite

SUITE = LibrarySuite()


class Forgiving(MemoryLibrary):
    """Does not look at what the caller expects."""

    def put(self, workflow: Workflow, *, draft: bool = False, expected: int | None = None) -> StoredWorkflow:
        return super().put(workflow, draft=draft)


class Sloppy(MemoryLibrary):
    """Gives drafts to whoever wants to run something."""

    def find(self, name: str) -> StoredWorkflow | None:
        return self.get(name) or super().find(name)


class Changing(MemoryLibrary):
    """Keeps documents without their extensions."""

    def put(self, workflow: Workflow, *, draft: bool = False, expected: int | None = None) -> StoredWorkflow:
        return super().put(replace(workflow, extensions=type(workflow.extensions)()), draft=draft, expected=expected)


class Silent(MemoryLibrary):
    """Does not count changes."""

    def changes(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("test", "faulty"),
    [
        (SUITE.test_who_expects_another_version_is_refused_and_nothing_changes, Forgiving),
        (SUITE.test_a_draft_is_the_latest_version_and_does_not_run, Sloppy),
        (SUITE.test_a_workflow_of_which_there_are_drafts_only_is_not_found_by_name, Sloppy),
        (SUITE.test_a_document_comes_back_byte_for_byte, Changing),
        (SUITE.test_every_change_is_counted_and_looking_is_none, Silent),
    ],
)
def test_a_library_without_a_protection_fails(
    test: Callable[[LibraryStore], None], faulty: Callable[[], LibraryStore]
) -> None:
    test(MemoryLibrary())
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(faulty())


@pytest.mark.parametrize("other", [1.0, True, {"b": 1, "a": 2}])
def test_a_library_that_compares_documents_as_python_does_fails(
    monkeypatch: pytest.MonkeyPatch,
    other: Any,
) -> None:
    SUITE.test_what_is_only_nearly_the_same_is_another_version(MemoryLibrary(), other)
    monkeypatch.setattr(library, "_is_same", lambda one, another: one == another)
    with pytest.raises(AssertionError):
        SUITE.test_what_is_only_nearly_the_same_is_another_version(MemoryLibrary(), other)
