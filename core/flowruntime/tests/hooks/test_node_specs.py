"""Node types that plugins make at run time."""

import subprocess
import sys
from pathlib import Path

import pytest
from flowruntime.hooks import find_points
from flowruntime.registry import PackSettings, Registry
from flowruntime.registry.dynamic import make_types
from flowruntime.registry.hook_trial import try_plugins

from core.flowruntime.tests.hooks.installed_plugins import GIVEN_UP_SECONDS, Plugins, codes
from core.flowruntime.tests.registry.installed_packs import Site

TABLES = """
def reader_of(table, version=1):
    @node(f"acme.{table}", version=version, effects="read")
    def read(*, limit: int = 2) -> list:
        '''Reads a table.'''
        return [f"{table} {number}" for number in range(limit)]
    return read

@hookimpl
def node_specs():
    return [reader_of(table) for table in ("books", "people")]
"""
RUN = {"name": "Read", "nodes": [{"id": "read", "node_type": "acme.books", "config": {"limit": 1}}]}


def specs(body: str) -> str:
    return f"@hookimpl\ndef node_specs():\n    {body}\n"


def ids(registry: Registry) -> list[str]:
    return [row.id for row in registry.rows()]


async def test_types_made_at_run_time_are_listed_checked_and_run(plugins: Plugins) -> None:
    plugins.add("flow-acme", TABLES, point="acme")
    runtime = plugins.runtime()
    assert [(row.id, row.pack, row.dynamic) for row in runtime.registry.rows()] == [
        ("acme.books", "flow-acme", True),
        ("acme.people", "flow-acme", True),
    ]
    wrong = {**RUN, "nodes": [{"id": "read", "node_type": "acme.books", "config": {"limit": "one"}}]}
    (problem,) = runtime.check(wrong).problems
    assert (problem.pointer, problem.code) == ("/nodes/0/config/limit", "config.schema")
    async with runtime:
        result = await runtime.run(RUN)
    assert result.node_outputs == {"read": {"result": ["books 0"]}}
    assert codes(runtime) == []


def test_only_who_needs_a_type_that_no_catalog_has_asks_the_plugins(plugins: Plugins) -> None:
    Site(plugins.folder).add_pack("good", "act")
    plugins.add("flow-acme", "raise RuntimeError('imported')", point="acme")
    registry = plugins.registry()
    assert registry.get("good.act") is not None
    assert registry.get("elsewhere.act") is None
    assert codes(registry) == []
    assert registry.get("acme.books") is None
    assert codes(registry) == [("flow-acme", "hooks.import")]
    assert "hooks.import" in registry.explain_missing("acme.books")


