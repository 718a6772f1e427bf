"""Editable packs whose catalog is older than their code: what a subprocess finds out about them."""

import os
import select
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcore.packs import PackProblem
from flowruntime.registry import Registry

from core.flowruntime.tests.registry.installed_packs import (
    EARLIER,
    LATER,
    Site,
    catalog_json,
    node_source,
    set_age,
)

# Raises in any process that imports it: nothing may.
POISON = "raise RuntimeError('imported')"


def discover(site: Site, **options: Any) -> Registry:
    return Registry.discover(search_path=site.path, **{"cache_dir": None, **options})


def add_stale_pack(site: Site, source: str, *, names: tuple[str, ...] = ("old",)) -> Path:
    """An editable pack `flownodes-edited` whose source is newer than its catalog."""
    folder = site.add_pack("edited", *names, source=source, editable=True)
    set_age([folder / "flownodes.json"], EARLIER)
    set_age([folder / "__init__.py"], LATER)
    return folder


def problem_of(source: str, site: Site, *, timeout_seconds: float = 30.0) -> PackProblem:
    """The problem that such a source makes; the committed catalog and a good pack must serve nevertheless."""
    add_stale_pack(site, source)
    site.add_pack("good", "fine")
    registry = discover(site, inspect_timeout_seconds=timeout_seconds)
    assert registry.type_ids() == ["edited.old", "good.fine"]
    [problem] = registry.problems
    assert (problem.pack, problem.stage) == ("flownodes-edited", "inspect")
    assert problem.remedy
    return problem


def test_a_pack_with_newer_sources_is_inspected(site: Site) -> None:
    add_stale_pack(site, node_source("edited.new", "edited.newer"))
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["edited.new", "edited.newer"], ())


def test_a_pack_without_a_catalog_is_inspected(site: Site) -> None:
    site.add_pack("edited", source=node_source("edited.new"), editable=True, catalog=None)
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["edited.new"], ())
    node_type = registry.get("edited.new")
    assert node_type is not None
    assert node_type.implementation == "flownodes_edited:new"
    assert [port.name for port in node_type.inputs.ports] == ["text"]


def test_a_pack_with_a_broken_catalog_is_inspected_and_told_of(site: Site) -> None:
    site.add_pack("edited", source=node_source("edited.new"), editable=True, catalog="{")
    registry = discover(site)
    assert registry.type_ids() == ["edited.new"]
    assert [problem.code for problem in registry.problems] == ["catalog.invalid"]


def test_a_pack_whose_catalog_is_newer_than_its_sources_is_not_inspected(site: Site) -> None:
    folder = site.add_pack("edited", "old", source=POISON, editable=True)
    set_age([folder / "__init__.py"], EARLIER)
    set_age([folder / "flownodes.json"], LATER)
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["edited.old"], ())

    # The control: the other way round it is.
    set_age([folder / "flownodes.json"], EARLIER - 1)
    assert [problem.code for problem in discover(site).problems] == ["inspect.raised"]


def test_a_pack_that_is_not_editable_is_never_inspected(site: Site) -> None:
    folder = site.add_pack("acme", "a", source=POISON)
    set_age([folder / "flownodes.json"], EARLIER)
    set_age([folder / "__init__.py"], LATER)
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["acme.a"], ())


def test_a_newer_module_deep_inside_is_noticed(site: Site) -> None:
    folder = site.add_pack("edited", "old", source="", editable=True)
    module = folder / "deep" / "inside.py"
    module.parent.mkdir()
    (folder / "deep" / "__init__.py").touch()
    module.write_text(node_source("edited.inside"))
    set_age([*folder.rglob("*.py"), folder / "flownodes.json"], EARLIER)
    assert discover(site).type_ids() == ["edited.old"]

    set_age([module], LATER)
    assert discover(site).type_ids() == ["edited.inside"]


def test_a_link_to_nowhere_beside_the_sources_is_no_source(site: Site) -> None:
    folder = add_stale_pack(site, node_source("edited.new"))
    (folder / ".#__init__.py").symlink_to("user@host.4711")
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["edited.new"], ())


# --- code that misbehaves while it is imported -----------------------------------------------------


