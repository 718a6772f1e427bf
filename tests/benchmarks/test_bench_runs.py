"""Runs the benchmarks with tiny sizes: table and JSON are well-formed, both sides compute the same.

No time is judged.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flowruntime import Runtime
from flowruntime.registry import Registry

from benchmarks.by_hand import run_by_hand
from benchmarks.child import cost_of
from benchmarks.measuring import compare, interleave
from benchmarks.packs import install_packs
from benchmarks.rows import Row, Target
from benchmarks.shapes import NODES, Document, chain, dag, dependencies, fan
from benchmarks.soak import soak
from tests.architecture.source_tree import ROOT

IN_MEMORY = ("chain", "fan", "dag", "runs", "value", "plan", "sleep", "followers")
FIELDS = ["name", "unit", "ours", "raw", "ratio", "spread", "against", "missing", "target", "met"]


def benchmarks(*words: str) -> str:
    """What the command writes to stdout; it must end well."""
    command = [sys.executable, "-m", "benchmarks", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


# --- what is printed ---------------------------------------------------------------------------------


def test_the_table_has_a_line_for_each_measurement_below_the_surroundings() -> None:
    about, empty, headings, *lines = benchmarks("--quick", "--only", "fan", "dag").splitlines()
    assert about.startswith("Python 3.")
    assert "fsync" in about
    assert empty == ""
    assert headings.split() == ["unit", "ours", "raw", "ratio", "±", "target", "met", "raw", "is"]
    assert [line.split("  ")[0] for line in lines] == ["fan 1 → 5 → 1", "DAG of 30 in 10 layers"]


def test_the_json_has_every_field_of_every_row(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    assert benchmarks("table", "--quick", "--only", *IN_MEMORY, "--json", str(file)) == ""
    data = json.loads(file.read_text())
    assert list(data["surroundings"]) == ["python", "cpus", "load_at_start", "load_at_end", "fsync_ms"]
    assert [list(row) for row in data["rows"]] == [FIELDS] * len(data["rows"])
    assert {row["unit"] for row in data["rows"]} >= {"µs a node", "runs/s", "ms", "objects", "nodes/s", "events/s"}
    assert [row["met"] for row in data["rows"] if row["name"].endswith("objects")] == [True]


def test_waiting_executions_are_counted_in_processes_of_their_own() -> None:
    data = json.loads(benchmarks("--quick", "--only", "waiting", "--waiting", "30", "--json", "-"))
    assert {row["name"].partition(": ")[0] for row in data["rows"]} == {"30 waiting executions"}
    assert [row["ours"] for row in data["rows"] if row["name"].endswith("tasks left at the end")] == [0]


def test_the_profile_names_functions_with_their_share() -> None:
    data = json.loads(benchmarks("profile", "runs", "--seconds", "0.3", "--json", "-"))
    assert data["samples"] > 0
    assert all(0 <= row["own_percent"] <= row["total_percent"] <= 100 for row in data["functions"])
    assert any("executor/" in row["function"] for row in data["functions"])


def test_a_soak_ends_with_no_task_left() -> None:
    steps = asyncio.run(soak(30))
    assert [step.runs for step in steps] == list(range(3, 31, 3))
    assert {step.tasks for step in steps} == {0}


# --- what is compared --------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [chain(7), fan(5), dag(30)], ids=["chain", "fan", "dag"])
async def test_the_engine_and_the_hand_written_program_compute_the_same(document: Document) -> None:
    value = {"a": 42}
    async with Runtime(nodes=NODES) as runtime:
        # The nodes without arrows take the execution's inputs by the names of their ports.
        result = await runtime.run(document, {"value": value})
    by_hand = await run_by_hand(dependencies(document), value)
    by_engine = [result.node_outputs[entry["id"]]["result"] for entry in document["nodes"]]
    assert by_engine == by_hand == [value] * len(document["nodes"])


def test_the_packs_that_are_made_are_installed_without_a_problem(tmp_path: Path) -> None:
    install_packs(tmp_path, 2, 3)
    registry = Registry.discover(search_path=[str(tmp_path)], cache_dir=None)
    assert registry.problems == ()
    assert sorted(row.id for row in registry.rows()) == [
        f"bench{pack:02}.action_{n:02}" for pack in (0, 1) for n in (0, 1, 2)
    ]


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        cost_of([sys.executable, "-c", "import sys; sys.exit('no such thing')"])
    assert (caught.value.returncode, caught.value.stderr) == (1, b"no such thing\n")


def test_the_memory_of_a_command_is_its_own_and_not_that_of_the_process_that_starts_it() -> None:
    ballast = bytearray(b"x" * 100_000_000)
    peak = cost_of([sys.executable, "-c", "pass"]).peak_bytes
    assert 1_000_000 < peak < len(ballast)


async def test_both_sides_take_turns() -> None:
    turns: list[str] = []

    async def ours() -> float:
        turns.append("ours")
        return 2.0

    async def raw() -> float:
        turns.append("raw")
        return 4.0

    found = compare(*await interleave(ours, raw, rounds=2))
    assert turns == ["ours", "raw"] * 2
    assert (found.ours, found.raw, found.ratio, found.spread) == (2.0, 4.0, 0.5, 0.0)


async def test_no_round_begins_when_the_time_is_up_but_the_first() -> None:
    async def side() -> float:
        return 1.0

    assert await interleave(side, side, rounds=3, seconds=0) == [[1.0], [1.0]]


@pytest.mark.parametrize(
    ("target", "figures", "text", "met"),
    [
        (Target(at_most=0.8), {"ratio": 0.8}, "≤ ×0.8", True),
        (Target(at_most=0.8), {"ratio": 0.81}, "≤ ×0.8", False),
        (Target(at_least=0.4), {"ratio": 0.4}, "≥ ×0.4", True),
        (Target(at_least=0.4), {"ratio": 0.39}, "≥ ×0.4", False),
        (Target(of="ours", at_most=5), {}, "≤ 5", True),
        (Target(of="ours", at_most=4), {}, "≤ 4", False),
        (Target(of="ours", at_most=0), {}, "≤ 0", False),
    ],
)
def test_a_target_is_met_up_to_its_bound(target: Target, figures: dict[str, Any], text: str, *, met: bool) -> None:
    assert (str(target), Row(name="row", unit="s", ours=5, target=target, **figures).met) == (text, met)


def test_without_a_target_nothing_is_met_or_missed() -> None:
    assert Row(name="row", unit="s", ours=5).met is None
