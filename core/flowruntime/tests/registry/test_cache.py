"""The warm path: what it costs, when it holds, and what happens to its file."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import InstallationError
from flowruntime.registry import PackSettings, Registry, cache_files
from flowruntime.registry.lookup import Registry as DirectRegistry

from core.flowruntime.tests.registry.installed_packs import (
    EARLIER,
    LATER,
    Site,
    catalog_json,
    node_source,
    set_age,
)

# What a list must not load: the metadata libraries, and what costs more than the list itself.
DEAR = [
    "anyio",
    "asyncio",
    "dataclasses",
    "flowcore.errors",
    "flowcore.packs",
    "flowruntime.authoring",
    "flowruntime.registry.survey",
    "hashlib",
    "importlib.metadata",
    "importlib_metadata",
    "inspect",
    "jsonschema_rs",
    "msgspec",
    "pathlib",
    "rich",
    "subprocess",
    "tempfile",
    "tomllib",
]
PROGRAM = """
import json, sys
from flowruntime.registry import Registry
registry = Registry.discover(search_path=json.loads(sys.argv[1]))
found = [row.id for row in registry.rows()]
print(json.dumps({"found": found, "loaded": sorted(sys.modules)}))
"""


def start(site: Site) -> "subprocess.Popen[str]":
    """A process that lists the node types, with the cache of this test's FLOW_HOME."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(site.path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answer_of(process: "subprocess.Popen[str]") -> tuple[list[str], set[str]]:
    """The node types that the process found, and the modules that it had loaded by then."""
    out, _ = process.communicate()
    assert process.returncode == 0
    answer = json.loads(out)
    return answer["found"], set(answer["loaded"])


def discover(site: Site, **options: Any) -> Registry:
    return Registry.discover(search_path=site.path, **options)


def cache_files_of(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "cache").glob("packs-*"))


@pytest.fixture
def home() -> Path:
    return Path(os.environ["FLOW_HOME"])