def test_an_import_that_raises_is_told_with_its_place(site: Site) -> None:
    problem = problem_of("x = 1\nraise ValueError('no key')", site)
    assert problem.code == "inspect.raised"
    assert "ValueError: no key" in problem.message
    assert f"{site.folder / 'flownodes_edited' / '__init__.py'}, line 2" in problem.message


@pytest.mark.parametrize("source", ["raise KeyboardInterrupt", "class E(BaseException): ...\nraise E('out')"])
def test_an_import_may_raise_anything(site: Site, source: str) -> None:
    assert problem_of(source, site).code == "inspect.raised"


def test_a_syntax_error_is_told_with_its_line(site: Site) -> None:
    problem = problem_of("def f(:\n", site)
    assert "SyntaxError" in problem.message
    assert "line 1" in problem.message


def test_a_module_that_is_not_installed_is_named(site: Site) -> None:
    problem = problem_of("import no_such_module", site)
    assert "No module named 'no_such_module'" in problem.message
    assert "Install" in problem.remedy


def test_an_import_that_exits_is_told(site: Site) -> None:
    problem = problem_of("import sys\nsys.exit(3)", site)
    assert problem.code == "inspect.exited"
    assert "sys.exit(3)" in problem.message
    assert "line 2" in problem.message


def test_an_import_that_ends_the_process_is_told(site: Site) -> None:
    problem = problem_of("import os\nos._exit(0)", site)
    assert problem.code == "inspect.died"
    assert "exit status 0" in problem.message


def test_an_import_that_crashes_is_told(site: Site) -> None:
    problem = problem_of("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", site)
    assert problem.code == "inspect.died"
    assert "signal 11" in problem.message


def test_an_import_that_hangs_is_ended(site: Site) -> None:
    problem = problem_of("import threading\nthreading.Event().wait()", site, timeout_seconds=0.5)
    assert problem.code == "inspect.hung"
    assert "0.5 s" in problem.message


