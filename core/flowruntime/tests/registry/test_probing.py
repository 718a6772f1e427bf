"""What the code of installed packs does, looked at from outside."""

from typing import Any

import pytest
from flowcore.packs import PackProblem
from flowruntime.registry import Registry, probe_hooks, probe_pack
from flowruntime.registry.inspection import inspect_package

from core.flowruntime.tests.registry.installed_packs import Site, node_source


def probe(site: Site, **options: Any) -> PackProblem | None:
    (pack,) = Registry.discover(search_path=site.path, cache_dir=None).packs
    return probe_pack(pack, search_path=site.path, **options)


def catalog_of_the_code(site: Site) -> None:
    """Give the pack the catalog that its code says."""
    from flowruntime.registry.catalogs import catalog_text

    (pack,) = Registry.discover(search_path=site.path, cache_dir=None).packs
    text = catalog_text(inspect_package(pack, search_path=site.path, timeout_seconds=10))
    (site.folder / pack.package / "flownodes.json").write_text(text)


def test_a_pack_whose_catalog_is_its_code_is_well(site: Site) -> None:
    site.add_pack("acme", "shout")
    catalog_of_the_code(site)
    assert probe(site) is None


def test_a_catalog_that_is_not_the_code_is_told_with_what_differs(site: Site) -> None:
    folder = site.add_pack("acme", "shout")
    catalog_of_the_code(site)
    (folder / "__init__.py").write_text(node_source("acme.sing"))
    problem = probe(site)
    assert problem is not None
    assert (problem.pack, problem.stage, problem.code) == ("flownodes-acme", "catalog", "catalog.stale")
    assert "'acme.shout', version 1, is not in the code" in problem.message
    assert "'acme.sing', version 1, is not in the catalog" in problem.message
    assert "flow pack build" in problem.remedy


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("1 / 0", "inspect.raised"),
        ("raise SystemExit", "inspect.exited"),
        ("import os; os._exit(3)", "inspect.died"),
        ("import time; time.sleep(600)", "inspect.hung"),
        ("import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "inspect.raised"),
    ],
)
def test_an_import_that_comes_to_harm_harms_nobody_else(site: Site, before: str, code: str) -> None:
    site.add_pack("acme", "shout", source=node_source("acme.shout", before=before))
    problem = probe(site, timeout_seconds=1.0 if code == "inspect.hung" else 10.0)
    assert problem is not None
    assert (problem.stage, problem.code) == ("inspect", code)
    assert problem.remedy


def test_without_hooks_there_is_nothing_to_probe() -> None:
    assert probe_hooks([]) == []
