"""`flow validate FILE …`: everything that is wrong with workflows, found without running them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from flowcore.errors import Problem
from flowcore.values import write_json
from flowruntime.plan import SchemaCache, check_workflow
from flowruntime.registry import Registry
from flowruntime.runtime import embed_files

from flowcli.errors import problem_line
from flowcli.exit_codes import SUCCESS, WRONG
from flowcli.local_nodes import read_nodes
from flowcli.parser import Parser
from flowcli.sources import folder_of, read_source
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Add what `flow validate` takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a workflow; - reads one from stdin")
    parser.add_argument("--strict", action="store_true", help="take warnings for errors")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Tell all problems of all files; WRONG when one of them is not valid."""
    registry = Registry.discover().with_local(read_nodes(arguments.nodes))
    schemas = SchemaCache()
    found = {file: _problems(file, registry, schemas) for file in dict.fromkeys(arguments.files)}
    valid = {file: not _bad(problems, strict=arguments.strict) for file, problems in found.items()}
    if arguments.json:
        files = [
            {"file": file, "valid": valid[file], "problems": [problem.to_json() for problem in problems]}
            for file, problems in found.items()
        ]
        write_data(write_json({"files": files}, indent=2) + "\n")
    else:
        lines = [_line(file, problem) for file, problems in found.items() for problem in problems]
        lines += [f"{printable(file)}: valid" for file, problems in found.items() if valid[file] and not problems]
        write_data("".join(f"{line}\n" for line in lines))
        if wrong := [file for file in found if not valid[file]]:
            say(f"Not valid: {len(wrong)} of {len(found)} {'file' if len(found) == 1 else 'files'}.")
    return SUCCESS if all(valid.values()) else WRONG


def _problems(file: str, registry: Registry, schemas: SchemaCache) -> tuple[Problem, ...]:
    try:
        source = read_source(file, what="workflow")
    except UsageError as error:
        return (Problem(code=error.code, pointer="", message=error.message, remedy=error.remedy),)
    embedded = embed_files(source, folder_of(file), registry)
    return embedded.with_problems(check_workflow(embedded.document, registry, schemas).problems)


def _bad(problems: Iterable[Problem], *, strict: bool) -> bool:
    return any(strict or problem.severity == "error" for problem in problems)


def _line(file: str, problem: Problem) -> str:
    return problem_line(problem, file=file, kind="warning" if problem.severity == "warning" else "")
