"""The example of branches takes the ways that its order asks for, without a server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source_tree import ROOT

WRAP = {"wrap": {"do": "wrap it"}}
DECLARE = {"declare": {"do": "declare it at the customs of NO"}}


def order(**fields: Any) -> dict[str, Any]:
    return {"order": {"id": 3, "total": 10, "paid": True, "gift": False, "country": "DE", **fields}}


def run(home: Path, inputs: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "flowcli",
        "run",
        "examples/branches.json",
        "--input",
        json.dumps(inputs),
        "--json",
    ]
    environment = {**os.environ, "FLOW_HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180)


@pytest.mark.parametrize(
    ("inputs", "outputs", "ran"),
    [
        ({}, {"lane": "parcel", "days": 2, "todo": WRAP | DECLARE}, {"parcel", "wrap", "declare"}),
        (order(), {"lane": "letter", "days": 1, "todo": {}}, {"letter"}),
        (order(total=5000, country="NO"), {"lane": "pallet", "days": 5, "todo": DECLARE}, {"pallet", "declare"}),
        (order(total=50, gift=True), {"lane": "parcel", "days": 2, "todo": WRAP}, {"parcel", "wrap"}),
    ],
)
def test_an_order_takes_one_lane_and_all_the_remarks_that_fit(
    tmp_path: Path, inputs: dict[str, Any], outputs: dict[str, Any], ran: set[str]
) -> None:
    ended = run(tmp_path, inputs)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result["outputs"] == outputs
    assert ran <= set(result["completed_nodes"])
    assert {"pallet", "parcel", "letter", "wrap", "declare", "unpaid"} - ran <= set(result["skipped_nodes"])


def test_an_order_that_is_not_paid_fails_the_workflow(tmp_path: Path) -> None:
    ended = run(tmp_path, order(paid=False))
    assert ended.returncode == 1
    error = json.loads(ended.stdout)["error"]
    assert (error["message"], error["code"]) == ("Order 3 is not paid.", "order.unpaid")
