"""`flow init`: writes a small workflow that runs as it is, without a network."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any, Final

from flowcore.values import write_json

from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.sources import STDIN
from flowcli.terminal import say, write_data
from flowcli.usage import UsageError

__all__ = ["STARTER", "add_arguments", "run"]

#: A name is made into a greeting, which goes one of two ways and is logged.
STARTER: Final[dict[str, Any]] = {
    "name": "Greeting",
    "description": "Greets somebody by name, or the world",
    "inputs": {
        "type": "object",
        "properties": {"name": {"type": "string", "default": "world", "description": "Who is greeted"}},
    },
    "vars": {"greeting": "Hello"},
    "nodes": [
        {
            "id": "greet",
            "node_type": "transform.set",
            "config": {"fields": {"name": "${{ input.name }}", "text": "${{ vars.greeting }}, ${{ input.name }}!"}},
        },
        {"id": "named", "node_type": "control.if", "config": {"condition": "inputs.value.name != 'world'"}},
        {"id": "say", "node_type": "debug.log", "config": {"label": "greeting"}},
        {"id": "ask", "node_type": "debug.log", "config": {"label": "no name given"}},
    ],
    "connections": [
        {"from_node": "greet", "from_port": "value", "to_node": "named", "to_port": "value"},
        {"from_node": "named", "from_port": "true", "to_node": "say", "to_port": "message"},
        {"from_node": "named", "from_port": "false", "to_node": "ask", "to_port": "message"},
    ],
    "outputs": {"greeting": "${{ nodes.greet.value.text }}"},
}


def add_arguments(parser: Parser) -> None:
    """Add what `flow init` takes."""
    parser.add_argument(
        "--output", metavar="FILE", default="workflow.json", help="where to write it (workflow.json); - is stdout"
    )
    parser.set_defaults(json=False)


def run(arguments: argparse.Namespace) -> int:
    """Write the workflow; a file that exists is never overwritten."""
    text = write_json(STARTER, indent=2) + "\n"
    if arguments.output == STDIN:
        write_data(text)
        return SUCCESS
    file = Path(arguments.output)
    try:
        with file.open("x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(
            f"There is a {str(file)!r} already, which is not overwritten.",
            code="file.exists",
            remedy="Choose another name with --output FILE.",
        ) from None
    except OSError as error:
        raise UsageError(
            f"The file {str(file)!r} cannot be written: {error.strerror}.",
            code="file.unwritable",
            remedy="Choose another place with --output FILE.",
        ) from error
    say(f'Wrote {file}. Run it:\n  flow run {shlex.quote(str(file))} --input \'{{"name": "Ada"}}\'')
    return SUCCESS
