"""Replays the README: from nothing to one's own node in a workflow, with real processes and a real installation."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.architecture.source_tree import ROOT, project
from tests.docs.documents import blocks_of
from tests.integration.test_wheels import foreign_requirements, uv
from tests.integration.test_wheels import wheels as built_wheels

VERSION = project()["project"]["version"]
#: How long something took is another number each time.
DURATION = re.compile(r"\b\d+(\.\d+)? (ms|s)\b")

wheels = built_wheels


@pytest.fixture(scope="module")
def environment(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment in which `pip install flownodes pytest` has been done, with a `pip` that is uv's."""
    folder = tmp_path_factory.mktemp("newcomer") / "environment"
    uv("venv", folder, cwd=wheels)
    install = ["pip", "install", "--python", str(folder)]
    uv(*install, "--constraint", ROOT / "constraints.txt", "pytest", *foreign_requirements(), cwd=wheels)
    uv(*install, "--no-index", "--find-links", wheels, f"flownodes=={VERSION}", cwd=wheels)
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\ntask="$1"; shift\nexec "{find_uv_bin()}" pip "$task" --python "{folder}" "$@"\n')
    pip.chmod(0o755)
    return folder


@pytest.fixture
def shell(environment: Path, tmp_path: Path) -> Iterator["Shell"]:
    """An empty folder with that environment on the path; what was installed in it is uninstalled again."""
    made = Shell(environment, tmp_path)
    yield made
    uv("pip", "uninstall", "--python", str(environment), "flownodes-greet", cwd=tmp_path)


class Shell:
    """Runs command lines as a newcomer types them."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self.folder = folder
        passed_on = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**passed_on, "PATH": path, "FLOW_HOME": str(folder / "home")}

    def __call__(self, line: str, *, cwd: str = ".") -> str:
        """What it writes, to either stream; it must end well."""
        ended = subprocess.run(  # noqa: S602 - a line of the README
            line,
            shell=True,
            cwd=self.folder / cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout


def transcript() -> list[tuple[str, str]]:
    """The command lines of the README's transcript, each with what it says that comes out."""
    (block,) = (block for block in blocks_of(ROOT / "README.md") if block.language == "console")
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def without_durations(text: str) -> str:
    return DURATION.sub("N ms", text)


def test_two_commands_lead_from_nothing_to_ones_own_node_in_a_workflow(shell: Shell) -> None:
    lines = transcript()
    assert len(lines) == 2
    assert lines[0][0].startswith("flow pack new ")
    for line, printed in lines:
        assert without_durations(shell(line)) == without_durations(printed)


def test_what_is_installed_is_listed_and_tested_and_a_change_counts_at_once(shell: Shell) -> None:
    for line, _ in transcript():
        shell(line)
    (listed,) = json.loads(shell("flow nodes greet. --json"))["nodes"]
    assert (listed["id"], listed["pack"]) == ("greet.hello", "flownodes-greet")
    assert "13 passed" in shell("pytest", cwd="flownodes-greet")
    assert "All 10 checks passed." in shell("flow pack check", cwd="flownodes-greet")

    shell("flow pack new greet --node good_night")
    module = shell.folder / "flownodes-greet" / "src" / "flownodes_greet" / "good_night.py"
    module.write_text(module.read_text().replace('= "Hello"', '= "Good night"'))
    document = {"name": "Evening", "nodes": [{"id": "n", "node_type": "greet.good_night", "inputs": {"name": "Ada"}}]}
    (shell.folder / "evening.json").write_text(json.dumps(document))
    result = json.loads(shell("flow run evening.json --json 2>/dev/null"))
    assert result["node_outputs"] == {"n": {"result": "Good night, Ada!"}}


def test_a_wheel_of_the_pack_carries_its_catalog_and_its_types(shell: Shell, environment: Path) -> None:
    shell("flow pack new greet")
    uv("build", "--wheel", "--out-dir", shell.folder, shell.folder / "flownodes-greet", cwd=shell.folder)
    shell("pip install --quiet --no-index flownodes_greet-0.1.0-py3-none-any.whl")
    assert json.loads(shell("flow nodes greet. --json"))["problems"] == []
    assert "Hello, world!" in shell("flow run flownodes-greet/examples/hello.json")
    installed = next((environment / "lib").glob("python*/site-packages/flownodes_greet"))
    assert {"flownodes.json", "py.typed"} <= {path.name for path in installed.iterdir()}
