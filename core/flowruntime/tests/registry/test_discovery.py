"""Which packs are found, which load, and what is told of the others."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from flowcore.packs import Pack, PackProblem
from flowruntime.registry import PackSettings, Registry, TypeRow, survey
from flowruntime.registry.discovery import locate_package

from core.flowruntime.tests.registry.installed_packs import Site, catalog_json


def discover(site: Site, **options: Any) -> Registry:
    return Registry.discover(search_path=site.path, cache_dir=None, **options)


def problem_beside_a_good_pack(site: Site) -> PackProblem:
    """The one problem, after making sure that a good pack beside the bad one works on."""
    site.add_pack("good", "fine")
    registry = discover(site)
    assert registry.type_ids() == ["good.fine"]
    assert registry.get("good.fine") is not None
    [problem] = registry.problems
    return problem


def test_a_pack_is_listed_from_its_catalog_without_being_imported(site: Site) -> None:
    site.add_pack("acme", "shout", "whisper", source="raise RuntimeError('imported')")

    registry = discover(site)

    assert registry.problems == ()
    assert registry.packs == (
        Pack(distribution="flownodes-acme", version="1.0", namespace="acme", package="flownodes_acme"),
    )
    assert registry.rows()[0] == TypeRow(
        id="acme.shout",
        version=1,
        title="Acme.Shout",
        description="",
        category="",
        stability="stable",
        pack="flownodes-acme",
    )
    assert registry.type_ids() == ["acme.shout", "acme.whisper"]
    assert "flownodes_acme" not in sys.modules


def test_a_node_type_comes_whole_from_the_catalog(site: Site) -> None:
    entry: dict[str, Any] = {
        "id": "acme.send",
        "version": 3,
        "implementation": "acme_pack.sending:send",
        "title": "Send",
        "description": "Sends, e.g. »größer«.\nIn two lines.",
        "category": "Network",
        "inputs": {"ports": [{"name": "body", "schema": {"type": "string"}, "required": True}]},
        "outputs": {"ports": [{"name": "status"}], "rule": "any", "passthrough": True},
        "config": {"type": "object", "properties": {"method": {"enum": ["GET", "PUT"]}}},
        "retry_policy": {"max_attempts": 5},
        "timeout_ms": 1500,
        "effects": {"from": "/method", "read": ["GET"], "else": "write"},
        "examples": [{"title": "One", "config": {"method": "GET"}}],
        "stability": "deprecated",
        "deprecation": {"since": "2", "use": "acme.post"},
        "replaces": ["acme.deliver"],
    }
    catalog = {"catalog": 1, "namespace": "acme", "types": [entry]}
    site.add_pack("acme", distribution="acme-pack", catalog=catalog)

    node_type = discover(site).get("acme.send")

    assert node_type is not None
    assert node_type.to_json() == entry


def test_the_newest_version_is_listed_and_each_can_be_had(site: Site) -> None:
    catalog = catalog_json("acme", {"acme.a": "flownodes_acme:a"})
    catalog["types"] = [{**catalog["types"][0], "version": version} for version in (2, 10, 1)]
    site.add_pack("acme", catalog=catalog)

    registry = discover(site)

    assert [(row.id, row.version) for row in registry.rows()] == [("acme.a", 10)]
    assert registry.type_ids() == ["acme.a"]
    versions = [registry.get("acme.a", version) for version in (None, 1, 2, 10)]
    assert [node_type and node_type.version for node_type in versions] == [10, 1, 2, 10]
    assert registry.get("acme.a", 3) is None
    assert registry.get("acme.b") is None


def test_every_version_of_every_type_can_be_gone_through(site: Site) -> None:
    versions = [{"id": "acme.a", "version": version, "implementation": "flownodes_acme:a"} for version in (1, 2)]
    site.add_pack("acme", catalog={"catalog": 1, "namespace": "acme", "types": versions})
    site.add_pack("other", "b")
    found = [(one.id, one.version, pack) for one, pack in discover(site).node_types()]
    assert found == [
        ("acme.a", 1, "flownodes-acme"),
        ("acme.a", 2, "flownodes-acme"),
        ("other.b", 1, "flownodes-other"),
    ]


def test_only_the_search_path_counts(site: Site, tmp_path: Path) -> None:
    site.add_pack("acme", "a")
    assert Registry.discover(search_path=[str(tmp_path / "elsewhere")], cache_dir=None).type_ids() == []


def test_of_two_installations_of_a_pack_the_first_on_the_path_counts(site: Site, tmp_path: Path) -> None:
    site.add_pack("acme", "a")
    second = Site(tmp_path / "second")
    second.add_pack("acme", "b", distribution="Flownodes_ACME", package="flownodes_acme")

    registry = Registry.discover(search_path=[*site.path, *second.path], cache_dir=None)

    assert (registry.type_ids(), registry.problems) == (["acme.a"], ())


class Finder:
    """As editable installs bring: knows where the package `flownodes_acme` is."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "__init__.py"

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != "flownodes_acme":
            return None
        if not self.file.exists():
            raise OSError("out of order")
        return importlib.util.spec_from_file_location(name, self.file)