def test_a_listing_without_plugins_imports_no_hooks_and_one_with_plugins_does(plugins: Plugins) -> None:
    Site(plugins.folder).add_pack("good", "act")

    def listed() -> list[str]:
        code = (
            "import sys\nfrom flowruntime.registry import Registry\n"
            "registry = Registry.discover(search_path=sys.argv[1:])\n"
            "print(*[row.id for row in registry.rows()], 'pluggy' in sys.modules, 'importlib_metadata' in sys.modules)"
        )
        command = [sys.executable, "-c", f"import sys; sys.path.append(sys.argv[1])\n{code}", str(plugins.folder)]
        environment = {"FLOW_HOME": str(plugins.folder.parent / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    listed()
    assert listed() == ["good.act", "False", "False"]
    plugins.add("flow-acme", TABLES, point="acme")
    listed()
    assert listed() == ["acme.books", "acme.people", "good.act", "True", "False"]


def test_a_plugin_is_asked_anew_by_each_process(plugins: Plugins) -> None:
    plugins.add("flow-acme", TABLES.replace('("books", "people")', "__import__('os').environ['TABLES'].split()"))
    (plugins.folder / "flow_acme-1.0.dist-info" / "entry_points.txt").write_text(
        f"[flownodes.hooks]\nacme = {next(plugins.folder.glob('*.py')).stem}\n"
    )
    code = (
        "import sys\nsys.path.append(sys.argv[1])\nfrom flowruntime.registry import Registry\n"
        "print(*Registry.discover(search_path=sys.argv[1:]).type_ids())"
    )
    for tables in ("one", "one two"):
        environment = {"FLOW_HOME": str(plugins.folder.parent / "home"), "TABLES": tables}
        command = [sys.executable, "-c", code, str(plugins.folder)]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert said.split() == [f"acme.{table}" for table in tables.split()]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise RuntimeError('no')", "hooks.call"),
        ("raise SystemExit(3)", "hooks.call"),
        ("return 3", "hooks.spec"),
        ("return [len]", "hooks.spec"),
        ("yield reader_of('books')\n    raise RuntimeError('later')", "hooks.call"),
        ("return [node('bare')(lambda: None)]", "hooks.spec"),
        ("return [node('http.request')(lambda: None)]", "hooks.spec"),
        ("return [node('local.act')(lambda: None)]", "hooks.spec"),
        ("return [node('good.act')(lambda: None)]", "hooks.spec"),
        ("return [node('bad.act', config={'type': 3})(lambda: None)]", "hooks.spec"),
    ],
)
def test_a_plugin_that_fails_is_recorded_and_the_others_make_their_types(
    plugins: Plugins, body: str, code: str
) -> None:
    Site(plugins.folder).add_pack("good", "act")
    plugins.add("a-bad", TABLES + specs(body), point="bad")
    plugins.add("flow-acme", TABLES, point="acme")
    registry = plugins.registry()
    assert ids(registry) == ["acme.books", "acme.people", "good.act"]
    assert codes(registry) == [("a-bad", code)]
    assert all(problem.message.endswith(".") and problem.remedy for problem in registry.problems)


def test_a_hook_that_hangs_is_given_up(plugins: Plugins) -> None:
    plugins.add("a-bad", specs("threading.Event().wait()"), point="bad")
    plugins.add("b-good", TABLES, point="acme")
    hooks = plugins.load(limit_seconds=GIVEN_UP_SECONDS)
    assert codes(hooks) == []
    assert [name for name, _ in hooks.each("node_specs")] == ["b-good", "b-good"]
    assert codes(hooks) == [("a-bad", "hooks.hung")]


def test_the_same_type_twice_is_made_once_and_versions_are_kept_apart(plugins: Plugins) -> None:
    body = "return [one := reader_of('a'), one, reader_of('a'), reader_of('a', 2), reader_of('a', 3)]"
    plugins.add("flow-acme", TABLES + specs(body), point="acme")
    registry = plugins.registry()
    assert [(row.id, row.version) for row in registry.rows()] == [("acme.a", 3)]
    assert [node_type.version for node_type, _ in registry.node_types()] == [1, 2, 3]
    assert codes(registry) == [("flow-acme", "hooks.spec")]


def test_the_namespace_of_its_own_pack_belongs_to_a_plugin_too(plugins: Plugins) -> None:
    site = Site(plugins.folder)
    source, catalog = "from flowruntime.authoring import node\n", {"catalog": 1, "namespace": "acme", "types": []}
    site.add_package("acme_pack", source, catalog)
    plugins.add("flow-acme", TABLES, point="anything", packs="acme = acme_pack")
    registry = plugins.registry()
    assert ids(registry) == ["acme.books", "acme.people"]


def test_a_namespace_that_two_claim_belongs_to_the_one_that_is_preferred(plugins: Plugins) -> None:
    plugins.add("flow-acme", TABLES, point="acme")
    assert ids(plugins.registry()) == ["acme.books", "acme.people"]
    plugins.add("other-acme", TABLES.replace("books", "planes"), point="acme")
    both = plugins.registry()
    assert ids(both) == []
    assert {problem.pack for problem in both.problems} == {"flow-acme", "other-acme"}
    assert ids(plugins.registry(PackSettings(prefer={"acme": "other-acme"}))) == ["acme.people", "acme.planes"]


