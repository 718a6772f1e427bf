"""`flow schema`: writes the JSON Schema of workflow documents, for editors and other tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from flowcore.documents import document_schema
from flowcore.values import write_json

from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.terminal import printable, say, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

_STDOUT: Final = "-"


def add_arguments(parser: Parser) -> None:
    """Add what `flow schema` takes."""
    parser.add_argument("--output", metavar="FILE", default=_STDOUT, help="where to write it; - is stdout (-)")
    parser.set_defaults(json=False)


def run(arguments: argparse.Namespace) -> int:
    """Write it; a file that is there already is replaced, since it is only ever made this way."""
    text = write_json(document_schema(), indent=2) + "\n"
    if arguments.output == _STDOUT:
        write_data(text)
        return SUCCESS
    try:
        Path(arguments.output).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            f"The file {arguments.output!r} cannot be written: {error.strerror}.",
            code="file.unwritable",
            remedy="Name another with --output FILE.",
        ) from error
    say(f"Written: {printable(arguments.output)}")
    return SUCCESS