def test_a_package_may_be_found_by_any_finder_of_python(
    importable: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look() -> Registry:
        return Registry.discover(cache_dir=None, settings=PackSettings(allow=("flownodes-acme",)))

    folder = importable.add_pack("acme", "a").rename(tmp_path / "flownodes_acme")
    assert "acme.a" not in look().type_ids()

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(folder)])
    assert "acme.a" in look().type_ids()

    (folder / "__init__.py").unlink()
    registry = look()
    assert "acme.a" not in registry.type_ids()
    assert "out of order" in registry.explain_missing("acme.a")


# --- bad packs, each beside a good one -------------------------------------------------------------


def test_a_pack_without_a_catalog_is_a_problem(site: Site) -> None:
    site.add_pack("bad", "b", catalog=None)
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.stage, problem.code) == ("flownodes-bad", "catalog", "catalog.missing")
    assert "flow pack build" in problem.remedy


@pytest.mark.parametrize(
    ("catalog", "code", "said"),
    [
        ("{", "catalog.invalid", "Not JSON"),
        ('{"catalog": 1, "catalog": 1}', "catalog.invalid", "more than once"),
        ([], "catalog.invalid", "must be an object"),
        ({"catalog": 1, "namespace": "bad"}, "catalog.invalid", "/types"),
        ({"catalog": 1, "namespace": "bad", "types": [{"id": 5}]}, "catalog.invalid", "/types/0/id"),
        ({"catalog": 2, "namespace": "bad", "types": [], "shape": "new"}, "catalog.newer", "form 2"),
        (catalog_json("other", {}), "catalog.namespace", "'other'"),
        (catalog_json("bad", {"http.request": "flownodes_bad:b"}), "catalog.namespace", "'http.request'"),
        (catalog_json("bad", {"bad.": "flownodes_bad:b"}), "catalog.namespace", "'bad.'"),
        (catalog_json("bad", {"bad.b": "os:system"}), "catalog.implementation", "'os:system'"),
        (catalog_json("bad", {"bad.b": "flownodes_bad"}), "catalog.implementation", "'flownodes_bad'"),
    ],
)
def test_a_catalog_that_cannot_be_used_is_a_problem(site: Site, catalog: Any, code: str, said: str) -> None:
    site.add_pack("bad", catalog=catalog)
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.stage, problem.code) == ("flownodes-bad", "catalog", code)
    assert said in problem.message
    assert problem.remedy


def test_a_catalog_that_is_not_utf_8_is_a_problem(site: Site) -> None:
    folder = site.add_pack("bad", "b")
    (folder / "flownodes.json").write_bytes(b'{"catalog": "\xff"}')
    assert "not UTF-8" in problem_beside_a_good_pack(site).message


def test_a_type_that_stands_twice_in_a_catalog_is_a_problem(site: Site) -> None:
    catalog = catalog_json("bad", {"bad.b": "flownodes_bad:b"})
    catalog["types"] *= 3
    site.add_pack("bad", catalog=catalog)
    problem = problem_beside_a_good_pack(site)
    assert problem.code == "catalog.duplicate"
    assert "'bad.b', version 1" in problem.message
    assert "(and 1 more)" in problem.message


def test_a_pack_whose_package_is_missing_is_a_problem(site: Site) -> None:
    site.add_distribution("flownodes-bad", {"bad": "flownodes_bad"})
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.stage, problem.code) == (
        "flownodes-bad",
        "discover",
        "discover.package_missing",
    )
    assert "pip install --force-reinstall flownodes-bad" in problem.remedy


