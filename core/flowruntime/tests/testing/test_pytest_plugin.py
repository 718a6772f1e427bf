"""The plugin is there without an import, costs nearly nothing, and shows the checks of a pack one by one."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.flowruntime.tests.testing.projects import GOOD, write_project

TESTS = """
from pathlib import Path
from flowruntime.testing import conformance

test_conformance = conformance(Path(__file__).parents[1])
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=180)


@pytest.mark.parametrize("statement", ["import flowruntime.testing", "import flowruntime.testing.plugin"])
def test_the_plugin_loads_neither_an_event_loop_nor_the_engine(statement: str) -> None:
    names = ["anyio", "httpx", "msgspec", "flowruntime.engine", "flowruntime.runtime", "flowruntime.registry"]
    # pytest itself brings what it brings.
    code = f"import pytest, sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = ended.stdout.split()
    assert "flowruntime.testing" in loaded
    assert [name for name in names if name in loaded] == []


def test_the_fixtures_are_there_without_an_import(tmp_path: Path) -> None:
    listed = run_pytest(tmp_path, "--fixtures").stdout
    assert "node_harness" in listed
    assert "manual_clock" in listed


def project_with_tests(folder: Path, name: str, code: str = GOOD) -> Path:
    project = write_project(folder, name, code)
    (project / "tests").mkdir()
    (project / "tests" / "test_conformance.py").write_text(TESTS)
    return project


def test_each_check_of_each_type_is_an_item(tmp_path: Path) -> None:
    ended = run_pytest(project_with_tests(tmp_path, "items"), "-v")
    assert ended.returncode == 0, ended.stdout
    assert "test_conformance[catalog] PASSED" in ended.stdout
    assert "test_conformance[examples: items.double] PASSED" in ended.stdout
    assert "10 passed" in ended.stdout


def test_a_check_that_fails_says_what_it_asks_for_and_no_traceback(tmp_path: Path) -> None:
    code = GOOD.replace('title="Double",', "")
    ended = run_pytest(project_with_tests(tmp_path, "untitled", code), "-q")
    assert ended.returncode == 1
    assert "Type, ports and config fields say what they are for." in ended.stdout
    assert 'untitled.double, @node: It has no title. Write title="…" in @node. [descriptions]' in ended.stdout
    assert "Traceback" not in ended.stdout
    assert "1 failed, 9 passed" in ended.stdout


def test_a_pack_that_cannot_be_imported_is_one_item_that_fails(tmp_path: Path) -> None:
    project = project_with_tests(tmp_path, "broken")
    (module,) = project.glob("src/*/__init__.py")
    module.write_text("import nowhere_to_be_found\n")
    ended = run_pytest(project, "-q")
    assert ended.returncode == 1
    assert "nowhere_to_be_found" in ended.stdout
    assert "1 failed in" in ended.stdout
