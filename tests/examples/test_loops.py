"""The example of loops packs an order as its inputs ask for, without a server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.architecture.source_tree import ROOT


def run(home: Path, inputs: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "flowcli", "run", "examples/loops.json", "--input", json.dumps(inputs), "--json"]
    environment = {**os.environ, "FLOW_HOME": str(home)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180)
    return ended.returncode, json.loads(ended.stdout)


def test_lines_are_priced_packed_and_brought_to_the_first_free_bay(tmp_path: Path) -> None:
    code, result = run(tmp_path, {})
    assert (code, result["status"]) == (0, "succeeded")
    assert result["outputs"] == {
        "totals": [12, 30, 12],
        "faulty": [2],
        "parcels": [[4, 4, 4, 30], [2, 2, 2, 2], [2, 2]],
        "label": "3 parcels to bay B (en)",
    }
    bays = result["node_outputs"]["bay"]["results"]
    assert bays == [{"bay": "A"}, {"bay": "B"}]  # and no look at the third one


def test_an_order_without_lines_makes_one_empty_parcel(tmp_path: Path) -> None:
    _, result = run(tmp_path, {"lines": [], "bays": [{"id": "Z", "free": True}]})
    assert result["outputs"] == {"totals": [], "faulty": [], "parcels": [[]], "label": "1 parcels to bay Z (en)"}


def test_without_a_bay_there_is_no_label(tmp_path: Path) -> None:
    code, result = run(tmp_path, {"lines": [], "bays": []})
    assert (code, result["error"]["node_id"], result["error"]["code"]) == (1, "label", "input.schema")
