"""Checks that a bad pack beside twenty good ones harms nobody, and that a record says what is wrong with it.

Every case has a control: the same pack, mended, has no record and does its work.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flowcore.packs import Pack
from flowruntime.registry.catalogs import catalog_text
from flowruntime.registry.inspection import inspect_package

from core.flowruntime.tests.registry.installed_packs import Site, catalog_json, node_source

#: What an import may take. What does not hang keeps the short limit too, also while the machine is busy.
LIMIT_SECONDS, SHORT_LIMIT_SECONDS = 60, 3
GOOD = [f"good{number:02}" for number in range(20)]

# What a process that uses all node types makes of them. `left` is what reached the real stdout before.
PROGRAM = """
import json, sys
from flowcore.errors import PackError
from flowcore.packs import RESERVED_NAMESPACES
from flowruntime.registry import Registry, loading

limit_seconds = float(sys.argv[1])
loading._LIMIT_SECONDS = limit_seconds
registry = Registry.discover(inspect_timeout_seconds=limit_seconds)
loaded, failed = [], {}
ours = {pack.namespace for pack in registry.packs if pack.editable and pack.namespace in RESERVED_NAMESPACES}
for type_id in registry.type_ids():
    if type_id.partition(".")[0] in ours:  # large libraries, which have nothing to do with it
        continue
    try:
        registry.load(registry.get(type_id))
        loaded.append(type_id)
    except PackError as error:
        failed[type_id] = [error.pack, error.code, error.message, error.remedy]