def test_a_folder_left_behind_by_an_uninstalled_package_counts_as_missing(site: Site) -> None:
    folder = site.add_pack("bad", "b")
    (folder / "__init__.py").unlink()
    assert problem_beside_a_good_pack(site).code == "discover.package_missing"


def test_a_single_module_is_no_pack(site: Site) -> None:
    site.add_distribution("flownodes-bad", {"bad": "flownodes_bad"})
    (site.folder / "flownodes_bad.py").touch()
    assert "single module" in problem_beside_a_good_pack(site).message


@pytest.mark.parametrize("package", ["a.b", "a:b", "", "a b", "../evil"])
def test_an_entry_point_that_is_no_top_level_package_is_a_problem(site: Site, package: str) -> None:
    site.add_distribution("bad-pack", {"bad": package})
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.code) == ("bad-pack", "discover.entry_point")
    assert repr(package) in problem.message


def test_two_entry_points_of_one_name_are_a_problem(site: Site) -> None:
    site.add_distribution("bad-pack", "[flownodes]\nbad = one\nbad = two\n")
    site.add_package("one", "", catalog_json("bad", {}))
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.code) == ("bad-pack", "discover.duplicate")
    assert "'bad'" in problem.message


def test_metadata_that_cannot_be_read_is_a_problem(site: Site) -> None:
    folder = site.add_distribution("bad-pack", {"bad": "bad_pack"})
    (folder / "direct_url.json").write_text("[]")
    problem = problem_beside_a_good_pack(site)
    assert (problem.code, problem.pack) == ("discover.metadata", "bad_pack-1.0.dist-info")


def test_entry_points_that_are_no_text_are_a_problem(site: Site) -> None:
    folder = site.add_distribution("bad-pack", {"bad": "bad_pack"})
    (folder / "entry_points.txt").write_bytes(b"[flownodes]\nbad = \xff\n")
    assert problem_beside_a_good_pack(site).code == "discover.metadata"


def test_distributions_with_other_entry_points_are_no_packs(site: Site) -> None:
    site.add_distribution("a-tool", "[console_scripts]\nflownodes = tool:main\n")
    folder = site.add_distribution("no-pack", "[something.flownodes]\na = b\n")
    (folder / "METADATA").unlink()
    site.add_pack("good", "fine")
    assert discover(site).problems == ()


def test_whatever_goes_wrong_with_one_pack_stays_with_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def locate(pack: Pack, search_path: Sequence[str] | None) -> Path:
        if pack.namespace == "bad":
            raise OSError("the disk is broken")
        return locate_package(pack, search_path)

    monkeypatch.setattr(survey, "locate_package", locate)
    site.add_pack("bad", "b")
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.code) == ("flownodes-bad", "catalog.unreadable")
    assert "the disk is broken" in problem.message


# --- namespaces ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("namespace", "said"),
    [
        ("http", "belongs to the distribution 'flownodes-http'"),
        ("sql", "belongs to the distribution 'flownodes-sql'"),
        ("local", "no pack may claim it"),
        ("Bad", "no lower-case identifier"),
        ("bad-name", "no lower-case identifier"),
    ],
)
def test_a_namespace_that_may_not_be_claimed_is_refused(site: Site, namespace: str, said: str) -> None:
    site.add_pack(namespace, "b", distribution="bad-pack")
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.stage, problem.code) == ("bad-pack", "discover", "discover.namespace")
    assert said in problem.message


@pytest.mark.parametrize("distribution", ["flownodes-http", "Flownodes.HTTP", "flownodes__http"])
def test_a_reserved_namespace_loads_from_its_own_distribution(site: Site, distribution: str) -> None:
    site.add_pack("http", "request", distribution=distribution, package="flownodes_http")
    site.add_pack("http", "request", distribution="evil-http")

    registry = discover(site)

    assert [(row.id, row.pack) for row in registry.rows()] == [("http.request", distribution)]
    assert [problem.pack for problem in registry.problems] == ["evil-http"]


def test_a_namespace_claimed_by_two_distributions_loads_from_neither(site: Site) -> None:
    site.add_pack("bad", "b", distribution="one-pack")
    site.add_pack("bad", "b", distribution="two-pack")
    problem = problem_beside_a_good_pack(site)
    assert (problem.pack, problem.code) == ("one-pack, two-pack", "discover.conflict")
    assert "'one-pack' and 'two-pack'" in problem.message
    assert 'prefer = {bad = "one-pack"}' in problem.remedy


