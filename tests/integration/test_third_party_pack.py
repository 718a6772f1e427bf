"""Builds the pack of an outsider into a wheel, installs it, and uses all that it brings, with real processes."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source_tree import ROOT
from tests.integration.test_wheels import uv

PACK = ROOT / "examples" / "third-party-pack"
WORKFLOW: dict[str, Any] = {
    "name": "Shelf",
    "nodes": [
        {"id": "number", "node_type": "shelf.isbn", "inputs": {"text": "978-0-306-40615-7"}},
        {
            "id": "find",
            "node_type": "shelf.find",
            "config": {"database": "${{ vars.database }}"},
            "inputs": {"title": "sea"},
        },
        {"id": "read", "node_type": "shelf.read_books", "config": {"limit": "${{ to_number(secrets.MOST) }}"}},
        {
            "id": "judge",
            "node_type": "transform.set",
            "config": {"fields": {"right": "${{ is_isbn(nodes.number.result) }}"}},
        },
    ],
    "vars": {"database": "shelf.db"},
}


class Outsider:
    """A folder to work in, with the pack installed beside what this environment has."""

    def __init__(self, installed: Path, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FLOW_", "SHELF_"))},
            "PYTHONPATH": str(installed),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FLOW_HOME": str(folder / "home"),
        }

    def flow(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """What `flow` says with these variables set."""
        return subprocess.run(
            [sys.executable, "-m", "flowcli", *arguments],
            cwd=self.folder,
            env={**self.environment, **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def nodes(self, **settings: str) -> tuple[dict[str, bool], list[str]]:
        """The node types of the pack, and which of them are dynamic; the codes of all problems."""
        listed = json.loads(self.flow("nodes", "shelf.", "--json", **settings).stdout)
        codes = [problem["code"] for problem in listed["problems"]]
        return {node["id"]: node["dynamic"] for node in listed["nodes"]}, codes

    def write(self, document: dict[str, Any]) -> None:
        (self.folder / "shelf.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, PACK, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    uv("pip", "install", "--no-index", "--no-deps", "--python", sys.executable, "--target", folder, wheel, cwd=folder)
    return folder


@pytest.fixture
def outsider(installed: Path, tmp_path: Path) -> Outsider:
    connection = sqlite3.connect(tmp_path / "shelf.db")
    connection.execute("CREATE TABLE books (title TEXT, year INTEGER)")
    connection.execute("INSERT INTO books VALUES ('The Sea', 2005), ('Emma', 1815)")
    connection.commit()
    connection.close()
    return Outsider(installed, tmp_path)


def test_its_wheel_carries_its_catalog_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert {"flownodes.json", "py.typed", "hooks.py"} <= names


def test_its_own_tests_and_the_rules_of_all_packs_pass(outsider: Outsider) -> None:
    checked = outsider.flow("pack", "check", str(PACK))
    assert checked.returncode == 0, checked.stdout
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PACK)]
    ended = subprocess.run(command, cwd=PACK, env=outsider.environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_its_node_types_are_listed_and_those_of_tables_only_while_there_are_tables(outsider: Outsider) -> None:
    static = {"shelf.compress": False, "shelf.find": False, "shelf.isbn": False}
    assert outsider.nodes() == (static, [])
    assert outsider.nodes(SHELF_DATABASE="shelf.db") == ({**static, "shelf.read_books": True}, [])
    shown = outsider.flow("nodes", "shelf.read", SHELF_DATABASE="shelf.db").stdout
    assert "v1 dynamic" in shown
    assert outsider.flow("nodes", "show", "shelf.read_books", SHELF_DATABASE="shelf.db").returncode == 0
    assert outsider.nodes(SHELF_DATABASE="nowhere.db") == (static, ["hooks.call"])


def test_every_hook_does_its_part_in_one_run(outsider: Outsider) -> None:
    outsider.write(WORKFLOW)
    secrets = outsider.folder / "secrets"
    secrets.mkdir()
    (secrets / "MOST").write_text("1\n")
    settings = {
        "SHELF_DATABASE": "shelf.db",
        "SHELF_SECRETS": str(secrets),
        "SHELF_SLOW_MS": "0",
        "SHELF_LEDGER": str(outsider.folder / "ledger"),
    }
    ended = outsider.flow("run", "shelf.json", "--json", **settings)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result["node_outputs"] == {
        "number": {"result": "9780306406157"},
        "find": {"books": [{"title": "The Sea", "year": 2005}]},
        "read": {"result": [{"title": "The Sea", "year": 2005}]},
        "judge": {"value": {"right": True}},
    }
    assert ended.stderr.count(" ms.") == len(result["node_outputs"])
    assert (outsider.folder / "ledger").read_text() == f"{result['execution_id']} succeeded\n"


def test_without_its_tables_a_document_is_told_what_is_missing_and_others_run(outsider: Outsider) -> None:
    outsider.write(WORKFLOW)
    ended = outsider.flow("validate", "shelf.json")
    assert ended.returncode == 2
    assert "flownodes-shelf makes no such type at present" in ended.stdout + ended.stderr
    outsider.write({**WORKFLOW, "nodes": WORKFLOW["nodes"][:1]})
    assert outsider.flow("run", "shelf.json", SHELF_DATABASE="nowhere.db").returncode == 0


def test_the_doctor_tells_whether_its_hooks_work(outsider: Outsider) -> None:
    def findings(**settings: str) -> list[tuple[str, str, str]]:
        found = json.loads(outsider.flow("doctor", "--json", **settings).stdout)["findings"]
        shelf = [one for one in found if one.get("pack") == "flownodes-shelf"]
        return [(one["check"], one["status"], one.get("code", "")) for one in shelf]

    assert findings(SHELF_DATABASE="shelf.db") == [("pack", "ok", ""), ("hooks", "ok", "")]
    assert findings(SHELF_DATABASE="nowhere.db") == [("pack", "ok", ""), ("hooks", "problem", "hooks.call")]
