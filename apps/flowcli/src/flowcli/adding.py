"""`flow workflows add`: reads workflows from files, with the files in them, checks them and adds them to the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.documents import read_workflow
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.values import write_json
from flowruntime.plan import SchemaCache, check_workflow
from flowruntime.registry import Registry
from flowruntime.runtime import Embedded, WorkflowLibrary, embed_files

from flowcli.errors import problem_line
from flowcli.exit_codes import SUCCESS, WRONG
from flowcli.sources import folder_of, read_source
from flowcli.terminal import printable, say, styled, write_data
from flowcli.usage import UsageError

__all__ = ["add_workflows"]


def add_workflows(
    store: LibraryStore, files: Sequence[str], registry: Registry, *, draft: bool, as_json: bool
) -> int:
    """Add all of them, or none, and say what became of each. WRONG when one of them is not valid.

    They may name each other. A draft may have errors, as long as it can be read.
    """
    schemas = SchemaCache()
    library = WorkflowLibrary(
        store, check=lambda document, shelf: check_workflow(document, registry, schemas, shelf)
    )
    embedded = {
        file: embed_files(read_source(file, what="workflow"), folder_of(file), registry)
        for file in dict.fromkeys(files)
    }
    _check_ids(embedded)
    documents = [read.document for read in embedded.values()]
    problems = {
        file: read.with_problems(checked.problems)
        for (file, read), checked in zip(embedded.items(), library.check_all(documents), strict=True)
    }
    broken = [file for file, found in problems.items() if any(problem.severity == "error" for problem in found)]
    refused = _unreadable(embedded) if draft else broken
    if refused:
        return _refuse(problems, refused, as_json=as_json)
    before = {file: _latest(store, read) for file, read in embedded.items()}
    added = [one.stored for one in library.put_all(documents, draft=draft)]
    for line in _lines(problems):
        say(line)
    rows = [_row(file, stored, before[file], problems[file]) for file, stored in zip(embedded, added, strict=True)]
    if as_json:
        write_data(write_json({"workflows": rows}, indent=2) + "\n")
    else:
        write_data("".join(f"{_sentence(row)}\n" for row in rows))
    return SUCCESS


def _check_ids(embedded: Mapping[str, Embedded]) -> None:
    """Raises UsageError when two files are versions of the same workflow."""
    files: dict[str, str] = {}
    for file, read in embedded.items():
        workflow = read_workflow(read.document, allow_draft=True).workflow
        if workflow is not None and files.setdefault(workflow.id, file) != file:
            raise UsageError(
                f"The files {files[workflow.id]!r} and {file!r} both hold the workflow {workflow.id!r}.",
                code="workflow.twice",
                remedy="Give one of them another 'id', or add one of them only.",
            )


def _unreadable(embedded: Mapping[str, Embedded]) -> list[str]:
    """The files of which not even a draft can be made."""
    return [file for file, read in embedded.items() if WorkflowLibrary.draft_faults(read.document)]


def _refuse(problems: Mapping[str, Sequence[Problem]], refused: Sequence[str], *, as_json: bool) -> int:
    count = len(problems)
    message = f"Nothing was added. Not valid: {len(refused)} of {count} {'file' if count == 1 else 'files'}."
    for line in _lines(problems):
        say(line)
    say(f"{styled('error:', 'red')} {message}")
    if as_json:
        error = {
            "code": WorkflowInvalid.default_code,
            "message": message,
            "remedy": "Correct the places named, or keep what is not ready with --draft.",
            "files": [
                {"file": file, "valid": file not in refused, "problems": [problem.to_json() for problem in found]}
                for file, found in problems.items()
            ],
        }
        write_data(write_json({"error": error}, indent=2) + "\n")
    return WRONG


def _lines(problems: Mapping[str, Sequence[Problem]]) -> list[str]:
    return [
        problem_line(problem, file=file, kind="warning" if problem.severity == "warning" else "")
        for file, found in problems.items()
        for problem in found
    ]


def _latest(store: LibraryStore, read: Embedded) -> StoredWorkflow | None:
    workflow = read_workflow(read.document, allow_draft=True).workflow
    return None if workflow is None else store.get(workflow.id)


def _row(
    file: str, stored: StoredWorkflow, before: StoredWorkflow | None, problems: Sequence[Problem]
) -> dict[str, Any]:
    is_new = before is None or (before.version, before.is_draft) != (stored.version, stored.is_draft)
    return {
        "file": file,
        "id": stored.id,
        "name": stored.name,
        "version": stored.version,
        "changed": is_new,
        "draft": stored.is_draft,
        "problems": [problem.to_json() for problem in problems],
    }


def _sentence(row: Mapping[str, Any]) -> str:
    what = "draft, " if row["draft"] else ""
    state = "added" if row["changed"] else "unchanged"
    return printable(f"{row['id']}: {what}version {row['version']}, {state}")