def test_what_a_hanging_import_has_started_is_ended_too(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    # The import ends only when its child is up; the child holds the pipe open until it is killed.
    child = f"import os, time; os.write(os.open({str(fifo)!r}, os.O_WRONLY), b'up'); time.sleep(600)"
    source = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"

    said = b""
    for timeout_seconds in (1.5, 10.0, 60.0):  # on a busy machine the child is not up that soon
        site = Site(tmp_path / f"within {timeout_seconds} s")
        assert problem_of(source, site, timeout_seconds=timeout_seconds).code == "inspect.hung"
        select.select([reader], [], [], 5)
        said = os.read(reader, 100)
        if said:
            break

    assert said == b"up"
    select.select([reader], [], [], 30)
    assert os.read(reader, 100) == b""  # nobody holds the other end any more; else BlockingIOError
    os.close(reader)


def test_an_import_that_prints_reaches_nobody(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    shout = "import os, sys\nprint('out')\nprint('err', file=sys.stderr)\nos.write(1, b'raw')"
    add_stale_pack(site, node_source("edited.new", before=shout))
    registry = discover(site)
    assert (registry.type_ids(), registry.problems) == (["edited.new"], ())
    assert capfd.readouterr() == ("", "")


def test_threads_and_exit_handlers_do_not_hold_the_answer_up(site: Site) -> None:
    wait = (
        "import atexit, threading\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "atexit.register(threading.Event().wait)"
    )
    add_stale_pack(site, node_source("edited.new", before=wait))
    registry = discover(site, inspect_timeout_seconds=60)
    assert (registry.type_ids(), registry.problems) == (["edited.new"], ())


def test_an_inspection_writes_nothing_into_the_sources(site: Site) -> None:
    folder = add_stale_pack(site, node_source("edited.new"))
    discover(site)
    assert sorted(path.name for path in folder.iterdir()) == ["__init__.py", "flownodes.json"]


def test_a_package_without_nodes_is_a_problem(site: Site) -> None:
    assert problem_of("from flowruntime.authoring import node", site).code == "inspect.empty"


def test_a_node_outside_of_the_namespace_is_a_problem(site: Site) -> None:
    problem = problem_of(node_source("http.request"), site)
    assert problem.code == "inspect.namespace"
    assert "flownodes_edited:request declares the node type 'http.request'" in problem.message


def test_the_sources_on_the_search_path_are_inspected_not_others(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other")
    other.add_package("flownodes_edited", node_source("edited.other"))
    (tmp_path / "home" / "flownodes_edited").mkdir()
    (tmp_path / "home" / "flownodes_edited" / "__init__.py").write_text(node_source("edited.here"))
    add_stale_pack(site, node_source("edited.new"))
    registry = Registry.discover(search_path=[*site.path, *other.path], cache_dir=None)
    assert registry.type_ids() == ["edited.new"]


# --- what inspections found is kept by the content of the sources -------------------------------------


def test_the_same_sources_are_inspected_once(site: Site, tmp_path: Path) -> None:
    counter = tmp_path / "imports"
    count = f"with open({str(counter)!r}, 'a') as file: file.write('.')"
    folder = add_stale_pack(site, node_source("edited.new", before=count))
    source = folder / "__init__.py"
    cache = tmp_path / "cache"

    assert discover(site, cache_dir=cache).type_ids() == ["edited.new"]
    assert counter.read_text() == "."

    # Another time of change, the same content: as in a fresh checkout.
    set_age([source], LATER + 1)
    assert discover(site, cache_dir=cache).type_ids() == ["edited.new"]
    assert counter.read_text() == "."

    first = source.read_text()
    source.write_text(node_source("edited.newest", before=count))
    assert discover(site, cache_dir=cache).type_ids() == ["edited.newest"]
    assert counter.read_text() == ".."

    source.write_text(first)
    assert discover(site, cache_dir=cache).type_ids() == ["edited.new"]
    assert counter.read_text() == ".."

    # The control: without a cache each look is an inspection.
    discover(site)
    discover(site)
    assert counter.read_text() == "...."


def test_a_damaged_inspection_is_made_anew(site: Site, tmp_path: Path) -> None:
    folder = add_stale_pack(site, node_source("edited.new"))
    cache = tmp_path / "cache"
    discover(site, cache_dir=cache)
    [kept] = (cache / "inspected").iterdir()
    for damage in ("", "{", '{"catalog": 1, "namespace": "other", "types": []}'):
        kept.write_text(damage)
        set_age([folder / "__init__.py"], LATER + len(damage) + 1)
        registry = discover(site, cache_dir=cache)
        assert (registry.type_ids(), registry.problems) == (["edited.new"], ())


def test_what_is_saved_during_an_inspection_is_not_kept_for_the_content_before(site: Site, tmp_path: Path) -> None:
    file = site.folder / "flownodes_edited" / "__init__.py"
    changed = node_source("edited.changed")
    # The package changes itself while it is imported, as an editor might.
    rewrite = f"import pathlib\npathlib.Path({str(file)!r}).write_text({changed!r})"
    original = node_source("edited.original", before=rewrite)
    add_stale_pack(site, original)
    cache = tmp_path / "cache"

    discover(site, cache_dir=cache)

    assert list((cache / "inspected").glob("*")) == []


def test_a_failed_inspection_is_tried_again(site: Site, tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    add_stale_pack(site, node_source("edited.new", before=f"open({str(switch)!r})"))
    cache = tmp_path / "cache"
    assert [problem.code for problem in discover(site, cache_dir=cache).problems] == ["inspect.raised"]

    switch.touch()  # nothing that the registry knows of has changed
    registry = discover(site, cache_dir=cache)
    assert (registry.type_ids(), registry.problems) == (["edited.new"], ())


def test_this_interpreter_inspects(site: Site) -> None:
    add_stale_pack(site, node_source("edited.new", before=f"import sys\nassert sys.prefix == {sys.prefix!r}"))
    assert discover(site).problems == ()


def test_one_catalog_serves_one_namespace_of_a_package(site: Site) -> None:
    site.add_distribution("two-pack", {"one": "two_pack", "two": "two_pack"})
    site.add_package("two_pack", "", catalog_json("one", {"one.a": "two_pack:a"}))
    registry = discover(site)
    assert registry.type_ids() == ["one.a"]
    assert [problem.code for problem in registry.problems] == ["catalog.namespace"]
