"""The example of files reads a table in pieces and keeps what is large, in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source_tree import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the data of the example."""
    (tmp_path / "here/examples/data").mkdir(parents=True)
    shutil.copy(ROOT / "examples/data/planets.csv", tmp_path / "here/examples/data")
    return tmp_path / "here"


def run(folder: Path, inputs: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    words = ["run", str(ROOT / "examples/files.json"), "--input", json.dumps(inputs), "--json"]
    environment = {**os.environ, "FLOW_HOME": str(folder.parent / "home")}
    command = [sys.executable, "-m", "flowcli", *words]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return ended.returncode, json.loads(ended.stdout)


def test_what_is_large_is_kept_and_a_second_run_begins_anew(folder: Path) -> None:
    for _ in range(2):
        code, result = run(folder, {})
        made = folder / "build/large_planets.jsonl"
        assert (code, result["outputs"]) == (0, {"file": str(made), "pieces": 3, "large": 4})
        names = [json.loads(line)["name"] for line in made.read_text().splitlines()]
        assert names == ["Jupiter", "Saturn", "Uranus", "Neptune"]


def test_a_file_elsewhere_is_refused_until_flow_toml_allows_it(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    code, result = run(folder, {"to": f"{elsewhere}/planets.jsonl"})
    assert (code, result["error"]["code"]) == (1, "files.outside")
    line = f'roots = ["{folder}", "{elsewhere}"]'
    assert result["error"]["remedy"].endswith(line)
    (folder / "flow.toml").write_text(f"[files]\n{line}\n")
    assert run(folder, {"to": f"{elsewhere}/planets.jsonl"})[0] == 0