problems = [problem.to_json() for problem in registry.problems]
print(json.dumps({"loaded": loaded, "failed": failed, "problems": problems}))
import os
sys.stdout.flush()
os._exit(0)  # an import that hangs still has its thread
"""


class Seen(NamedTuple):
    """What a process saw of the packs."""

    loaded: set[str]
    failed: dict[str, list[str]]
    problems: list[dict[str, str]]
    err: str


class Case(NamedTuple):
    """A way to be bad: how the pack `bad` is put into a site, bad or mended; what the record then says."""

    install: Callable[[Site, bool], None]
    stage: str
    code: str
    #: What the remedy names.
    remedy: str


def all_good(seen: Seen) -> bool:
    """Whether each of the twenty can be used."""
    return {f"{name}.act" for name in GOOD} <= seen.loaded


def whole(namespace: str) -> dict[str, Any]:
    """The catalog of a pack with one node, with its ports."""
    made = catalog_json(namespace, {f"{namespace}.act": f"flownodes_{namespace}:act"})
    text = {"schema": {"type": "string"}}
    made["types"][0] |= {
        "inputs": {"ports": [{"name": "text", "required": True, **text}]},
        "outputs": {"ports": [{"name": "result", **text}]},
        "effects": "pure",
    }
    return made


def source(before: str) -> str:
    return node_source("bad.act", before=before)


def imports(before: str, *, editable: bool = False) -> Callable[[Site, bool], None]:
    """A pack whose import does something before it defines its node."""

    def install(site: Site, bad: bool) -> None:
        written = None if editable else whole("bad")
        site.add_pack("bad", "act", source=source(before if bad else ""), editable=editable, catalog=written)

    return install


def catalog(written: Any) -> Callable[[Site, bool], None]:
    """A pack with this catalog instead of its own."""

    def install(site: Site, bad: bool) -> None:
        site.add_pack("bad", "act", **({"catalog": written} if bad else {}))

    return install


def claims_a_reserved_namespace(site: Site, bad: bool) -> None:
    site.add_pack("shell" if bad else "bad", "act", distribution="bad-pack")


def shares_its_entry_point_name(site: Site, bad: bool) -> None:
    site.add_pack("bad", "act")
    if bad:
        site.add_pack("bad", "other", distribution="worse-pack")


OF_THE_PACK = "flownodes_bad:act"
TWICE = {
    "catalog": 1,
    "namespace": "bad",
    "types": [{"id": "bad.act", "version": 1, "implementation": OF_THE_PACK}] * 2,
}
NEWER = {"catalog": 99, "namespace": "bad", "types": [], "novelty": True}
FOREIGN = catalog_json("bad", {"good00.act": OF_THE_PACK})

CASES = {
    "import raises": Case(imports("raise RuntimeError('no')"), "import", "import.raised", "flownodes-bad"),
    "import exits": Case(imports("raise SystemExit(3)"), "import", "import.exited", "flownodes-bad"),
    "import ends the process": Case(imports("import os; os._exit(0)"), "import", "import.exited", "flownodes-bad"),
    "import sets signal handlers": Case(
        imports("import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)"),
        "import",
        "import.raised",
        "flownodes-bad",
    ),
    "import hangs": Case(imports("import time; time.sleep(600)"), "import", "import.hung", "flownodes-bad"),
    "needs what is not there": Case(imports("import not_there_at_all"), "import", "import.raised", "pip install"),
    "catalog lies": Case(
        catalog(catalog_json("bad", {"bad.gone": "flownodes_bad:gone"})), "import", "import.raised", "flownodes-bad"
    ),
    "catalog lies about a name": Case(
        catalog(catalog_json("bad", {"bad.gone": OF_THE_PACK})), "import", "import.not_the_node", "flow pack build"
    ),
    "catalog missing": Case(catalog(None), "catalog", "catalog.missing", "flow pack build"),
    "catalog corrupt": Case(catalog("{"), "catalog", "catalog.invalid", "flownodes-bad"),
    "catalog newer": Case(catalog(NEWER), "catalog", "catalog.newer", "Update flownodes"),
    "types twice": Case(catalog(TWICE), "catalog", "catalog.duplicate", "flownodes-bad"),
    "types of another": Case(catalog(FOREIGN), "catalog", "catalog.namespace", "flownodes-bad"),
    "namespace of another": Case(claims_a_reserved_namespace, "discover", "discover.namespace", "Uninstall bad-pack"),
    "one entry point name": Case(shares_its_entry_point_name, "discover", "discover.conflict", "prefer"),
    "edited, import raises": Case(imports("1 / 0", editable=True), "inspect", "inspect.raised", "Correct"),
    "edited, import ends the process": Case(
        imports("import os; os._exit(9)", editable=True), "inspect", "inspect.died", "must not end"
    ),
    "edited, import hangs": Case(
        imports("import time; time.sleep(600)", editable=True), "inspect", "inspect.hung", "must not wait"
    ),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Twenty packs in order."""
    site = Site(tmp_path_factory.mktemp("good"))
    for name in GOOD:
        site.add_pack(name, "act", catalog=whole(name))
    return site


