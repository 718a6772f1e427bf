"""Writes the files of a pack or of a node: all of them, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from flowcore import __version__
from flowcore.packs import CATALOG_FILE
from flowruntime.registry import write_catalog

from flowcli.scaffold.names import Names
from flowcli.scaffold.project import PackFolder
from flowcli.usage import UsageError

__all__ = ["add_node", "write_pack"]

#: Which template makes which file of a pack.
_PACK: Final = {
    "pyproject.toml": "pyproject.toml",
    ".gitignore": "gitignore",
    ".github/workflows/check.yml": "check.yml",
    "README.md": "README.md",
    "src/@@package@@/__init__.py": "package.py",
    "tests/test_conformance.py": "test_conformance.py",
    "examples/@@node@@.json": "example.json",
}
#: Which template makes which file of a node. The module lies in the package.
_NODE: Final = {
    "tests/test_@@node@@.py": "test_node.py",
    "docs/@@node@@.md": "node.md",
}


def write_pack(names: Names, parent: Path) -> Path:
    """Write a new pack into `parent`, its catalog too; gives its folder.

    Raises UsageError when there is such a folder already, or it cannot be written; then nothing is left behind.
    """
    target = parent / names.distribution
    if target.exists():
        raise UsageError(
            f"There is a {str(target)!r} already, which is not overwritten.",
            code="pack.exists",
            remedy="Choose another name, or add a node to that one: flow pack new --node NODE in its folder.",
        )
    with _writing(target):
        parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{names.distribution}-", dir=parent))
        try:
            module = f"src/{names.package}/{names.node}.py"
            for path, template in (_PACK | _NODE | {module: "node.py"}).items():
                _write(made / _put(path, names), _put(_template(template), names))
            _write(made / "src" / names.package / "py.typed", "")
            write_catalog(made)
            made.chmod(0o755)
            made.rename(target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return target


def add_node(pack: PackFolder, names: Names) -> list[Path]:
    """Write a new node into a pack, and its catalog anew; gives the new files.

    Raises UsageError when one of the files is there already, and PackError when the pack's catalog cannot be made;
    then the pack is as it was.
    """
    wanted = {pack.package / f"{names.node}.py": "node.py"}
    wanted |= {pack.folder / _put(path, names): template for path, template in _NODE.items()}
    for file in wanted:
        if file.exists():
            raise UsageError(
                f"There is a {os.path.relpath(file)!r} already, which is not overwritten.",
                code="pack.exists",
                remedy="Choose another name for the node.",
            )
    catalog = pack.package / CATALOG_FILE
    before = catalog.read_bytes() if catalog.is_file() else None
    written: list[Path] = []
    with _writing(pack.folder):
        try:
            for file, template in wanted.items():
                _write(file, _put(_template(template), names))
                written.append(file)
            write_catalog(pack.folder)
        except BaseException:
            for file in written:
                file.unlink(missing_ok=True)
            if before is not None:
                catalog.write_bytes(before)
            raise
    return written


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{str(place)!r} cannot be written: {error.strerror}.",
            code="pack.unwritable",
            remedy="Choose another place with --output DIR.",
        ) from error


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8", newline="\n") as opened:
        try:
            opened.write(text)
            opened.flush()
        except OSError:
            file.unlink()
            raise


def _template(name: str) -> str:
    return resources.files("flowcli.scaffold").joinpath("templates", f"{name}.template").read_text(encoding="utf-8")


def _put(text: str, names: Names) -> str:
    """The text with the names in their places."""
    values = {
        "category": names.category,
        "distribution": names.distribution,
        "namespace": names.namespace,
        "node": names.node,
        "package": names.package,
        "title": names.title,
        "type": names.type,
        "version": __version__,
    }
    for key, value in values.items():
        text = text.replace(f"@@{key}@@", value)
    return text
