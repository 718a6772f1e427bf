"""Checks the rules of the house that hold for each source file by itself."""

import ast
from pathlib import Path, PurePath

import pytest

from tests.architecture.source_tree import ROOT, files, members, python_files

MAX_LINES = 500
# A name that says nothing attracts everything.
FORBIDDEN_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}


def is_public(path: PurePath) -> bool:
    """Whether a module (path within its package) owes the world a list of its public names."""
    inner = path.parts[1:]  # without the package itself
    private = any(part.startswith("_") for part in inner if part != "__init__.py")
    return not private and "engine" not in inner


def public_names(source: str) -> list[str] | None:
    """What `__all__` is assigned at the top of the module, or None without such an assignment."""
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
            case ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value):
                return list(ast.literal_eval(value))
            case _:
                pass
    return None


def has_docstring(source: str) -> bool:
    return bool(ast.get_docstring(ast.parse(source)))


def is_too_long(source: str) -> bool:
    return len(source.splitlines()) > MAX_LINES


def says_nothing(path: PurePath) -> bool:
    """Whether the file, or a folder above it, has a name that tells nothing of what is in it."""
    return any(part.partition(".")[0].lstrip("_") in FORBIDDEN_NAMES for part in path.parts)


def modules() -> list[tuple[PurePath, str]]:
    """Every module of every member: its path within `src`, and its text."""
    found = [(path.relative_to(member.folder / "src"), path) for member in members() for path in member.modules()]
    assert len(found) >= len(members())
    return [(inner, path.read_text()) for inner, path in found]


def test_every_public_module_says_what_is_public() -> None:
    assert [path for path, source in modules() if is_public(path) and public_names(source) is None] == []


def test_every_module_opens_with_a_docstring() -> None:
    assert [path for path, source in modules() if not has_docstring(source)] == []


def test_no_python_file_has_more_than_500_lines() -> None:
    found = python_files()
    assert Path(__file__) in found
    assert [path.relative_to(ROOT) for path in found if is_too_long(path.read_text())] == []


def test_no_source_file_has_a_name_that_says_nothing() -> None:
    code = [path.relative_to(ROOT) for path in files() if path.suffix in {".py", ".ts", ".tsx"}]
    assert [path for path in code if says_nothing(path)] == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("__all__ = ['a']", ["a"]),
        ("__all__: list[str] = []", []),
        ("a = 1", None),
        ("def f():\n    __all__ = []", None),
        ("'__all__ = []'", None),
    ],
)
def test_a_missing_list_of_public_names_is_noticed(source: str, names: list[str] | None) -> None:
    assert public_names(source) == names


@pytest.mark.parametrize(
    ("path", "public"),
    [
        ("flowcore/__init__.py", True),
        ("flowcore/values/frozen.py", True),
        ("flowcli/__main__.py", False),
        ("flowcore/_private/names.py", False),
        ("flowruntime/engine/machine.py", False),
    ],
)
def test_modules_of_the_engine_and_with_an_underscore_are_not_public(path: str, *, public: bool) -> None:
    assert is_public(PurePath(path)) is public


@pytest.mark.parametrize("source", ["", "a = 1", "# words", "a = 1\n'words'", '""""""'])
def test_a_missing_docstring_is_noticed(source: str) -> None:
    assert not has_docstring(source)


def test_line_501_is_noticed() -> None:
    assert not is_too_long("a = 1\n" * 500)
    assert is_too_long("a = 1\n" * 501)


@pytest.mark.parametrize("path", ["flowcore/utils.py", "tests/helpers/server.py", "a/_base.py", "ui/misc.ts"])
def test_a_name_that_says_nothing_is_noticed(path: str) -> None:
    assert says_nothing(PurePath(path))


def test_a_name_with_a_forbidden_word_inside_is_fine() -> None:
    assert not says_nothing(PurePath("flowcore/base64_text.py"))
