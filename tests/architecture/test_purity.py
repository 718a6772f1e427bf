"""Checks that what must be pure imports nothing and calls nothing that reaches outside.

import-linter can't see this: it knows our own packages, not the standard library's parts.
"""

import ast
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, members

# What pure code may use. `datetime` is here for its types; its clock is refused below.
PURE_MODULES = {
    "__future__",
    "abc",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "functools",
    "graphlib",
    "hashlib",
    "heapq",
    "io",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "string",
    "types",
    "typing",
    "unicodedata",
}
IMPURE_BUILTINS = {"__import__", "breakpoint", "eval", "exec", "open", "print"}
IMPURE_NAMES = {"io.open", "io.FileIO", "io.open_code"}
CLOCKS = {"now", "today", "utcnow"}

FLOWCORE = next(member for member in members() if member.name == "flowcore")
ENGINE = ROOT / "core/flowruntime/src/flowruntime/engine"


def imported(tree: ast.AST) -> set[str]:
    """The full names of all modules and names that the code imports, anywhere in it."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
    return found


def foreign_imports(source: str) -> set[str]:
    """What the code imports from neither flowcore nor the standard library."""
    roots = {name.partition(".")[0] for name in imported(ast.parse(source))}
    return roots - sys.stdlib_module_names - {"flowcore"}


def impurities(source: str, *, own: frozenset[str]) -> list[str]:
    """Every way in which the code reaches outside; `own` are the packages that it may import besides."""
    tree = ast.parse(source)
    found = [
        f"imports {name}"
        for name in sorted(imported(tree))
        if name.partition(".")[0] not in PURE_MODULES | own or name in IMPURE_NAMES
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in IMPURE_BUILTINS:
            found.append(f"uses {node.id}")
        elif isinstance(node, ast.Attribute) and (
            node.attr in CLOCKS or ast.unparse(node).removeprefix("builtins.") in IMPURE_NAMES
        ):
            found.append(f"uses {ast.unparse(node)}")
    return found


def pure_engine_modules() -> list[Path]:
    """The machine and its inputs, each a module or a package."""
    found = [*ENGINE.glob("machine.py"), *ENGINE.glob("inputs.py")]
    return sorted([*found, *ENGINE.glob("machine/**/*.py"), *ENGINE.glob("inputs/**/*.py")])


def test_flowcore_imports_only_the_standard_library() -> None:
    found = {path: foreign_imports(path.read_text()) for path in FLOWCORE.modules()}
    assert found
    assert {path: names for path, names in found.items() if names} == {}


def test_flowcore_does_no_io_and_reads_neither_clock_nor_randomness() -> None:
    own = frozenset({"flowcore"})
    found = {path: impurities(path.read_text(), own=own) for path in FLOWCORE.modules()}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_machine_and_its_inputs_are_pure() -> None:
    paths = pure_engine_modules()
    assert {path.relative_to(ENGINE).parts[0].removesuffix(".py") for path in paths} == {"machine", "inputs"}
    own = frozenset({"flowcore", "flowruntime"})
    found = {path: impurities(path.read_text(), own=own) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    ["import anyio", "from httpx import get", "def late():\n    import msgspec.json", "from . import values"],
)
def test_a_foreign_import_is_noticed(source: str) -> None:
    assert foreign_imports(source)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "def late():\n    from os import environ",
        "from pathlib import Path",
        "import random, secrets, socket",
        "open('file')",
        "reader = open",
        "print('hello')",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as d\nclock = d.datetime.utcnow",
        "import io\nio.open('file')",
        "from io import FileIO",
    ],
)
def test_an_impurity_is_noticed(source: str) -> None:
    assert impurities(source, own=frozenset())


def test_pure_code_passes() -> None:
    source = "from datetime import UTC\nimport io, json\nfrom flowcore.values import Blob\nblob.open()"
    assert impurities(source, own=frozenset({"flowcore"})) == []