def look(tmp_path: Path, *sites: Site, limit_seconds: float = LIMIT_SECONDS) -> Seen:
    """What a process with these sites on its path sees."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(site.folder) for site in sites),
        "FLOW_HOME": str(tmp_path / "home"),
    }
    command = [sys.executable, "-c", PROGRAM, str(limit_seconds)]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(ended.stdout)  # nothing else may stand there
    return Seen(set(answer["loaded"]), answer["failed"], answer["problems"], ended.stderr)


@pytest.mark.parametrize("name", CASES)
def test_a_bad_pack_is_recorded_and_the_twenty_others_work(name: str, good: Site, tmp_path: Path) -> None:
    case = CASES[name]
    site = Site(tmp_path / "bad")
    case.install(site, True)
    limit_seconds = SHORT_LIMIT_SECONDS if case.code.endswith(".hung") else LIMIT_SECONDS
    seen = look(tmp_path, site, good, limit_seconds=limit_seconds)
    assert all_good(seen)
    assert "bad.act" not in seen.loaded
    if case.stage == "import":
        ((pack, code, message, remedy),) = seen.failed.values()
        assert seen.problems == []
    else:
        (record,) = seen.problems
        assert record["stage"] == case.stage
        pack, code, message, remedy = (record[field] for field in ("pack", "code", "message", "remedy"))
        assert seen.failed == {}
    assert "bad" in pack
    assert code == case.code
    assert message.endswith((".", "…")) or case.stage == "catalog"
    assert case.remedy in remedy


@pytest.mark.parametrize("name", CASES)
def test_the_same_pack_mended_works(name: str, good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "bad")
    CASES[name].install(site, False)
    seen = look(tmp_path, site, good)
    assert all_good(seen)
    assert (seen.failed, seen.problems) == ({}, [])
    assert "bad.act" in seen.loaded


def test_an_import_that_is_slow_is_waited_for(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "slow")
    imports("import time; time.sleep(0.3)")(site, True)
    seen = look(tmp_path, site, good)
    assert all_good(seen)
    assert (seen.failed, seen.problems) == ({}, [])
    assert "bad.act" in seen.loaded


def test_an_import_that_prints_does_not_reach_stdout(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "loud")
    imports("print('LOUD')")(site, True)
    seen = look(tmp_path, site, good)
    assert all_good(seen)
    assert "bad.act" in seen.loaded
    assert "LOUD" in seen.err
    # The control: it is loud where nobody guards it.
    plain = subprocess.run(
        [sys.executable, "-c", "import flownodes_bad"],
        env={**os.environ, "PYTHONPATH": str(site.folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert plain.stdout == "LOUD\n"


def test_an_import_that_ends_the_process_is_found_before_it_is_used(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "deadly")
    imports("import os; os._exit(9)")(site, True)
    ended = flow(tmp_path, [site, good], "doctor", "--json")
    assert ended.returncode == 3
    (found,) = wrong(ended, "flownodes-bad")
    assert (found["stage"], found["code"]) == ("inspect", "inspect.died")
    assert found["remedy"]
    mended = Site(tmp_path / "mended")
    mended.add_pack("bad", "act", editable=True, catalog=None)  # its catalog is made of its code
    write_catalog(mended)
    assert wrong(flow(tmp_path, [mended, good], "doctor", "--json"), "flownodes-bad") == []


# --- a pack that is gone -------------------------------------------------------------------------


def test_workflows_of_an_uninstalled_pack_say_what_to_install_and_others_run(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "bad")
    imports("")(site, False)
    write_workflow(tmp_path / "theirs.json", "bad.act")
    write_workflow(tmp_path / "mine.json", "good07.act")
    assert flow(tmp_path, [site, good], "run", "theirs.json", "--json").returncode == 0
    gone = flow(tmp_path, [good], "run", "theirs.json", "--json")
    assert gone.returncode == 2
    assert "pip install flownodes-bad" in gone.stderr
    still = flow(tmp_path, [good], "run", "mine.json", "--json")
    assert json.loads(still.stdout)["node_outputs"] == {"only": {"result": "hello"}}


# --- hooks ---------------------------------------------------------------------------------------

HOOK = """
from flowruntime.hooks import ExpressionFunction, hookimpl
{before}

@hookimpl
def expression_functions():
    {inside}
    return [ExpressionFunction(name="{name}", function=lambda text: text + "!", arguments=(("string",),))]
