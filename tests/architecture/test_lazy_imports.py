"""Checks that light parts of Flownodes stay light to import."""

import subprocess
import sys

import pytest

HEAVY = ["anyio", "asyncio", "flowruntime.engine", "flowruntime.runtime"]


def loaded_after(statement: str, names: list[str]) -> list[str]:
    """Which of these modules a fresh interpreter has loaded after this statement."""
    code = f"{statement}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("statement", ["import flowruntime", "import flowruntime.authoring"])
def test_authoring_loads_neither_anyio_nor_the_engine(statement: str) -> None:
    assert loaded_after(statement, HEAVY) == []


def test_a_loaded_module_is_noticed() -> None:
    assert loaded_after("import anyio", HEAVY) == ["anyio"]
    assert loaded_after("import asyncio", HEAVY) == ["asyncio"]