@pytest.fixture
def surveys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with each survey: the sign that the warm path was not taken."""
    made: list[str] = []
    from flowruntime.registry import survey

    real = survey.take_survey

    def counted(**options: Any) -> Any:
        made.append("survey")
        return real(**options)

    monkeypatch.setattr(survey, "take_survey", counted)
    return made


# --- cost ----------------------------------------------------------------------------------------


def test_a_warm_list_imports_neither_metadata_libraries_nor_packs(site: Site) -> None:
    site.add_pack("acme", "a", "b")
    site.add_pack("edited", source=node_source("edited.c"), editable=True, catalog=None)
    expected = ["acme.a", "acme.b", "edited.c"]

    found, loaded = answer_of(start(site))
    assert found == expected
    # The control: the same program with a cold cache loads what it must not load with a warm one.
    assert {"importlib_metadata", "dataclasses", "flowcore.packs", "subprocess"} <= loaded

    found, loaded = answer_of(start(site))
    assert found == expected
    # Tools that extend the interpreter at its start may have loaded some of them already.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], check=True, capture_output=True, text=True
    )
    assert loaded.intersection(DEAR) - set(bare.stdout.split()) == set()
    assert not any(name.startswith("flownodes_") for name in loaded)


def test_importing_the_registry_loads_none_of_its_parts() -> None:
    code = "import sys, flowruntime.registry; print(*[n for n in sys.modules if 'flowruntime' in n])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert loaded.split() == ["flowruntime", "flowruntime.registry"]


def test_every_public_name_is_there() -> None:
    import flowruntime.registry

    for name in flowruntime.registry.__all__:
        assert getattr(flowruntime.registry, name).__name__ == name
    assert Registry is DirectRegistry
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        flowruntime.registry.nothing  # noqa: B018


# --- when it holds -------------------------------------------------------------------------------


def test_a_second_look_takes_the_warm_path(site: Site, surveys: list[str]) -> None:
    site.add_pack("acme", "a")
    site.add_pack("bad", "b", catalog="{")
    cold, warm = discover(site), discover(site)

    assert len(surveys) == 1
    assert warm.rows() == cold.rows()
    assert warm.packs == cold.packs
    assert warm.problems == cold.problems
    assert warm.get("acme.a") == cold.get("acme.a")
    assert warm.explain_missing("bad.b") == cold.explain_missing("bad.b")


def test_without_a_cache_directory_nothing_is_kept(site: Site, home: Path, surveys: list[str]) -> None:
    for _ in range(2):
        discover(site, cache_dir=None)
    assert (len(surveys), list(home.iterdir())) == (2, [])


def test_a_changed_catalog_is_noticed(site: Site) -> None:
    folder = site.add_pack("acme", "a")
    set_age([folder / "flownodes.json"], EARLIER)
    assert discover(site).type_ids() == ["acme.a"]

    # The same number of bytes: the time alone tells.
    (folder / "flownodes.json").write_text(json.dumps(catalog_json("acme", {"acme.b": "flownodes_acme:a"})))
    set_age([folder / "flownodes.json"], LATER)
    assert discover(site).type_ids() == ["acme.b"]


def test_a_change_that_keeps_the_time_is_noticed_by_its_size(site: Site) -> None:
    folder = site.add_pack("acme", "a")
    set_age([folder / "flownodes.json"], EARLIER)
    assert discover(site).type_ids() == ["acme.a"]
    catalog = catalog_json("acme", {"acme.a": "flownodes_acme:a", "acme.b": "flownodes_acme:a"})
    (folder / "flownodes.json").write_text(json.dumps(catalog))
    set_age([folder / "flownodes.json"], EARLIER)
    assert discover(site).type_ids() == ["acme.a", "acme.b"]


def test_a_catalog_that_appears_is_noticed(site: Site) -> None:
    folder = site.add_pack("acme", "a", catalog=None)
    assert len(discover(site).problems) == 1
    (folder / "flownodes.json").write_text(json.dumps(catalog_json("acme", {"acme.a": "flownodes_acme:a"})))
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["acme.a"], ())


def test_an_installed_pack_is_noticed(site: Site) -> None:
    site.add_pack("acme", "a")
    set_age([site.folder], EARLIER)
    discover(site)
    site.add_pack("more", "b")
    assert discover(site).type_ids() == ["acme.a", "more.b"]


def test_an_uninstalled_pack_is_noticed(site: Site) -> None:
    site.add_pack("acme", "a")
    folder = site.add_pack("gone", "b")
    set_age([site.folder], EARLIER)
    assert discover(site).type_ids() == ["acme.a", "gone.b"]
    shutil.rmtree(folder)
    shutil.rmtree(site.folder / "flownodes_gone-1.0.dist-info")
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["acme.a"], ())


def test_a_folder_of_the_search_path_that_appears_is_noticed(site: Site, tmp_path: Path) -> None:
    later = tmp_path / "later"
    path = [*site.path, str(later)]
    assert Registry.discover(search_path=path).type_ids() == []
    Site(later).add_pack("acme", "a")
    assert Registry.discover(search_path=path).type_ids() == ["acme.a"]


def test_a_changed_source_of_an_editable_pack_is_noticed(site: Site) -> None:
    folder = site.add_pack("edited", source=node_source("edited.a"), editable=True, catalog=None)
    set_age([folder / "__init__.py", folder], EARLIER)
    assert discover(site).type_ids() == ["edited.a"]
    (folder / "__init__.py").write_text(node_source("edited.b"))
    set_age([folder / "__init__.py", folder], LATER)
    assert discover(site).type_ids() == ["edited.b"]


def test_a_new_and_a_removed_source_of_an_editable_pack_are_noticed(site: Site) -> None:
    folder = site.add_pack("edited", source=node_source("edited.a"), editable=True, catalog=None)
    set_age([folder], EARLIER)
    assert discover(site).type_ids() == ["edited.a"]
    (folder / "more.py").write_text(node_source("edited.b"))
    set_age([folder], LATER)
    assert discover(site).type_ids() == ["edited.a", "edited.b"]
    (folder / "more.py").unlink()
    set_age([folder], LATER + 1)
    assert discover(site).type_ids() == ["edited.a"]


def test_sources_of_other_packs_do_not_count(site: Site, surveys: list[str]) -> None:
    folder = site.add_pack("acme", "a")
    discover(site)
    (folder / "__init__.py").write_text("x = 1")
    discover(site)
    assert len(surveys) == 1


def test_changed_settings_are_noticed(site: Site) -> None:
    site.add_pack("acme", "a")
    assert discover(site).type_ids() == ["acme.a"]

    settings = Path("flow.toml")
    settings.write_text('[packs]\ndeny = ["flownodes-acme"]\n')
    assert discover(site).type_ids() == []

    settings.write_text("[packs]\n")
    assert discover(site).type_ids() == ["acme.a"]

    settings.write_text("[packs\n")
    with pytest.raises(InstallationError, match=r"flow\.toml"):
        discover(site)

    settings.unlink()
    assert discover(site).type_ids() == ["acme.a"]


def test_given_settings_have_a_snapshot_of_their_own(site: Site, home: Path, surveys: list[str]) -> None:
    site.add_pack("acme", "a")
    denying = PackSettings(deny=("flownodes-acme",))
    for _ in range(2):
        assert discover(site, settings=denying).type_ids() == []
        assert discover(site).type_ids() == ["acme.a"]
    assert len(surveys) == 2
    assert len(cache_files_of(home)) == 2


def test_the_working_directory_does_not_matter(
    site: Site, tmp_path: Path, surveys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add_pack("acme", "a")
    discover(site)
    monkeypatch.chdir(site.folder)
    assert Registry.discover(search_path=[""]).type_ids() == ["acme.a"]
    assert len(surveys) == 1

    monkeypatch.chdir(tmp_path)
    assert Registry.discover(search_path=[""]).type_ids() == []


def test_a_working_directory_that_is_gone_is_harmless(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add_pack("acme", "a")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Registry.discover(search_path=["", *site.path]).type_ids() == ["acme.a"]


# --- its file ------------------------------------------------------------------------------------


def test_the_cache_lies_in_the_users_cache_directory(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLOW_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    discover(site)
    assert len(list((tmp_path / "user" / ".cache" / "flownodes").glob("packs-*.cache"))) == 1

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    discover(site)
    assert len(list((tmp_path / "xdg" / "flownodes").glob("packs-*.cache"))) == 1


@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "other", "replaced by a folder"])
def test_a_damaged_cache_is_made_anew(site: Site, home: Path, surveys: list[str], damage: str) -> None:
    site.add_pack("acme", "a")
    discover(site)
    [name] = cache_files_of(home)
    file = home / "cache" / name
    content = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(content[:-10])
        case "emptied":
            file.write_bytes(b"")
        case "changed":
            file.write_bytes(content.replace(b"acme.a", b"acme.b"))
        case "other":
            file.write_bytes(b"\x00\n{}")
        case _:
            file.unlink()
            file.mkdir()

    registry = discover(site)
    assert registry.type_ids() == ["acme.a"]
    assert registry.get("acme.a") is not None
    assert len(surveys) == 2
    assert [path.name for path in (home / "cache").glob("*.tmp")] == []


def test_a_cache_that_cannot_be_written_is_harmless(site: Site, tmp_path: Path) -> None:
    site.add_pack("acme", "a")
    site.add_pack("edited", source=node_source("edited.b"), editable=True, catalog=None)
    (tmp_path / "file").touch()
    for _ in range(2):
        registry = discover(site, cache_dir=tmp_path / "file" / "cache")
        assert (registry.type_ids(), registry.problems) == (["acme.a", "edited.b"], ())


def test_a_registry_keeps_what_it_found_whatever_happens_to_the_files(site: Site, home: Path) -> None:
    folder = site.add_pack("acme", "a")
    discover(site)
    registry = discover(site)
    shutil.rmtree(folder)
    shutil.rmtree(home / "cache")
    assert registry.get("acme.a") is not None


def test_many_processes_at_once_find_the_same(site: Site, home: Path) -> None:
    names = [f"n{number}" for number in range(50)]
    site.add_pack("acme", *names)
    site.add_pack("edited", source=node_source("edited.b"), editable=True, catalog=None)

    processes = [start(site) for _ in range(4)]
    answers = [answer_of(process)[0] for process in processes]

    assert answers == [sorted([*(f"acme.{name}" for name in names), "edited.b"])] * 4
    assert len(cache_files_of(home)) == 1
    assert not list((home / "cache").rglob("*.tmp"))
    _, loaded = answer_of(start(site))
    assert "importlib_metadata" not in loaded


def test_old_cache_files_are_removed(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"packs-{number}.cache").touch()
        os.utime(tmp_path / f"packs-{number}.cache", ns=(number, number))
    (tmp_path / "other.txt").touch()

    cache_files.keep_newest(tmp_path, "packs-*.cache", 2)

    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "other.txt",
        "packs-3.cache",
        "packs-4.cache",
    ]
    cache_files.keep_newest(tmp_path / "nowhere", "*", 2)


def test_the_number_of_snapshots_is_bounded(site: Site, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowruntime.registry import survey

    monkeypatch.setattr(survey, "_KEPT_SNAPSHOTS", 3)
    for number in range(6):
        discover(site, settings=PackSettings(deny=(f"pack-{number}",)))
    assert len(cache_files_of(home)) == 3
