"""The library of a database, as commands use it: opened for a while, asked for by ids and names that people write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.values import did_you_mean, show
from flowruntime.stores import default_url, store_for

from flowcli.usage import UsageError

__all__ = ["find_workflow", "open_library", "unknown_workflow"]

_PAGE = 1000


@contextmanager
def open_library(url: str | None, *, read_only: bool = False) -> Iterator[LibraryStore]:
    """The library of the database, the default one without a URL. Raises StoreError when it cannot be used."""
    store = store_for(url or default_url(), read_only=read_only)
    store.open()
    try:
        yield store.workflows
    finally:
        store.close()


def find_workflow(library: LibraryStore, name: str, version: int | None = None) -> StoredWorkflow:
    """The workflow of that id, else of that name, drafts included; the latest version without one.

    Raises UsageError when there is none.
    """
    latest = library.get(name) or library.find(name)
    if latest is None:
        raise unknown_workflow(library, name)
    if version is None:
        # A name is that of the version that runs, behind which there may be a draft.
        return library.get(latest.id) or latest
    found = library.get(latest.id, version)
    if found is None:
        newest = library.versions(latest.id)[0].version
        raise UsageError(
            f"The workflow {show(latest.id)} has no version {version}.",
            code="workflow.unknown_version",
            remedy=f"Its versions are 1 to {newest}.",
        )
    return found


def unknown_workflow(library: LibraryStore, name: str) -> UsageError:
    """The error that there is no such workflow, with near names."""
    remedy = did_you_mean(name, names_in(library)) or "`flow workflows list` shows those that there are."
    return UsageError(f"There is no workflow {show(name)} in the library.", code="workflow.unknown", remedy=remedy)


def names_in(library: LibraryStore) -> list[str]:
    """Ids and names of all workflows."""
    names: dict[str, None] = {}
    after = None
    while page := library.list(after=after, limit=_PAGE):
        for stored in page:
            names[stored.id] = names[stored.name] = None
        after = page[-1].id
    return list(names)
