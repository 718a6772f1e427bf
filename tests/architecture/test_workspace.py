"""Checks that the workspace is one: one version, every member known to every tool, nothing of one machine."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source_tree import ROOT, files, members, project

# Written in parts, or this file would be its own finding.
REGISTRIES = [f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs", "debian")]


def version_problems(projects: list[dict[str, Any]]) -> list[str]:
    """Distributions whose version differs from the first one's, or that pin another one differently."""
    names = {table["project"]["name"] for table in projects}
    version = projects[0]["project"]["version"]
    found = []
    for table in (table["project"] for table in projects):
        if table["version"] != version:
            found.append(f"{table['name']} has version {table['version']}")
        extras = table.get("optional-dependencies", {}).values()
        for requirement in [*table.get("dependencies", []), *(item for extra in extras for item in extra)]:
            name = re.split(r"[^\w-]", requirement, maxsplit=1)[0]
            if name in names and not requirement.endswith(f"=={version}"):
                found.append(f"{table['name']} requires {requirement}")
    return found


def traces(content: bytes, folders: list[Path]) -> list[bytes]:
    """Addresses of package registries, and paths under these folders, in what a file contains."""
    hosts = [rf"\b{re.escape(host)}\b" for host in REGISTRIES]
    paths = [rf"(?<![\w.-]){re.escape(str(folder))}/[\w.]" for folder in folders]
    return re.findall("|".join(hosts + paths).encode(), content)


def test_every_distribution_has_the_same_version_and_pins_the_others_to_it() -> None:
    projects = [project(), *(project(member.folder) for member in members())]
    assert len(projects) > 1
    assert version_problems(projects) == []


def test_every_member_is_known_to_every_tool() -> None:
    tools = project()["tool"]
    names = {member.name for member in members()}
    packages = {member.package.name for member in members()}
    house = next(contract for contract in tools["importlinter"]["contracts"] if contract["id"] == "house")

    assert set(tools["uv"]["sources"]) == names
    sources = {str((member.folder / "src").relative_to(ROOT)) for member in members()}
    assert set(tools["mypy"]["mypy_path"]) == sources | {"examples/third-party-pack/src"}  # an outsider's, no member
    assert set(tools["importlinter"]["root_packages"]) == packages
    assert {name.strip() for layer in house["layers"] for name in layer.split("|")} == packages


def test_every_pack_is_bound_by_the_layer_rules_and_has_its_catalog_checked() -> None:
    tools = project()["tool"]
    packs = [member for member in members() if "flownodes" in project(member.folder)["project"].get("entry-points", {})]
    rule = next(contract for contract in tools["importlinter"]["contracts"] if contract["id"] == "packs")

    assert set(rule["source_modules"]) == {pack.package.name for pack in packs}
    assert {task["cwd"] for task in tools["poe"]["tasks"]["packs"]["sequence"]} == {
        str(pack.folder.relative_to(ROOT)) for pack in packs
    }


def test_every_package_tells_type_checkers_that_it_has_types() -> None:
    assert [member.name for member in members() if not (member.package / "py.typed").is_file()] == []


def test_no_file_names_a_registry_or_a_place_on_this_machine() -> None:
    folders = [ROOT, Path.home()]
    found = {path.relative_to(ROOT): traces(path.read_bytes(), folders) for path in files()}
    assert Path("constraints.txt") in found
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_pins_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+( ; [\w.<>!=' ]+)?", line)] == []
    names = {line.partition("==")[0] for line in lines}
    assert {"anyio", "hatchling", "pytest", "uv"} <= names
    assert names.isdisjoint(member.name for member in members())


def test_a_second_version_is_noticed() -> None:
    one = {"project": {"name": "one", "version": "1", "dependencies": ["two[extra]==1", "three>=5"]}}
    two = {"project": {"name": "two", "version": "1", "optional-dependencies": {"x": ["one>=1"]}}}
    four = {"project": {"name": "four", "version": "2"}}
    assert version_problems([one]) == []
    assert version_problems([one, two]) == ["two requires one>=1"]
    assert version_problems([one, four]) == ["four has version 2"]


@pytest.mark.parametrize(
    "content",
    [
        f"https://files.{REGISTRIES[1]}/packages/x.whl",
        f'"resolved": "https://registry.{REGISTRIES[2]}/x"',
        "-e file:///srv/checkout/core",
        "cd /srv/checkout/core",
        "path = '/home/ada/.cache'",
    ],
)
def test_a_registry_or_a_place_on_this_machine_is_noticed(content: str) -> None:
    assert traces(content.encode(), [Path("/srv/checkout"), Path("/home/ada")])


def test_a_name_that_only_looks_like_a_place_is_fine() -> None:
    content = b"docs/srv/checkout/core, /srv/checkout, /home/bob/x, debian"
    assert traces(content, [Path("/srv/checkout"), Path("/home/ada")]) == []