"""


def add_hook(site: Site, distribution: str, name: str, *, before: str = "", inside: str = "pass") -> None:
    module = distribution.replace("-", "_")
    site.add_distribution(distribution, f"[flownodes.hooks]\n{distribution} = {module}\n")
    site.add_package(module, HOOK.format(before=before, inside=inside, name=name))


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"before": "raise RuntimeError('no')"}, "hooks.import"),
        ({"before": "raise SystemExit(3)"}, "hooks.import"),
        ({"inside": "raise RuntimeError('no')"}, "hooks.call"),
        ({"before": "import os; os._exit(9)"}, "hooks.died"),
        ({}, None),
    ],
)
def test_a_hook_that_raises_or_exits_is_recorded_and_the_others_work(
    bad: dict[str, str], code: str | None, good: Site, tmp_path: Path
) -> None:
    site = Site(tmp_path / "hooks")
    add_hook(site, "good-hook", "shout")
    add_hook(site, "bad-hook", "other", **bad)
    found = wrong(flow(tmp_path, [site, good], "doctor", "--json"), "-hook")
    assert [(one["pack"], one["stage"], one["code"]) for one in found] == (
        [("bad-hook", "import", code)] if code is not None else []
    )
    assert all(one["remedy"] for one in found)
    if code != "hooks.died":
        assert flow(tmp_path, [site, good], "eval", "shout('a')").stdout == '"a!"\n'


@pytest.mark.parametrize("deadly", [True, False])
def test_lists_and_checks_survive_a_hook_that_ends_the_process(deadly: bool, good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "hooks")
    add_hook(site, "good-hook", "shout")
    add_hook(site, "bad-hook", "other", before="import os; os._exit(0)" if deadly else "")
    write_workflow(tmp_path / "flow.json", "good03.act", inputs={"text": "${{ shout('a') }}"})
    for words in (("nodes", "--json"), ("packs", "--json"), ("catalog",)):
        ended = flow(tmp_path, [site, good], *words)
        assert ended.returncode == 0
        told = json.loads(ended.stdout)
        assert [(one["pack"], one["code"]) for one in told["problems"]] == [("bad-hook", "hooks.died")] * deadly
        if words[0] == "nodes":
            assert {f"{name}.act" for name in GOOD} <= {row["id"] for row in told["nodes"]}
    assert flow(tmp_path, [site, good], "validate", "flow.json").returncode == 0
    result = json.loads(flow(tmp_path, [site, good], "run", "flow.json", "--json").stdout)
    assert result["node_outputs"] == {"only": {"result": "a!"}}


def test_a_hook_that_prints_does_not_reach_stdout(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "hooks")
    add_hook(site, "loud-hook", "shout", before="print('LOUD')", inside="print('LOUD')")
    ended = flow(tmp_path, [site, good], "eval", "shout('a')")
    assert ended.stdout == '"a!"\n'
    assert ended.stderr.count("LOUD") == 2


def test_of_a_distribution_with_a_newer_catalog_all_else_loads(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "newer")
    points = "[flownodes]\nnew = newer_new\nold = newer_old\n[flownodes.hooks]\nnewer = newer_hooks\n"
    site.add_distribution("newer-pack", points)
    site.add_package("newer_new", node_source("new.act"), NEWER | {"namespace": "new"})
    site.add_package("newer_old", node_source("old.act"), catalog_json("old", {"old.act": "newer_old:act"}))
    site.add_package("newer_hooks", HOOK.format(before="", inside="pass", name="shout"))
    seen = look(tmp_path, site, good)
    assert all_good(seen)
    assert [(one["pack"], one["code"]) for one in seen.problems] == [("newer-pack", "catalog.newer")]
    assert "old.act" in seen.loaded
    assert flow(tmp_path, [site, good], "eval", "shout('a')").stdout == '"a!"\n'


@pytest.mark.parametrize("place", ["before", "inside", None])
def test_a_hook_that_hangs_is_given_up_and_the_others_work(place: str | None, tmp_path: Path) -> None:
    site = Site(tmp_path / "hooks")
    add_hook(site, "good-hook", "shout")
    hanging = {} if place is None else {place: "__import__('time').sleep(600)"}
    add_hook(site, "bad-hook", "other", **hanging)
    program = """
