"""Writes docs/nodes, a page for every node type, from the committed catalogs: `python docs/build_nodes.py [--check]`.

With --check nothing is written: the pages that are not what the catalogs say are named, and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from flowcli.reference.markdown import Documented, markdown_pages
from flowcore.errors import Problem
from flowcore.packs import CATALOG_FILE, Catalog
from flowcore.values import read_json

__all__ = ["main", "pages"]

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / "docs" / "nodes"
_NOTE = "Written by docs/build_nodes.py from the pack's catalog."
_INTRODUCTION = "Those of the packs in this repository. `flow nodes` lists what is installed where you are."


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them; gives the exit code."""
    wanted = pages(_ROOT)
    there = {path.name: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.md")}
    changed = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if "--check" in arguments:
        for name in changed:
            print(f"docs/nodes/{name} is not what the catalogs say. Run: python docs/build_nodes.py")
        return 1 if changed else 0
    for name in changed:
        if name in wanted:
            (_FOLDER / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (_FOLDER / name).unlink()
    return 0


def pages(root: Path) -> dict[str, str]:
    """The text of each page by file name, for all packs of a source tree. Raises ValueError for a broken catalog."""
    found: dict[str, Documented] = {}
    for file in sorted([*root.glob(f"*/src/*/{CATALOG_FILE}"), *root.glob(f"plugins/*/src/*/{CATALOG_FILE}")]):
        problems: list[Problem] = []
        catalog = Catalog.read(read_json(file.read_bytes()).value, problems)
        if problems:
            msg = f"{file}: {problems[0]}"
            raise ValueError(msg)
        distribution = file.parent.name.replace("_", "-")
        # Of several versions of a type the newest has the page.
        for node_type in sorted(catalog.types, key=lambda node_type: node_type.version):
            found[node_type.id] = Documented(node_type=node_type, pack=distribution)
    return markdown_pages(found.values(), introduction=_INTRODUCTION, note=_NOTE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
