"""Runs each example as its README says, against a server on loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.make_run import serving
from tests.architecture.source_tree import ROOT

EXAMPLES = ROOT / "examples"
WORKFLOWS = sorted(path.name for path in EXAMPLES.glob("*.json"))

# Waits for a Ctrl-C, takes its time, and ends in its own way.
PATIENT = """
import signal, sys, time
def leave(number, frame):
    print("left", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, leave)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""
RUNS_THE_PATIENT = "import sys; from examples.make_run import run_to_its_end as run; sys.exit(run(sys.argv[1:]))"
INTERRUPTED_AT_THE_END = """
import os, signal, sys
from examples.make_run import run_to_its_end

waitpid = os.waitpid

def interrupted(*given):
    ended = waitpid(*given)
    signal.raise_signal(signal.SIGINT)
    return ended

os.waitpid = interrupted
sys.exit(run_to_its_end([sys.executable, "-c", "raise SystemExit(7)"]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**os.environ, "FLOW_HOME": str(tmp_path_factory.mktemp("home")), "TERM": "dumb"}


@pytest.fixture(scope="module")
def data() -> Iterator[str]:
    with serving(EXAMPLES / "data") as url:
        yield url


def flow(environment: dict[str, str], *words: str) -> Any:
    """What `flow` writes to stdout, which must be JSON; it must end well."""
    command = [sys.executable, "-m", "flowcli", *words]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def run_example(environment: dict[str, str], name: str, inputs: dict[str, Any], *words: str) -> Any:
    return flow(environment, "run", f"examples/{name}", "--input", json.dumps(inputs), "--json", *words)


def test_every_example_is_valid_without_a_warning(environment: dict[str, str]) -> None:
    files = [f"examples/{name}" for name in WORKFLOWS]
    found = flow(environment, "validate", *files, "--strict", "--nodes", "examples/my_nodes.py", "--json")
    assert found == {"files": [{"file": file, "valid": True, "problems": []} for file in files]}


def test_every_example_is_listed_in_the_readme() -> None:
    text = (EXAMPLES / "README.md").read_text()
    pack = EXAMPLES / "third-party-pack"  # has a README of its own, as a whole
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in {".json", ".py"} and not path.is_relative_to(pack)]
    assert f"({pack.name}/README.md)" in text
    assert [path.name for path in files if path.name not in text] == []


def test_strong_earthquakes_raise_the_alarm(environment: dict[str, str], data: str) -> None:
    result = run_example(environment, "earthquakes.json", {"url": f"{data}/strongest_earthquakes.json"})
    assert result["outputs"] == {
        "alarm": True,
        "strongest": [
            {"magnitude": 9.5, "place": "Valdivia, Chile"},
            {"magnitude": 9.2, "place": "Prince William Sound, Alaska"},
            {"magnitude": 9.1, "place": "Tohoku, Japan"},
        ],
    }
    assert result["skipped_nodes"] == ["calm"]


def test_weaker_ones_than_the_input_asks_for_do_not(environment: dict[str, str], data: str) -> None:
    inputs = {"url": f"{data}/strongest_earthquakes.json", "alarm_magnitude": 9.6}
    result = run_example(environment, "earthquakes.json", inputs)
    assert result["outputs"]["alarm"] is False
    assert (result["completed_nodes"][-1], result["skipped_nodes"]) == ("calm", ["alarm"])


def test_no_earthquakes_at_all_are_calm(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "quiet.json").write_text('{"type": "FeatureCollection", "features": []}')
    with serving(tmp_path) as url:
        result = run_example(environment, "earthquakes.json", {"url": f"{url}/quiet.json"})
    assert result["outputs"] == {"alarm": False, "strongest": []}


def test_the_parallel_example_brings_both_documents_together(environment: dict[str, str], data: str) -> None:
    names = ("planets.json", "strongest_earthquakes.json")
    inputs = dict(zip(("first", "second"), (f"{data}/{name}" for name in names), strict=True))
    result = run_example(environment, "parallel.json", inputs)
    texts = [(EXAMPLES / "data" / name).read_text() for name in names]
    assert result["node_outputs"]["merge"]["merged"] == dict(zip(("one", "two"), texts, strict=True))
    assert result["outputs"] == {"sizes": [len(text) for text in texts]}


def test_the_example_of_a_node_of_ones_own_uses_it(environment: dict[str, str]) -> None:
    inputs = {"text": "word " * 250}
    result = run_example(environment, "my_workflow.json", inputs, "--nodes", "examples/my_nodes.py")
    assert result["outputs"] == {"minutes": 2.5}


def test_a_node_of_ones_own_takes_ten_lines() -> None:
    assert len((EXAMPLES / "my_nodes.py").read_text().splitlines()) <= 10


# --- make run ----------------------------------------------------------------------------------------


def make_run(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / "make_run.py")]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=180
    )


def test_make_run_says_what_it_runs_and_runs_it(environment: dict[str, str], tmp_path: Path) -> None:
    ended = make_run({**environment, "FLOW_HOME": str(tmp_path)}, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "flow.db").exists()
    about, command, *output = ended.stdout.splitlines()
    assert about.startswith("Ten of the strongest earthquakes since 1900, served by http://127.0.0.1:")
    assert command.startswith('$ flow run examples/earthquakes.json --input \'{"url": "http://127.0.0.1:')
    assert json.loads("".join(output))["alarm"] is True
    assert "fetch: GET http://127.0.0.1:" in ended.stderr


def test_make_run_needs_no_network_and_no_proxy(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    assert make_run({**environment, **nowhere}, tmp_path).returncode == 0


def test_make_run_ends_with_the_exit_code_of_flow(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "flow.toml").write_text("not TOML")
    ended = make_run({**environment, "FLOW_HOME": str(tmp_path)}, tmp_path)
    assert ended.returncode == 3
    assert "flow.toml" in ended.stderr


def test_ctrl_c_is_left_to_the_command_which_is_waited_for() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUNS_THE_PATIENT, sys.executable, "-c", PATIENT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert (process.returncode, out, err) == (130, "left\n", "")


def test_a_ctrl_c_right_at_the_end_of_the_command_loses_no_exit_code() -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_THE_END], cwd=ROOT, check=False, timeout=180)
    assert ended.returncode == 7