import json, os, sys
from flowruntime.hooks import load_hooks
hooks = load_hooks(limit_seconds=float(sys.argv[1]))
names = [name for name, _ in hooks.call("expression_functions")]
print(json.dumps({"names": names, "codes": [[problem.pack, problem.code] for problem in hooks.problems]}))
sys.stdout.flush()
os._exit(0)
"""
    limit_seconds = LIMIT_SECONDS if place is None else SHORT_LIMIT_SECONDS
    ended = subprocess.run(
        [sys.executable, "-c", program, str(limit_seconds)],
        env={**os.environ, "PYTHONPATH": str(site.folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    answer = json.loads(ended.stdout)
    assert "good-hook" in answer["names"]
    assert ("bad-hook" in answer["names"]) == (place is None)
    assert answer["codes"] == ([] if place is None else [["bad-hook", "hooks.hung"]])


def test_the_hooks_of_a_denied_distribution_are_not_imported(good: Site, tmp_path: Path) -> None:
    site = Site(tmp_path / "hooks")
    marker = tmp_path / "imported"
    add_hook(site, "bad-hook", "other", before=f"open({str(marker)!r}, 'w').close()")
    write_workflow(tmp_path / "flow.json", "debug.log", inputs={"message": "${{ other('a') }}"})
    settings = tmp_path / "flow.toml"

    settings.write_text('[packs]\ndeny = ["bad_hook"]\n')
    for _ in range(2):  # with a cold cache, then with a warm one
        denied = flow(tmp_path, [site, good], "validate", "flow.json")
        assert denied.returncode == 2
        assert "'other'" in denied.stdout
    settings.write_text("[packs]\nsafe_mode = true\n")
    safe = flow(tmp_path, [site, good], "validate", "flow.json")
    assert safe.returncode == 2
    assert "'other'" in safe.stdout
    assert not marker.exists()
    # The control: nobody keeps it out.
    settings.unlink()
    assert flow(tmp_path, [site, good], "validate", "flow.json").returncode == 0
    assert marker.exists()


# --- what is not imported ------------------------------------------------------------------------


def test_validating_a_thousand_nodes_imports_no_pack(good: Site, tmp_path: Path) -> None:
    nodes = [
        {"id": f"n{number}", "node_type": f"{GOOD[number % 20]}.act", "inputs": {"text": "x"}} for number in range(1000)
    ]
    (tmp_path / "thousand.json").write_text(json.dumps({"name": "Thousand", "nodes": nodes}))
    code = (
        "import sys; from flowcli.main import main; code = main(['validate', 'thousand.json']);"
        "print(code, *[name for name in sys.modules if name.startswith('flownodes_')])"
    )
    assert python(tmp_path, [good], code).splitlines()[-1] == "0"
    # The control: running one of them does import its pack.
    write_workflow(tmp_path / "one.json", "good03.act")
    running = code.replace("'validate', 'thousand.json'", "'run', 'one.json'")
    assert python(tmp_path, [good], running).splitlines()[-1] == "0 flownodes_good03"


# --- running -------------------------------------------------------------------------------------


def write_workflow(file: Path, node_type: str, **fields: Any) -> None:
    node = {"id": "only", "node_type": node_type, "inputs": {"text": "hello"}, **fields}
    file.write_text(json.dumps({"name": "One", "nodes": [node]}))


def environment_of(tmp_path: Path, sites: list[Site]) -> dict[str, str]:
    path = os.pathsep.join(str(site.folder) for site in sites)
    return {**os.environ, "PYTHONPATH": path, "FLOW_HOME": str(tmp_path / "home")}


def flow(tmp_path: Path, sites: list[Site], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "flowcli", *words],
        cwd=tmp_path,
        env=environment_of(tmp_path, sites),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def python(tmp_path: Path, sites: list[Site], code: str) -> str:
    command = [sys.executable, "-c", code]
    environment = environment_of(tmp_path, sites)
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def wrong(ended: "subprocess.CompletedProcess[str]", pack: str) -> list[dict[str, str]]:
    """What `flow doctor --json` found wrong with packs whose name ends so."""
    findings: list[dict[str, str]] = json.loads(ended.stdout)["findings"]
    return [one for one in findings if one["status"] == "problem" and one.get("pack", "").endswith(pack)]


def write_catalog(site: Site) -> None:
    """Give the pack `bad` the catalog that its code says."""
    pack = Pack(distribution="flownodes-bad", version="1.0", namespace="bad", package="flownodes_bad")
    made = inspect_package(pack, search_path=[str(site.folder), *sys.path], timeout_seconds=10)
    (site.folder / "flownodes_bad" / "flownodes.json").write_text(catalog_text(made))
