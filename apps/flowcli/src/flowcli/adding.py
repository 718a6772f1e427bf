"""`flow workflows add`: reads workflows from files, with the files in them, and adds those that are valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowcore.contracts import LibraryStore, StoredWorkflow
from flowcore.errors import Problem, WorkflowInvalid
from flowcore.values import write_json
from flowruntime.plan import SchemaCache, check_workflow
from flowruntime.registry import Registry
from flowruntime.runtime import Reviewed, WorkflowLibrary, embed_files

from flowcli.errors import problem_line, tell
from flowcli.exit_codes import SUCCESS, WRONG
from flowcli.sources import folder_of, read_source
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_workflows"]


def add_workflows(store: LibraryStore, files: Sequence[str], registry: Registry, *, draft: bool, as_json: bool) -> int:
    """Add all of them, or none, and say what became of each. WRONG when one of them is not valid.

    They may name each other. A draft may have errors, as long as nothing of it gets lost.
    """
    schemas = SchemaCache()
    library = WorkflowLibrary(store, check=lambda given, shelf: check_workflow(given, registry, schemas, shelf))
    embedded = [
        embed_files(read_source(file, what="workflow"), folder_of(file), registry) for file in dict.fromkeys(files)
    ]
    reviewed = dict(zip(dict.fromkeys(files), library.review(read.document for read in embedded), strict=True))
    _check_ids(reviewed)
    problems = {
        file: read.with_problems(one.problems) for (file, one), read in zip(reviewed.items(), embedded, strict=True)
    }
    for line in _lines(problems):
        say(line)
    refused = [file for file, one in reviewed.items() if one.lost or not (draft or one.is_valid)]
    if refused:
        return _refuse(problems, refused, draft=draft, as_json=as_json)
    rows = []
    for file, one in reviewed.items():
        before = store.get(one.require(draft=draft).id)
        rows.append(_row(file, library.keep(one, draft=draft).stored, before, problems[file]))
    if as_json:
        write_data(write_json({"workflows": rows}, indent=2) + "\n")
    else:
        write_data("".join(f"{_sentence(row)}\n" for row in rows))
    return SUCCESS


def _check_ids(reviewed: Mapping[str, Reviewed]) -> None:
    """Raises UsageError when two files are versions of the same workflow."""
    files: dict[str, str] = {}
    for file, one in reviewed.items():
        if one.workflow is not None and files.setdefault(one.workflow.id, file) != file:
            raise UsageError(
                f"The files {files[one.workflow.id]!r} and {file!r} both hold the workflow {one.workflow.id!r}.",
                code="workflow.twice",
                remedy="Give one of them another 'id', or add one of them only.",
            )


def _refuse(problems: Mapping[str, Sequence[Problem]], refused: Sequence[str], *, draft: bool, as_json: bool) -> int:
    count = len(problems)
    message = f"Nothing was added. Not valid: {len(refused)} of {count} {'file' if count == 1 else 'files'}."
    remedy = "Correct these places: a draft could not hold them." if draft else "Correct them, or add drafts: --draft."
    tell("error", "red", message, code="", remedy=remedy)
    if as_json:
        error = {
            "code": WorkflowInvalid.default_code,
            "message": message,
            "remedy": remedy,
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
