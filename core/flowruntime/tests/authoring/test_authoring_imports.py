"""What importing `flowruntime.authoring` loads, and declaring nodes does."""

import subprocess
import sys

import pytest

LATE = {"anyio", "asyncio", "flowruntime.engine", "httpx", "jmespath", "jsonschema_rs", "msgspec"}
DECLARE = """
from flowruntime.authoring import Context, Expression, definition_of, make_handler, node

@node("a.b", effects="pure")
def function(a: int, ctx: Context, *, when: Expression | None = None) -> int:
    return a

make_handler(definition_of(function), {})
"""


def loaded_after(code: str) -> set[str]:
    """Which of the dear modules a fresh interpreter has loaded."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return LATE.intersection(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_declaring_and_calling_a_plain_node_loads_nothing_dear() -> None:
    assert loaded_after(DECLARE) == set()


@pytest.mark.parametrize("module", sorted(LATE))
def test_a_dear_module_would_be_noticed(module: str) -> None:
    assert module in loaded_after(f"import {module}")
