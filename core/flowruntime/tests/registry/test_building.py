"""Writing and checking the catalogs of a pack project, and what makes a catalog of a package."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import PackError
from flowruntime.registry import Registry, catalog_of, check_catalog, write_catalog

from core.flowruntime.tests.registry.installed_packs import Site, call, node_source

PYPROJECT = """
[project]
name = "acme-pack"
version = "2.5"

[project.entry-points.flownodes]
acme = "acme_pack"
"""


class Project:
    """The sources of a pack."""

    def __init__(self, folder: Path, *, layout: str = "src") -> None:
        self.folder = folder
        self.package = folder / layout / "acme_pack"
        self.package.mkdir(parents=True)
        self.write("__init__.py", node_source("acme.shout", "acme.whisper"))
        (folder / "pyproject.toml").write_text(PYPROJECT)

    def write(self, name: str, source: str) -> None:
        (self.package / name).parent.mkdir(exist_ok=True)
        (self.package / name).write_text(source)

    @property
    def catalog(self) -> Path:
        return self.package / "flownodes.json"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def error_of(project: Project, **options: Any) -> PackError:
    """The error, which both commands give, and after which nothing is written."""
    with pytest.raises(PackError) as caught:
        write_catalog(project.folder, **options)
    assert not project.catalog.exists()
    with pytest.raises(PackError) as again:
        check_catalog(project.folder, **options)
    assert str(again.value) == str(caught.value)
    assert caught.value.remedy
    return caught.value


def declare(project: Project, decorator: str, signature: str = "(text: str) -> str") -> None:
    source = f"from flowruntime.authoring import node, Port\n{decorator}\ndef shout{signature}: ...\n"
    project.write("__init__.py", source)


# --- writing and checking ------------------------------------------------------------------------


def test_a_catalog_is_written_from_the_code(project: Project) -> None:
    assert write_catalog(project.folder) == (project.catalog,)

    text = project.catalog.read_text()
    assert text.startswith('{\n  "catalog": 1,\n  "namespace": "acme",\n  "types": [\n    {\n')
    assert text.endswith("}\n")
    assert [entry["id"] for entry in json.loads(text)["types"]] == ["acme.shout", "acme.whisper"]
    assert json.loads(text)["types"][0]["implementation"] == "acme_pack:shout"


def test_the_same_code_makes_the_same_catalog(project: Project) -> None:
    write_catalog(project.folder)
    first = project.catalog.read_bytes()
    project.write("__init__.py", node_source("acme.whisper", "acme.shout"))
    write_catalog(project.folder)
    assert project.catalog.read_bytes() == first


def test_a_fresh_catalog_passes_the_check(project: Project) -> None:
    write_catalog(project.folder)
    assert check_catalog(project.folder) == []


def test_the_check_shows_what_is_different_and_writes_nothing(project: Project) -> None:
    write_catalog(project.folder)
    before = project.catalog.read_bytes()
    project.write("__init__.py", node_source("acme.shout", "acme.sing"))

    lines = check_catalog(project.folder)

    assert lines[:2] == [
        "--- src/acme_pack/flownodes.json (committed)",
        "+++ src/acme_pack/flownodes.json (from the code)",
    ]
    assert '-      "id": "acme.whisper",' in lines
    assert '+      "id": "acme.sing",' in lines
    assert project.catalog.read_bytes() == before


def test_the_check_shows_a_missing_catalog(project: Project) -> None:
    assert '+  "namespace": "acme",' in check_catalog(project.folder)
    assert not project.catalog.exists()


def test_the_package_may_lie_beside_pyproject(tmp_path: Path) -> None:
    project = Project(tmp_path / "flat", layout=".")
    assert write_catalog(project.folder) == (project.catalog,)


def test_the_project_may_be_named_by_a_relative_path(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    write_catalog(Path())
    project.write("__init__.py", node_source("acme.shout"))
    assert check_catalog(Path())[0] == "--- src/acme_pack/flownodes.json (committed)"


def test_a_project_may_have_several_packs(project: Project) -> None:
    with (project.folder / "pyproject.toml").open("a") as file:
        file.write('more = "more_pack"\n')
    more = project.folder / "src" / "more_pack"
    more.mkdir()
    (more / "__init__.py").write_text(node_source("more.a"))
    assert write_catalog(project.folder) == (project.catalog, more / "flownodes.json")


def test_a_built_catalog_serves_the_registry(importable: Site, project: Project) -> None:
    write_catalog(project.folder)
    importable.add_distribution("acme-pack", {"acme": "acme_pack"})
    project.package.rename(importable.folder / "acme_pack")

    registry = Registry.discover(search_path=importable.path, cache_dir=None)

    assert registry.problems == ()
    node_type = registry.get("acme.shout")
    assert node_type is not None
    assert call(registry.load(node_type), "hi") == "hi"


def test_the_sources_are_imported_and_not_an_installed_pack(importable: Site, project: Project) -> None:
    importable.add_package("acme_pack", node_source("acme.installed"))
    write_catalog(project.folder)
    assert "acme.installed" not in project.catalog.read_text()


def test_this_process_imports_nothing(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.write("__init__.py", node_source("acme.shout", before="print('imported')"))
    write_catalog(project.folder)
    assert "acme_pack" not in sys.modules
    assert capfd.readouterr() == ("", "")


# --- projects that make no catalog ---------------------------------------------------------------


def test_a_folder_without_pyproject_is_no_project(project: Project) -> None:
    (project.folder / "pyproject.toml").unlink()
    assert "There is no" in error_of(project).message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project]\n\nname = ?", "line 3"),
        ('[project]\nname = "acme-pack"', "declares no pack"),
        ("project = 5", "declares no pack"),
        (PYPROJECT.replace("acme_pack", "other_pack"), "'other_pack'"),
        (PYPROJECT.replace("acme =", "http ="), "belongs to the distribution 'flownodes-http'"),
        (PYPROJECT.replace("acme =", "local ="), "no pack may claim it"),
    ],
)
def test_a_project_that_declares_no_good_pack_is_explained(project: Project, text: str, said: str) -> None:
    (project.folder / "pyproject.toml").write_text(text)
    assert said in error_of(project).message


def test_a_failing_import_is_told_with_its_last_line_and_place(project: Project) -> None:
    project.write("inner.py", "x = 1\nraise ValueError('no key')")
    error = error_of(project)
    assert (error.pack, error.code) == ("acme-pack", "inspect.raised")
    assert "ValueError: no key" in error.message
    assert f"{project.package / 'inner.py'}, line 2" in error.message


def test_a_hanging_import_is_told(project: Project) -> None:
    project.write("inner.py", "import threading\nthreading.Event().wait()")
    assert error_of(project, timeout_seconds=0.5).code == "inspect.hung"


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        ("@node('acme.shout', config={'type': 'objct'})", "config schema of the node type 'acme.shout'"),
        ("@node('acme.shout', config={'$ref': '#/$defs/gone'})", "/$defs/gone"),
        ("@node('acme.shout', config={'$ref': 'http://127.0.0.1:9/x'})", "another document"),
        ("@node('acme.shout', config={'type': 'object', 'pattern': '('})", "regex"),
        ("@node('acme.shout', config={'properties': {'a': {'pattern': '^(a|a)*(?=b)$'}}})", "/properties/a/pattern"),
        ("@node('acme.shout', inputs=[Port(name='text', schema={'type': 5})])", "inputs 'text' schema"),
        ("@node('acme.shout', outputs=[Port(name='x', schema={'enum': 5})])", "outputs 'x' schema"),
    ],
)
def test_a_schema_that_is_none_is_refused(project: Project, decorator: str, said: str) -> None:
    declare(project, decorator)
    error = error_of(project)
    assert error.code == "build.schema"
    assert said in error.message
    assert "acme_pack:shout" in error.remedy


def test_an_example_must_keep_to_the_schema_of_its_config(project: Project) -> None:
    signature = "(text: str, *, times: int, mark: str = '!') -> str"
    declare(project, "@node('acme.shout', examples=[{'config': {'times': 1}}, {'config': {'times': 'x'}}])", signature)
    error = error_of(project)
    assert error.code == "build.example"
    assert "Example 2 of the node type 'acme.shout'" in error.message
    assert "acme_pack:shout" in error.remedy

    # The control: a good one passes.
    declare(project, "@node('acme.shout', examples=[{'config': {'times': 1}}])", signature)
    assert write_catalog(project.folder)


# --- what of a package comes into its catalog --------------------------------------------------------


def test_all_public_nodes_of_all_modules_are_collected(importable: Site) -> None:
    folder = importable.add_package("collected", node_source("acme.top", "acme._hidden"))
    (folder / "deep").mkdir()
    (folder / "deep" / "__init__.py").write_text(
        "from collected import top\nfrom collected.deep.er import inner as again"
    )
    (folder / "deep" / "er.py").write_text(f"{node_source('acme.inner')}\nalias = inner")
    (folder / "_private.py").write_text(node_source("acme.private"))
    (folder / "__main__.py").write_text("raise RuntimeError('the program was run')")

    catalog = catalog_of("collected", "acme")

    assert [(node_type.id, node_type.implementation) for node_type in catalog.types] == [
        ("acme.inner", "collected.deep.er:inner"),
        ("acme.private", "collected._private:private"),
        ("acme.top", "collected:top"),
    ]


def test_other_objects_are_not_asked_for_anything(importable: Site) -> None:
    proxy = "class Proxy:\n    def __getattr__(self, name): raise RuntimeError(name)\nproxy = Proxy()\n"
    importable.add_package("proxying", proxy + node_source("acme.a"))
    assert [node_type.id for node_type in catalog_of("proxying", "acme").types] == ["acme.a"]


def test_two_nodes_of_one_id_and_version_are_refused(importable: Site) -> None:
    folder = importable.add_package("doubled", node_source("acme.a"))
    (folder / "more.py").write_text(node_source("acme.a"))
    with pytest.raises(PackError, match=r"doubled:a and doubled\.more:a both declare .*'acme\.a', version 1") as caught:
        catalog_of("doubled", "acme")
    assert (caught.value.pack, caught.value.code) == ("doubled", "inspect.duplicate")


@pytest.mark.parametrize("type_id", ["http.a", "a", "acmes.a", "acme."])
def test_an_id_outside_of_the_namespace_is_refused(importable: Site, type_id: str) -> None:
    source = node_source("acme.fine").replace("'acme.fine'", repr(type_id))
    importable.add_package("outside", source)
    with pytest.raises(PackError, match=r"outside:fine declares") as caught:
        catalog_of("outside", "acme", pack="acme-pack")
    assert (caught.value.pack, caught.value.code) == ("acme-pack", "inspect.namespace")
    assert "@node('acme." in caught.value.remedy


def test_a_signature_that_makes_no_node_type_is_refused_with_its_place(importable: Site) -> None:
    importable.add_package("unclear", node_source("acme.a").replace("text: str", "*text: str"))
    with pytest.raises(PackError, match="unclear:a makes no node type") as caught:
        catalog_of("unclear", "acme")
    assert caught.value.code == "inspect.declaration"


def test_annotations_that_cannot_be_resolved_are_refused_with_their_place(importable: Site) -> None:
    importable.add_package("unknown", node_source("acme.a").replace("text: str", "text: 'Gone'"))
    with pytest.raises(PackError, match="unknown:a makes no node type") as caught:
        catalog_of("unknown", "acme")
    assert "Gone" in caught.value.message
