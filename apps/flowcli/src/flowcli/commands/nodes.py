"""`flow nodes [WORD …]`, `flow nodes search WORD …` and `flow nodes show TYPE`: which node types there are.

Part of the warm path: the list needs no library and no code of a pack.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowcli.exit_codes import SUCCESS
from flowcli.parser import Parser
from flowcli.terminal import data_width, printable, say, styled, write_data
from flowcli.usage import UsageError

if TYPE_CHECKING:
    from flowruntime.registry import Registry, TypeRow

__all__ = ["add_arguments", "run"]

_SHOW = "show"
_SEARCH = "search"
_NARROWEST_DESCRIPTION = 20


def add_arguments(parser: Parser) -> None:
    """Add what `flow nodes` takes."""
    parser.usage = (
        "flow nodes [WORD …] [--json] [--nodes FILE]\n"
        "       flow nodes search WORD … [--json] [--nodes FILE]\n"
        "       flow nodes show TYPE [--json] [--nodes FILE]"
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="list only types in which all these words occur; search: the best first",
    )
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """List node types, or show one."""
    from flowruntime.registry import Registry

    registry = Registry.discover()
    if arguments.nodes is not None:
        from flowcli.local_nodes import read_nodes

        registry = registry.with_local(read_nodes(arguments.nodes))
    words: list[str] = arguments.words
    if words[:1] == [_SHOW]:
        if len(words[1:]) != 1:
            raise UsageError(
                "`flow nodes show` takes the id of one node type.", remedy="Write flow nodes show debug.log."
            )
        from flowcli.node_page import show_type

        return show_type(registry, words[1], as_json=arguments.json)
    if words[:1] == [_SEARCH]:
        if not words[1:]:
            raise UsageError("`flow nodes search` takes words.", remedy="Write flow nodes search json.")
        _search(registry, words[1:], as_json=arguments.json)
        return SUCCESS
    _list(registry, words, as_json=arguments.json)
    return SUCCESS


def _list(registry: Registry, words: Sequence[str], *, as_json: bool) -> None:
    everything = registry.rows()
    rows = [row for row in everything if _has(row, words)]
    if as_json:
        listed = {
            "nodes": [row._asdict() for row in rows],
            "problems": [problem.to_json() for problem in registry.problems],
        }
        write_data(json.dumps(listed, ensure_ascii=False, indent=2) + "\n")
        return
    if rows:
        write_data(_table(rows, data_width()))
    elif everything:
        say(f"No node type has {' and '.join(map(repr, words))} in it. `flow nodes` lists all.")
    else:
        say("No node types are installed. Install the basic ones: pip install flownodes")
    _tell_problems(registry)


def _search(registry: Registry, words: Sequence[str], *, as_json: bool) -> None:
    from flowcli.searching import search

    found = search(registry.rows(), words)
    if as_json:
        listed = {
            "nodes": [{**row._asdict(), "score": score} for row, score in found],
            "problems": [problem.to_json() for problem in registry.problems],
        }
        write_data(json.dumps(listed, ensure_ascii=False, indent=2) + "\n")
        return
    if found:
        from flowcli.tables import table

        rows = [(row.id, row.category, row.pack, _summary(row)) for row, _ in found]
        write_data(printable(table(("id", "category", "pack", "what it does"), rows, data_width())))
    else:
        say(f"No node type has {' or '.join(map(repr, words))} in it. `flow nodes` lists all.")
    _tell_problems(registry)


def _tell_problems(registry: Registry) -> None:
    for problem in registry.problems:
        say(f"{styled('broken:', 'yellow')} {printable(str(problem))}")


def _has(row: TypeRow, words: Sequence[str]) -> bool:
    text = f"{row.id} {row.title} {row.description} {row.category} {row.pack}".casefold()
    return all(word.casefold() in text for word in words)


def _table(rows: Sequence[TypeRow], width: int | None) -> str:
    """A line a type under the name of its category, each no longer than `width`."""
    categories: dict[str, list[TypeRow]] = {}
    for row in rows:
        categories.setdefault(row.category or "Other", []).append(row)
    ids = max(len(row.id) for row in rows)
    versions = max(len(_version(row)) for row in rows)
    packs = max(len(row.pack) for row in rows)
    descriptions = max(len(_summary(row)) for row in rows)
    if width is not None:
        room = width - (2 + ids + 2 + versions + 2 + 2 + packs)
        descriptions = min(descriptions, max(room, _NARROWEST_DESCRIPTION))
    lines = []
    for category in sorted(categories):
        lines.append(category)
        for row in categories[category]:
            summary = _summary(row)
            if len(summary) > descriptions:
                summary = summary[: descriptions - 1] + "…"
            lines.append(f"  {row.id:{ids}}  {_version(row):{versions}}  {summary:{descriptions}}  {row.pack}".rstrip())
    return printable("\n".join(lines) + "\n")


def _version(row: TypeRow) -> str:
    words = [f"v{row.version}"]
    if row.dynamic:
        words.append("dynamic")
    if row.stability != "stable":
        words.append(row.stability)
    return " ".join(words)


def _summary(row: TypeRow) -> str:
    """The first sentence of the description: the rest is for `show`."""
    return (row.description or row.title).partition(". ")[0].replace("\n", " ").removesuffix(".")
