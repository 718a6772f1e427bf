"""The blocks of docs/writing-nodes.md, which build on each other: together they are one module."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flowruntime import Runtime
from flowruntime.registry import Registry, load_nodes_file

from tests.architecture.source_tree import ROOT
from tests.docs.documents import Block, blocks_of

BLOCKS = blocks_of(ROOT / "docs" / "writing-nodes.md")
PYTHON = [block for block in BLOCKS if block.language == "python"]


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """All Python blocks as one module, which is a file of tests too."""
    file = tmp_path / "test_blocks.py"
    file.write_text("\n\n".join(block.text for block in PYTHON), encoding="utf-8")
    return file


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "FLOW_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_there_is_something_to_run() -> None:
    assert len(PYTHON) >= 10
    assert all(block.is_run for block in PYTHON)


def test_the_blocks_run_and_print_what_the_document_says(module: Path) -> None:
    ended = run(module, folder=module.parent)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "".join(block.prints for block in PYTHON)


def test_the_tests_in_the_document_pass(module: Path) -> None:
    (module.parent / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n", encoding="utf-8")
    ended = run("-m", "pytest", "-q", "-p", "no:cacheprovider", module, folder=module.parent)
    assert ended.returncode == 0, ended.stdout
    assert "3 passed" in ended.stdout


def test_the_workflow_uses_the_first_block(tmp_path: Path) -> None:
    (workflow,) = (block for block in BLOCKS if block.language == "json")
    file = tmp_path / "my_nodes.py"
    file.write_text(PYTHON[0].text.rpartition("print")[0], encoding="utf-8")
    runtime = Runtime(registry=Registry.discover(), nodes=load_nodes_file(file))
    assert runtime.check(workflow.text).problems == ()
    result = runtime.run_sync(json.loads(workflow.text))
    assert result.outputs == {"log": {"message": "HELLO!!!"}}


def test_every_python_block_is_formatted_like_the_code(tmp_path: Path) -> None:
    def name(block: Block) -> str:
        return f"line_{block.line}.py"

    for block in PYTHON:
        (tmp_path / name(block)).write_text(block.text, encoding="utf-8")
    ended = run("-m", "ruff", "format", "--check", "--config", ROOT / "pyproject.toml", tmp_path, folder=tmp_path)
    assert ended.returncode == 0, ended.stdout
