"""The library of a database, as commands use it: opened for a while, asked for by ids and names that people write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.values import did_you_mean, show

from flowcli.databases import open_database
from flowcli.usage import UsageError

__all__ = ["find_workflow", "names_in", "open_library"]

_PAGE = 1000


@contextmanager
def open_library(url: str | None, *, read_only: bool = False) -> Iterator[LibraryStore]:
    """The library of the database, the default one without a URL. Raises StoreError when it cannot be used.

    To read a default database that nobody has made yet is no error: the library is empty.
    """
    with open_database(url, read_only=read_only, make=not read_only) as store:
        yield store.workflows


def find_workflow(library: LibraryStore, name: str, version: int | None = None) -> StoredWorkflow:
    """The workflow of that id, else of that name, drafts included; the latest version without one.

    Raises UsageError when there is none.
    """
    workflow_id = _id_of(library, name)
    latest = None if workflow_id is None else library.get(workflow_id)
    if latest is None:
        raise _unknown(library, name)
    if version is None:
        return latest
    found = library.get(latest.id, version)
    if found is None:
        raise UsageError(
            f"The workflow {show(latest.id)} has no version {version}.",
            code="workflow.unknown_version",
            remedy=f"Its versions are 1 to {latest.version}.",
        )
    return found


def _unknown(library: LibraryStore, name: str) -> UsageError:
    remedy = did_you_mean(name, names_in(library)) or "`flow workflows list` shows those that there are."
    return UsageError(f"There is no workflow {show(name)} in the library.", code="workflow.unknown", remedy=remedy)


def names_in(library: LibraryStore) -> list[str]:
    """Ids and names of all workflows."""
    listed = list(_listed(library))
    return list(dict.fromkeys([*(stored.id for stored in listed), *(stored.name for stored in listed)]))


def _id_of(library: LibraryStore, name: str) -> str | None:
    if library.get(name) is not None:
        return name
    found = library.find(name)
    if found is not None:
        return found.id
    # Drafts are not found by their names, because they do not run.
    return next((stored.id for stored in _listed(library) if stored.name == name), None)


def _listed(library: LibraryStore) -> Iterator[StoredWorkflow]:
    after = None
    while page := library.list(after=after, limit=_PAGE):
        yield from page
        after = page[-1].id
