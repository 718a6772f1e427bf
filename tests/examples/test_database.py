"""Runs the example with a database as its README says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.architecture.source_tree import ROOT


def run(folder: Path, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "flowcli", "run", str(ROOT / "examples/database.json"), "--json", *words]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "FLOW_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stderr
    outputs: dict[str, Any] = json.loads(ended.stdout)["outputs"]
    return outputs


def test_the_database_is_made_and_keeps_what_was_in_it(tmp_path: Path) -> None:
    large = [{"name": "Jupiter", "diameter_km": 142984}, {"name": "Saturn", "diameter_km": 120536}]
    assert run(tmp_path) == {"kept": 4, "large": large}
    uranus = {"name": "Uranus", "diameter_km": 51118}
    again = run(tmp_path, "--input", json.dumps({"planets": [uranus]}))
    assert again == {"kept": 1, "large": [*large, uranus]}
    assert (tmp_path / "planets.db").is_file()
