"""Writes small pack projects, good ones and bad ones, for tests of the conformance suite."""

from pathlib import Path

from flowruntime.registry import write_catalog

__all__ = ["GOOD", "write_project"]

PYPROJECT = """
[project]
name = "flownodes-{name}"
version = "1.0"
description = "Numbers"
license = "MIT"
requires-python = ">=3.11"
dependencies = ["flowruntime"]
[project.entry-points.flownodes]
{name} = "flownodes_{name}"
"""
GOOD = '''
from typing import Annotated
from flowruntime.authoring import node

@node(
    "NAME.double",
    title="Double",
    category="Numbers",
    effects="pure",
    examples=[{"title": "Two", "config": {"times": 2}, "inputs": {"number": 2}, "outputs": {"result": 8}}],
)
def double(
    number: Annotated[int, "What is doubled."],
    *,
    times: Annotated[int, "How often."] = 1,
) -> Annotated[int, "The doubled number."]:
    """Doubles a number."""
    return number * 2**times
'''


def write_project(folder: Path, name: str, code: str = GOOD, *, build: bool = True) -> Path:
    """A project of one module; `NAME` in its code is the namespace. Gives its folder."""
    project = folder / f"flownodes-{name}"
    package = project / "src" / f"flownodes_{name}"
    package.mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    (package / "__init__.py").write_text(code.replace("NAME", name))
    (package / "py.typed").touch()
    if build:
        write_catalog(project)
    return project
