"""DBOS is installed once, measured beside ours, and missed without harm. A wheel made here stands for the real one."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dbos.environment import VERSION, DbosMissingError, dbos_python
from benchmarks.dbos.process import dbos_process
from tests.architecture.source_tree import ROOT

STAND_IN = """
import sqlite3

class DBOS:
    def __init__(self, *, config):
        self.kept = config["system_database_url"].removeprefix("sqlite:///")
        DBOS.made = self

    @staticmethod
    def step():
        return lambda function: function

    workflow = step

    @staticmethod
    def launch():
        DBOS.connection = sqlite3.connect(DBOS.made.kept)

    @staticmethod
    def destroy():
        DBOS.connection.close()
"""


@pytest.fixture(autouse=True)
def _nothing_cached_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_OFFLINE", "1")


def offer(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uv find a package of that name and version, with that code."""
    metadata = f"dbos-{VERSION}.dist-info"
    with zipfile.ZipFile(folder / f"dbos-{VERSION}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("dbos.py", code)
        wheel.writestr(f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: dbos\nVersion: {VERSION}\n")
        wheel.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{metadata}/RECORD", "")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))


def durable_runs() -> list[dict[str, Any]]:
    """The rows on small runs, as the command gives them."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "durable", "--json", "-"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return [row for row in json.loads(ended.stdout)["rows"] if row["name"].startswith("durable runs")]


def test_runs_are_compared_with_the_dbos_that_was_installed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path, STAND_IN, monkeypatch)
    python = dbos_python()
    monkeypatch.delenv("UV_FIND_LINKS")  # a second time it could not be installed
    assert dbos_python() == python
    rows = durable_runs()
    assert [row["target"] for row in rows] == ["≥ ×5", "≥ 3000", None, None]
    for row in rows:
        assert row["against"] == f"DBOS {VERSION}, journal_mode=DELETE, synchronous=FULL"
        assert row["missing"] is None
        assert row["ours"] > 0
        assert row["raw"] > 0
        assert row["ratio"] > 0


def test_where_dbos_cannot_be_installed_the_rows_say_why_and_the_rest_is_measured() -> None:
    rows = durable_runs()
    assert len(rows) == 4
    for row in rows:
        assert row["ours"] > 0
        assert (row["raw"], row["ratio"]) == (None, None)
        assert row["missing"].startswith("DBOS could not be installed: ")
        assert "dbos was not found in the cache" in row["missing"]
    assert rows[0]["met"] is None  # a ratio to nothing is neither met nor missed


def test_an_installation_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DbosMissingError):
        dbos_python()
    assert list((tmp_path / "home").rglob("bin")) == []


async def test_a_dbos_that_does_not_work_is_missing_with_its_own_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = STAND_IN.replace("sqlite3.connect(DBOS.made.kept)", "sqlite3.connect('/no/such/folder/at/all')")
    offer(tmp_path, broken, monkeypatch)
    with pytest.raises(DbosMissingError, match=r"^DBOS has ended: .*unable to open database file$"):
        async with dbos_process():
            pass