def test_a_type_of_a_catalog_stays_what_the_catalog_says(plugins: Plugins) -> None:
    Site(plugins.folder).add_pack("acme", "books", distribution="pack-acme")
    plugins.add("flow-acme", TABLES, point="acme")
    registry = plugins.registry(PackSettings(prefer={"acme": "flow-acme"}))
    assert registry.get("acme.books") is not None
    made = make_types(plugins.load(), lambda type_id: type_id == "acme.books")
    assert [problem.code for _, problem in made.problems] == ["hooks.spec"] * 2


def test_local_nodes_keep_the_dynamic_types(plugins: Plugins, tmp_path: Path) -> None:
    plugins.add("flow-acme", TABLES, point="acme")
    registry = plugins.registry().with_local([])
    assert ids(registry) == ["acme.books", "acme.people"]


def test_what_may_not_load_is_not_imported(plugins: Plugins) -> None:
    plugins.add("flow-acme", "raise RuntimeError('imported')", point="acme")
    denied = plugins.registry(PackSettings(deny=("flow-acme",)))
    assert (ids(denied), codes(denied), denied.has_plugins) == ([], [], False)
    allowed = plugins.registry()
    assert (ids(allowed), codes(allowed), allowed.has_plugins) == ([], [("flow-acme", "hooks.import")], True)


@pytest.mark.parametrize(
    ("source", "ended"),
    [
        ("import os; os._exit(0)", "exit status 0"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        (specs("import os; os._exit(0)"), "exit status 0"),
        ("@hookimpl\ndef expression_functions():\n    import os\n    os._exit(0)\n", "exit status 0"),
    ],
)
def test_a_plugin_that_ends_the_process_is_left_out_and_the_others_make_their_types(
    plugins: Plugins, source: str, ended: str
) -> None:
    Site(plugins.folder).add_pack("good", "act")
    plugins.add("a-bad", source, point="bad")
    plugins.add("b-worse", source, point="worse")
    plugins.add("flow-acme", TABLES, point="acme")
    registry = plugins.registry()
    assert ids(registry) == ["acme.books", "acme.people", "good.act"]
    assert codes(registry) == [("a-bad", "hooks.died"), ("b-worse", "hooks.died")]
    assert all(ended in problem.message and 'deny = ["' in problem.remedy for problem in registry.problems)
    assert "hooks.died" in registry.explain_missing("bad.act")


def test_a_plugin_that_blocks_every_thread_is_left_out(plugins: Plugins) -> None:
    plugins.add("a-bad", specs("import re; re.match('(a*)*b', 'a' * 64)"), point="bad")
    plugins.add("flow-acme", TABLES, point="acme")
    points = find_points([str(plugins.folder)], lambda _distribution: True)
    failed = try_plugins(points, search_path=[str(plugins.folder)], limit_seconds=2)
    assert [(point.distribution, problem.code) for point, problem in failed.items()] == [("a-bad", "hooks.hung")]


def test_plugins_are_tried_once_and_again_when_edited_sources_changed(plugins: Plugins, tmp_path: Path) -> None:
    plugins.add("flow-acme", TABLES, point="acme")
    (module,) = plugins.folder.glob("*.py")
    sources = tmp_path / "sources"
    sources.mkdir()
    edited = module.rename(sources / module.name)
    path, tries = [str(plugins.folder), str(sources)], tmp_path / "tries"
    edited.write_text(f"open({str(tries)!r}, 'a').write('x')\n{edited.read_text()}")

    def look() -> Registry:
        return Registry.discover(search_path=path, settings=PackSettings(), cache_dir=tmp_path / "cache")

    assert (look().problems, look().problems) == ((), ())
    assert tries.read_text() == "x"
    edited.write_text("import os; os._exit(1)  # another size")
    assert codes(look()) == codes(look()) == [("flow-acme", "hooks.died")]
