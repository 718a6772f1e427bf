"""Importing the code of a node type at its first use."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from flowcore.errors import PackError
from flowcore.nodes import NodeType
from flowruntime.authoring import Definition
from flowruntime.limited import QUIET
from flowruntime.registry import Registry, importing, loading
from flowruntime.registry.importing import ImportFailed, run_import

from core.flowruntime.tests.registry.installed_packs import Site, call, catalog_json, node_source


def load(site: Site, type_id: str) -> Definition:
    registry = Registry.discover(search_path=site.path, cache_dir=None)
    node_type = registry.get(type_id)
    assert node_type is not None
    return registry.load(node_type)


def error_of(site: Site, type_id: str) -> PackError:
    with pytest.raises(PackError) as caught:
        load(site, type_id)
    assert caught.value.pack == "flownodes-bad"
    assert "'flownodes-bad'" in caught.value.message
    assert f"'{type_id}'" in caught.value.message
    assert caught.value.remedy
    return caught.value


def test_the_code_is_imported_at_the_first_use_and_once(importable: Site) -> None:
    importable.add_pack("acme", "shout", "whisper")
    registry = Registry.discover(search_path=importable.path, cache_dir=None)
    node_type = registry.get("acme.shout")
    assert node_type is not None
    assert "flownodes_acme" not in sys.modules

    definition = registry.load(node_type)

    assert definition.id == "acme.shout"
    assert call(definition, "hello") == "hello"
    assert registry.load(node_type) is definition
    assert registry.with_local([]).load(node_type) is definition


def test_code_deep_in_a_module_is_found(importable: Site) -> None:
    catalog = catalog_json("acme", {"acme.inner": "flownodes_acme.deep:Box.inner"})
    folder = importable.add_pack("acme", catalog=catalog, source="")
    indented = node_source("acme.inner").replace("\n", "\n    ")
    (folder / "deep.py").write_text(f"class Box:\n    {indented}")
    assert load(importable, "acme.inner").id == "acme.inner"


# --- packs that misbehave: an error that names the pack, while others work on ---------------------------


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("raise ValueError('no key')", "import.raised", "ValueError: no key"),
        ("def f(:", "import.raised", "SyntaxError"),
        ("import no_such_module", "import.raised", "No module named 'no_such_module'"),
        ("import sys\nsys.exit('bye')", "import.exited", "sys.exit('bye')"),
        ("exit(0)", "import.exited", "sys.exit(0)"),
        ("import os\nos._exit(0)", "import.exited", "os._exit(0)"),
        ("raise KeyboardInterrupt", "import.raised", "KeyboardInterrupt"),
        ("raise GeneratorExit", "import.raised", "GeneratorExit"),
        ("class E(BaseException): ...\nraise E('out')", "import.raised", "out"),
        ("def f(): f()\nf()", "import.raised", "RecursionError"),
        (
            "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)",
            "import.raised",
            "nodes are imported on another one, and must set no handlers",
        ),
    ],
)
def test_an_import_that_fails_names_pack_and_place(importable: Site, source: str, code: str, said: str) -> None:
    importable.add_pack("bad", "b", source=source)
    importable.add_pack("good", "fine")
    error = error_of(importable, "bad.b")
    assert error.code == code
    assert said in error.message
    assert str(importable.folder / "flownodes_bad" / "__init__.py") in error.message
    assert load(importable, "good.fine").id == "good.fine"


def test_a_fork_of_an_import_ends_as_it_wants_to(importable: Site, tmp_path: Path) -> None:
    file = tmp_path / "status"
    source = (
        "import os, pathlib\nchild = os.fork()\nif not child:\n    os._exit(7)\n"
        f"pathlib.Path({str(file)!r}).write_text(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))\n"
    )
    importable.add_pack("forks", "a", source=source + node_source("forks.a"))
    before = os._exit
    assert load(importable, "forks.a").id == "forks.a"
    assert file.read_text() == "7"
    assert os._exit is before


def test_imports_that_overlap_cannot_end_the_process_and_leave_its_exit_as_it_was() -> None:
    """The first is given up, and ends while the second goes on."""
    before, go_on, has_begun, may_exit = os._exit, threading.Event(), threading.Event(), threading.Event()
    with pytest.raises(ImportFailed, match="took longer"):
        run_import(lambda: go_on.wait(30), module="slow", limit_seconds=0.01)
    slow = importing._given_up.pop("slow")
    reasons: list[str] = []

    def exit_at_once() -> None:
        has_begun.set()
        may_exit.wait(30)
        os._exit(0)

    def import_it() -> None:
        with pytest.raises(ImportFailed) as caught:
            run_import(exit_at_once, module="exits", limit_seconds=30)
        reasons.append(caught.value.reason)

    second = threading.Thread(target=import_it)
    second.start()
    has_begun.wait(30)
    go_on.set()
    assert slow.result(30)
    may_exit.set()
    second.join(30)
    assert reasons == ["it called os._exit(0)"]
    assert os._exit is before


def test_stdout_is_back_after_an_import_that_overlapped_another_strangers_code() -> None:
    before, has_begun, go_on = sys.stdout, threading.Event(), threading.Event()

    def wait() -> None:
        has_begun.set()
        go_on.wait(30)

    import_it = threading.Thread(target=lambda: run_import(wait, module="prints", limit_seconds=30))
    import_it.start()
    has_begun.wait(30)
    with QUIET:
        go_on.set()
        import_it.join(30)
        assert sys.stdout is sys.stderr
    assert sys.stdout is before


def test_a_missing_dependency_is_to_be_installed(importable: Site) -> None:
    importable.add_pack("bad", "b", source="import no_such_module")
    assert "Install what it needs" in error_of(importable, "bad.b").remedy


def test_the_place_is_in_the_packs_own_code_where_that_called_others(importable: Site) -> None:
    importable.add_pack("bad", "b", source="import json\n\njson.loads('{')")
    assert f"{importable.folder / 'flownodes_bad' / '__init__.py'}, line 3" in error_of(importable, "bad.b").message


@pytest.mark.parametrize(
    ("implementation", "said"),
    [
        ("flownodes_bad.gone:b", "No module named 'flownodes_bad.gone'"),
        ("flownodes_bad:gone", "has no attribute 'gone'"),
        ("flownodes_bad:number", "flownodes_bad:number, where its version 1 should be, is no node"),
        ("flownodes_bad:plain", "is no node"),
        ("flownodes_bad:other", "is 'bad.other', version 1"),
        ("flownodes_bad:newer", "is 'bad.b', version 2"),
    ],
)
def test_a_catalog_that_lies_is_found_out(importable: Site, implementation: str, said: str) -> None:
    source = node_source("bad.other") + (
        "number = 5\ndef plain(): ...\n@node('bad.b', version=2)\ndef newer(text: str) -> str: ...\n"
    )
    importable.add_pack("bad", source=source, catalog=catalog_json("bad", {"bad.b": implementation}))
    error = error_of(importable, "bad.b")
    assert said in error.message


def test_a_type_from_elsewhere_is_loaded_under_its_namespace(importable: Site) -> None:
    registry = Registry.discover(search_path=importable.path, cache_dir=None)
    with pytest.raises(PackError, match="of the pack 'other' cannot be imported") as caught:
        registry.load(NodeType(id="other.a", implementation="no_such_pack:a"))
    assert caught.value.pack == "other"


# --- what else an import may do to the process ------------------------------------------------------


def test_what_an_import_prints_goes_to_stderr(importable: Site, capsys: pytest.CaptureFixture[str]) -> None:
    importable.add_pack("acme", "a", source=node_source("acme.a", before="print('a greeting')"))
    load(importable, "acme.a")
    assert capsys.readouterr() == ("", "a greeting\n")
    print("afterwards")  # noqa: T201
    assert capsys.readouterr() == ("afterwards\n", "")

    # The control: without the guard it reaches stdout.
    del sys.modules["flownodes_acme"]
    __import__("flownodes_acme")
    assert capsys.readouterr() == ("a greeting\n", "")


def test_what_a_failing_import_prints_goes_to_stderr(importable: Site, capsys: pytest.CaptureFixture[str]) -> None:
    importable.add_pack("bad", "b", source="print('a greeting')\nraise ValueError")
    error_of(importable, "bad.b")
    assert capsys.readouterr() == ("", "a greeting\n")


INTERRUPTED = """
import sys
from flowruntime.registry import Registry
sys.path.append(sys.argv[1])
registry = Registry.discover(search_path=sys.argv[1:], cache_dir=None)
try:
    registry.load(registry.get("acme.a"))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_during_an_import_ends_it(importable: Site) -> None:
    importable.add_pack(
        "acme", "a", source="print('importing', flush=True)\nimport threading\nthreading.Event().wait()"
    )
    command = [sys.executable, "-c", INTERRUPTED, str(importable.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("interrupted\n", 0)


def test_the_handler_of_ctrl_c_is_the_same_afterwards() -> None:
    seen: list[int] = []

    def handler(number: int, _: Any) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        # A handler that only takes note, as asyncio's does: the import goes on.
        assert run_import(lambda: os.kill(os.getpid(), signal.SIGINT), module="x") is None
        assert seen == [signal.SIGINT]
        run_import(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), module="x")
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_import_on_another_thread_may_raise_anything() -> None:
    failures: list[ImportFailed] = []

    def fail() -> None:
        raise KeyboardInterrupt

    def on_thread() -> None:
        try:
            run_import(fail, module="x")
        except ImportFailed as failed:
            failures.append(failed)

    thread = threading.Thread(target=on_thread)
    thread.start()
    thread.join()
    assert [failed.kind for failed in failures] == ["raised"]


def test_imports_on_several_threads_leave_stdout_as_it_was() -> None:
    before = sys.stdout
    barrier = threading.Barrier(4)

    def on_thread() -> None:
        barrier.wait()
        for _ in range(100):
            run_import(lambda: None, module="x")

    threads = [threading.Thread(target=on_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is before


def test_a_reason_of_many_lines_becomes_one() -> None:
    def fail() -> None:
        raise ValueError("first\n  second\n")

    with pytest.raises(ImportFailed, match=r"^ValueError: first second$"):
        run_import(fail, module="x")


def test_a_very_long_reason_is_cut() -> None:
    def fail() -> None:
        raise ValueError("x" * 10_000)

    with pytest.raises(ImportFailed) as caught:
        run_import(fail, module="x")
    assert len(caught.value.reason) < 1000


# --- imports that hang ---------------------------------------------------------------------------


def test_an_import_that_hangs_is_given_up_and_may_still_end(
    importable: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(threading, "gate_of_this_test", gate, raising=False)
    waiting = node_source("slow.act", before="import threading; threading.gate_of_this_test.wait(30)")
    importable.add_pack("slow", "act", source=waiting)
    importable.add_pack("quick", "act")
    registry = Registry.discover(search_path=importable.path, cache_dir=None)
    slow, quick = registry.get("slow.act"), registry.get("quick.act")
    assert slow is not None
    assert quick is not None

    monkeypatch.setattr(loading, "_LIMIT_SECONDS", 0.05)
    for _ in range(2):  # the second time nobody waits for it again
        with pytest.raises(PackError) as caught:
            registry.load(slow)
        assert caught.value.code == "import.hung"
        assert caught.value.pack == "flownodes-slow"
        assert caught.value.remedy
    monkeypatch.setattr(loading, "_LIMIT_SECONDS", 30.0)
    assert call(registry.load(quick), "hello") == "hello"
    print("still stdout")  # noqa: T201 - it is put back
    assert capsys.readouterr().out == "still stdout\n"

    gate.set()
    importing._given_up["flownodes_slow"].result(30)
    assert call(registry.load(slow), "hello") == "hello"
