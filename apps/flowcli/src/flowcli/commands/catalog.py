"""`flow catalog`: all that is known of the installed node types, as JSON for programs or as pages for people."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowcore.packs import CATALOG_VERSION
from flowcore.values import write_json
from flowruntime.registry import Registry

from flowcli.exit_codes import SUCCESS
from flowcli.local_nodes import read_nodes
from flowcli.parser import Parser
from flowcli.terminal import printable, say, styled, write_data
from flowcli.usage import UsageError

__all__ = ["add_arguments", "run"]

#: Names the pages in a folder, for the next time.
_LISTING = ".flow-catalog"
_INTRODUCTION = "Those that are installed here."


def add_arguments(parser: Parser) -> None:
    """Add what `flow catalog` takes."""
    parser.usage = "flow catalog [--json | --schema | --markdown DIR | --html DIR] [--nodes FILE]"
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write JSON, which it does without an option too")
    form.add_argument("--schema", action="store_true", help="write the JSON Schema of that JSON")
    form.add_argument("--markdown", metavar="DIR", help="write a page for each node type into a folder")
    form.add_argument("--html", metavar="DIR", help="the same in HTML")
    parser.add_argument("--nodes", metavar="FILE", help="a Python file that defines more node types")


def run(arguments: argparse.Namespace) -> int:
    """Write it in the form that was asked for."""
    if arguments.schema:
        from flowcli.catalog_schema import catalog_schema

        write_data(write_json(catalog_schema(), indent=2) + "\n")
        return SUCCESS
    registry = Registry.discover().with_local(read_nodes(arguments.nodes))
    folder = arguments.html or arguments.markdown
    if folder is None:
        write_data(write_json(_catalog(registry), indent=2) + "\n")
        return SUCCESS
    pages = _pages(registry, as_html=arguments.html is not None)
    _write(Path(folder), pages)
    for problem in registry.problems:
        say(f"{styled('left out:', 'yellow')} {printable(str(problem))}")
    start = next(iter(pages))
    say(f"Written: {len(pages)} pages; begin with {printable(str(Path(folder) / start))}")
    return SUCCESS


def _catalog(registry: Registry) -> dict[str, Any]:
    return {
        "catalog": CATALOG_VERSION,
        "packs": [pack.to_json() for pack in registry.packs],
        "types": [{**node_type.to_json(), "pack": pack} for node_type, pack in registry.node_types()],
        "problems": [problem.to_json() for problem in registry.problems],
    }


def _pages(registry: Registry, *, as_html: bool) -> dict[str, str]:
    """The pages by file name, the index first."""
    from flowcli.reference.markdown import Documented, markdown_pages

    # Of several versions of a type the newest has the page.
    newest = {node_type.id: Documented(node_type=node_type, pack=pack) for node_type, pack in registry.node_types()}
    pages = markdown_pages(newest.values(), introduction=_INTRODUCTION)
    if not as_html:
        return pages
    from flowcli.reference.html import html_pages

    return html_pages(pages)


def _write(folder: Path, pages: Mapping[str, str]) -> None:
    """Write the pages, and remove those of the last time that there are no more. Other files are never touched."""
    listing = folder / _LISTING
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = set(listing.read_text(encoding="utf-8").splitlines()) if listing.exists() else set()
        for name in pages:
            if name not in before and (folder / name).exists():
                raise UsageError(
                    f"There is a {str(folder / name)!r} already, which `flow catalog` has not written.",
                    code="file.exists",
                    remedy="Name another folder, or remove that file.",
                )
        # First, so that whatever happens meanwhile is put in order by the next time.
        listing.write_text("".join(f"{name}\n" for name in sorted({*pages, *before})), encoding="utf-8")
        for name, text in pages.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        for name in before - pages.keys():
            if name == Path(name).name:  # whoever has changed the list removes nothing elsewhere
                (folder / name).unlink(missing_ok=True)
        listing.write_text("".join(f"{name}\n" for name in sorted(pages)), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The pages cannot be written into {str(folder)!r}: {error.strerror}.",
            code="file.unwritable",
            remedy="Name another folder.",
        ) from error
