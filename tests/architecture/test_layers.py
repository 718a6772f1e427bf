"""Checks that the layer rules in pyproject.toml would notice a breach: the control of `poe imports`.

Each case is a tree of empty packages with the names of the real ones, and one line too many in it.
That the real tree keeps the rules is checked by `poe imports` itself.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, project

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with an empty package for every root package and every layer."""
    settings = project()["tool"]["importlinter"]
    names = {
        f"{container}.{name}"
        for contract in settings["contracts"]
        for container in contract.get("containers", [])
        for layer in contract["layers"]
        for name in re.findall(r"\w+", layer)
    }
    for name in names.union(settings["root_packages"]):
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    return tmp_path


def lint(packages: Path, contract: str) -> str:
    """What import-linter says of this contract in these packages."""
    options = ["--no-logo", "--no-cache", "--config", str(ROOT / "pyproject.toml"), "--contract", contract]
    ended = subprocess.run(
        [LINT_IMPORTS, *options],
        cwd=packages,
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode == 0) == ("1 kept, 0 broken" in ended.stdout)
    assert (ended.returncode == 1) == ("0 kept, 1 broken" in ended.stdout)
    return ended.stdout


@pytest.mark.parametrize(
    ("contract", "importer", "imported"),
    [
        ("house", "flowcore.errors", "flowruntime.clock"),
        ("house", "flowruntime.clock", "flownodes_time"),
        ("house", "flownodes_http", "flownodes_transform"),
        ("house", "flowcli", "flownodes_debug"),
        ("packs", "flownodes_control", "flowruntime"),
        ("packs", "flownodes_http", "flowruntime.runtime"),
        ("packs", "flownodes_debug", "flowruntime.engine.machine"),
        ("runtime", "flowruntime.clock", "flowruntime.authoring"),
        ("runtime", "flowruntime.authoring", "flowruntime.engine"),
        ("runtime", "flowruntime.journal", "flowruntime.runtime"),
        ("engine", "flowruntime.engine.machine", "flowruntime.engine.executor"),
        ("core", "flowcore.errors", "flowcore.values"),
        ("core", "flowcore.documents", "flowcore.validation"),
    ],
)
def test_an_import_against_the_layers_is_noticed(packages: Path, contract: str, importer: str, imported: str) -> None:
    packages.joinpath(*importer.split("."), "__init__.py").write_text(f"import {imported}\n")
    assert f"{importer} -> {imported}" in lint(packages, contract)


@pytest.mark.parametrize(
    ("contract", "module"),
    [
        ("runtime", "flowruntime.surprise"),
        ("engine", "flowruntime.engine.surprise"),
        ("core", "flowcore.surprise"),
    ],
)
def test_a_module_outside_the_layers_is_noticed(packages: Path, contract: str, module: str) -> None:
    packages.joinpath(*module.split(".")).with_suffix(".py").touch()
    assert "surprise" in lint(packages, contract)


@pytest.mark.parametrize("contract", ["house", "packs", "runtime", "engine", "core"])
def test_imports_along_the_layers_are_fine(packages: Path, contract: str) -> None:
    lines = "import flowcore.values, flowruntime.authoring\nfrom flowruntime import http\n"
    (packages / "flownodes_http" / "__init__.py").write_text(lines)
    (packages / "flowruntime" / "plan" / "__init__.py").write_text("import flowruntime.expressions\n")
    assert "KEPT" in lint(packages, contract)
