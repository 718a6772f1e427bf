"""Checks that `flownodes`, installed from wheels into an empty environment, works away from this tree."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from uv import find_uv_bin

from tests.architecture.source_tree import ROOT, members, project

VERSION = project()["project"]["version"]
WORKFLOW = {
    "name": "Greet",
    "nodes": [
        {
            "id": "greet",
            "node_type": "transform.set",
            "config": {"fields": {"text": "Hello, ${{ input.name }}"}},
        },
        {"id": "write", "node_type": "transform.json_stringify"},
    ],
    "connections": [{"from_node": "greet", "from_port": "value", "to_node": "write", "to_port": "value"}],
}


class Installed(NamedTuple):
    """An environment with `flownodes[all]` in it, and an unrelated folder to work in."""

    environment: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """What one of its programs prints; the program must end well."""
        passed_on = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        ended = subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.folder,
            env={**passed_on, "FLOW_HOME": str(self.folder / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def uv(*arguments: str | Path, cwd: Path) -> None:
    """Runs uv; what it says is shown when it fails."""
    ended = subprocess.run([find_uv_bin(), *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def foreign_requirements() -> list[str]:
    """What our distributions require from others."""
    tables = [project(member.folder)["project"] for member in members()]
    extras = [items for table in tables for items in table.get("optional-dependencies", {}).values()]
    own = {member.name for member in members()}
    requirements = {item for items in [*(table["dependencies"] for table in tables), *extras] for item in items}
    return sorted(item for item in requirements if re.split(r"[^\w-]", item, maxsplit=1)[0] not in own)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of all distributions, built by this environment's hatchling."""
    folder = tmp_path_factory.mktemp("wheels")
    # Without isolation, so that building asks no index; the root's pyproject says where the members are.
    options = ["--all-packages", "--wheel", "--no-build-isolation", "--python", sys.executable]
    uv("build", *options, "--out-dir", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = folder / "environment"
    uv("venv", "--python", sys.executable, environment, cwd=folder)
    # Two steps, so that ours can only come from the wheels, whatever an index has under our names.
    install = ["pip", "install", "--python", str(environment)]
    uv(*install, "--constraint", ROOT / "constraints.txt", *foreign_requirements(), cwd=folder)
    uv(*install, "--no-index", "--find-links", wheels, f"flownodes[all]=={VERSION}", cwd=folder)
    return Installed(environment, folder)


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_every_wheel_carries_its_types_and_every_pack_its_catalog(wheels: Path) -> None:
    for member in members():
        package = member.package.name
        names = names_in(wheels / f"{package}-{VERSION}-py3-none-any.whl")
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
        assert (f"{package}/flownodes.json" in names) == member.is_pack
        assert {name.partition("/")[0] for name in names} == {package}


def test_the_distribution_flownodes_carries_no_code(wheels: Path) -> None:
    assert names_in(wheels / f"flownodes-{VERSION}-py3-none-any.whl") == set()


def test_installing_flownodes_with_all_extras_installs_every_member(installed: Installed) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    assert {member.name for member in members()} < set(json.loads(installed.run("python", "-c", code)))


def test_flow_nodes_lists_the_node_types_of_the_installed_packs(installed: Installed) -> None:
    listed = json.loads(installed.run("flow", "nodes", "--json"))
    names = {entry["id"] for entry in listed["nodes"]}
    assert {"http.request", "transform.set", "time.delay", "debug.log", "control.if"} <= names
    assert json.loads(installed.run("python", "-m", "flowcli", "nodes", "--json")) == listed


def test_flow_run_runs_a_workflow(installed: Installed) -> None:
    file = installed.folder / "greet.json"
    file.write_text(json.dumps(WORKFLOW))
    result = json.loads(installed.run("flow", "run", str(file), "--input", '{"name": "Ada"}', "--json"))
    assert result["status"] == "succeeded"
    assert result["completed_nodes"] == ["greet", "write"]
    assert json.loads(result["outputs"]["write"]["json"]) == {"text": "Hello, Ada"}