def test_the_settings_choose_between_two_distributions(site: Site) -> None:
    site.add_pack("acme", "a", distribution="one-pack")
    site.add_pack("acme", "a", distribution="two-pack")

    registry = discover(site, settings=PackSettings(prefer={"acme": "Two_Pack"}))
    assert ([row.pack for row in registry.rows()], registry.problems) == (["two-pack"], ())

    # The control: a preference for a third one chooses none.
    registry = discover(site, settings=PackSettings(prefer={"acme": "three-pack"}))
    assert ([row.pack for row in registry.rows()], len(registry.problems)) == ([], 1)


def test_what_the_remedy_of_a_conflict_says_to_write_resolves_it(site: Site) -> None:
    site.add_pack("acme", "a", distribution="one-pack")
    site.add_pack("acme", "a", distribution="two-pack")
    [problem] = discover(site).problems

    Path("flow.toml").write_text(f"[packs]\n{problem.remedy.partition('flow.toml: ')[2]}\n")

    registry = discover(site)
    assert ([row.pack for row in registry.rows()], registry.problems) == (["one-pack"], ())


def test_denied_packs_do_not_load_and_are_no_problem(site: Site) -> None:
    site.add_pack("acme", "a")
    site.add_pack("good", "fine")

    for settings in (PackSettings(deny=("Flownodes_Acme",)), PackSettings(allow=("flownodes-good",))):
        registry = discover(site, settings=settings)
        assert (registry.type_ids(), registry.problems) == (["good.fine"], ())
        assert "allow" in registry.explain_missing("acme.a")
        assert "flownodes-acme" in registry.explain_missing("acme.a")


def test_a_denied_claimant_leaves_the_namespace_to_the_other(site: Site) -> None:
    site.add_pack("acme", "a", distribution="one-pack")
    site.add_pack("acme", "a", distribution="two-pack")
    registry = discover(site, settings=PackSettings(deny=("one-pack",)))
    assert [row.pack for row in registry.rows()] == ["two-pack"]


# --- what to do about a type that is not there -----------------------------------------------------


def test_the_remedy_for_a_missing_type_is_to_install_its_pack(site: Site) -> None:
    assert discover(site).explain_missing("kafka.send") == (
        "Install the pack that brings it: pip install flownodes-kafka"
    )


def test_the_remedy_for_a_type_of_a_broken_pack_is_the_problem_of_the_pack(site: Site) -> None:
    site.add_pack("bad", "b", catalog="{")
    registry = discover(site)
    assert str(registry.problems[0]) in registry.explain_missing("bad.b")


def test_the_remedy_for_a_type_that_its_pack_lacks_names_the_pack(site: Site) -> None:
    site.add_pack("acme", "a")
    assert discover(site).explain_missing("acme.b") == (
        "The pack flownodes-acme 1.0 has no such type; `flow nodes acme` lists what it has."
    )


def test_the_remedy_for_a_local_type_is_to_give_its_file(site: Site) -> None:
    assert "--nodes FILE" in discover(site).explain_missing("local.shout")


def test_an_id_without_a_namespace_is_explained(site: Site) -> None:
    assert "'debug.log'" in discover(site).explain_missing("log")
    assert "'debug.log'" in discover(site).explain_missing("log.")


def test_a_pack_that_is_gone_is_gone(site: Site) -> None:
    folder = site.add_pack("acme", "a")
    assert discover(site).type_ids() == ["acme.a"]
    shutil.rmtree(folder)
    shutil.rmtree(next(site.folder.glob("*.dist-info")))
    assert discover(site).type_ids() == []


def test_records_are_plain_json_for_machines(site: Site) -> None:
    site.add_pack("bad", "b", catalog="{")
    [problem] = discover(site).problems
    assert json.loads(json.dumps(problem.to_json()))["pack"] == "flownodes-bad"


def test_what_is_going_to_be_removed_is_listed_as_deprecated(site: Site) -> None:
    catalog = catalog_json("acme", {"acme.a": "flownodes_acme:a", "acme.b": "flownodes_acme:b"})
    catalog["types"][0]["deprecation"] = {"since": "1.2", "removal": "2.0", "use": "acme.b"}
    site.add_pack("acme", catalog=catalog)
    assert [(row.id, row.stability) for row in discover(site).rows()] == [
        ("acme.a", "deprecated"),
        ("acme.b", "stable"),
    ]
