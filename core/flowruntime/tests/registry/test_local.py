"""Nodes without a pack: objects, modules, and a user's file."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from flowcore.errors import InstallationError
from flowruntime.authoring import Context, Node, Port, node
from flowruntime.registry import Registry, load_nodes_file

from core.flowruntime.tests.registry.installed_packs import Site, call, node_source


@node
def shout(text: str, *, times: int = 1) -> str:
    """Say it louder."""
    return text.upper() + "!" * times


@node("local.counter", inputs=[], outputs=[Port(name="count")])
class Counter(Node):
    """Counts."""

    async def execute(self, ctx: Context) -> dict[str, int]:
        return {"count": 1}


@pytest.fixture
def registry(site: Site) -> Registry:
    site.add_pack("acme", "a")
    return Registry.discover(search_path=site.path, cache_dir=None)


def test_decorated_objects_get_the_namespace_local(registry: Registry) -> None:
    extended = registry.with_local([shout, Counter])

    assert extended.type_ids() == ["acme.a", "local.counter", "local.shout"]
    assert [(row.id, row.description, row.pack) for row in extended.rows()][1:] == [
        ("local.counter", "Counts.", "local"),
        ("local.shout", "Say it louder.", "local"),
    ]
    node_type = extended.get("local.shout")
    assert node_type is not None
    assert [port.name for port in node_type.inputs.ports] == ["text"]
    assert extended.load(node_type).target is shout
    assert extended.get("local.shout", 2) is None
    # Nothing else has changed, and the first registry not at all.
    assert extended.get("acme.a") is registry.get("acme.a")
    assert registry.type_ids() == ["acme.a"]


def test_a_module_brings_what_it_defines_and_not_what_it_imports(registry: Registry) -> None:
    module = ModuleType("my_nodes")
    code = "from core.flowruntime.tests.registry.test_local import shout\n" + node_source("whisper", "_private")
    exec(code, module.__dict__)  # noqa: S102
    assert registry.with_local([module]).type_ids() == ["acme.a", "local.whisper"]


def test_local_nodes_add_up(registry: Registry) -> None:
    extended = registry.with_local([shout]).with_local([Counter, shout])
    assert extended.type_ids() == ["acme.a", "local.counter", "local.shout"]


def test_the_newest_version_of_a_local_node_is_listed(registry: Registry) -> None:
    @node("shout", version=10)
    def newer(text: str) -> str:
        return text

    @node("shout", version=9)
    def older(text: str) -> str:
        return text

    extended = registry.with_local([newer, older, shout])
    assert [(row.id, row.version) for row in extended.rows()][1:] == [("local.shout", 10)]
    newest, first = extended.get("local.shout"), extended.get("local.shout", 1)
    assert newest is not None
    assert first is not None
    assert (extended.load(newest).target, extended.load(first).target) == (newer, shout)


def test_a_local_node_cannot_take_a_packs_namespace(registry: Registry) -> None:
    @node("http.request")
    def request(url: str) -> str:
        return url

    with pytest.raises(InstallationError) as caught:
        registry.with_local([request])
    assert caught.value.code == "local.namespace"
    assert "'http.request'" in caught.value.message
    assert "request" in caught.value.message
    assert "@node('request')" in caught.value.remedy


def test_two_local_nodes_of_one_id_are_refused(registry: Registry) -> None:
    @node("shout")
    def second(text: str) -> str:
        return text

    with pytest.raises(InstallationError, match=r"shout and .*second both declare .*'local\.shout', version 1"):
        registry.with_local([shout]).with_local([second])


@pytest.mark.parametrize("given", [5, "shout", print, sys])
def test_what_is_no_node_is_refused(registry: Registry, given: object) -> None:
    with pytest.raises(InstallationError, match="no node") as caught:
        registry.with_local([given])
    assert caught.value.code == "local.no_node"
    assert "@node" in caught.value.remedy


def test_a_signature_that_makes_no_node_type_is_refused(registry: Registry) -> None:
    @node
    def collect(*anything: str) -> str:
        return ""

    with pytest.raises(InstallationError) as caught:
        registry.with_local([collect])
    assert caught.value.code == "local.declaration"
    assert "collect" in caught.value.message


# --- a user's file -------------------------------------------------------------------------------


def test_a_file_of_nodes_needs_no_package(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "my_nodes.py"
    file.write_text(node_source("shout", "local.whisper"))
    extended = registry.with_local(load_nodes_file(file))
    assert extended.type_ids() == ["acme.a", "local.shout", "local.whisper"]
    node_type = extended.get("local.whisper")
    assert node_type is not None
    assert call(extended.load(node_type), "hi") == "hi"


def test_a_relative_path_is_meant_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nodes.py").write_text(node_source("shout"))
    monkeypatch.chdir(tmp_path)
    assert len(load_nodes_file(Path("my_nodes.py"))) == 1


def test_a_file_may_be_called_like_any_module(tmp_path: Path) -> None:
    import json

    (tmp_path / "json.py").write_text(node_source("shout"))
    assert len(load_nodes_file(tmp_path / "json.py")) == 1
    assert sys.modules["json"] is json


def test_two_files_of_one_name_are_two_modules(registry: Registry, tmp_path: Path) -> None:
    nodes: list[object] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "nodes.py").write_text(node_source(name))
        nodes += load_nodes_file(tmp_path / name / "nodes.py")
    assert registry.with_local(nodes).type_ids() == ["acme.a", "local.one", "local.two"]


def test_annotations_in_the_file_may_name_its_own_classes(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "my_nodes.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from flowruntime.authoring import node\n"
        "@dataclass\n"
        "class Answer:\n"
        "    text: str\n"
        "    parts: list[Part]\n"
        "@dataclass\n"
        "class Part:\n"
        "    number: int\n"
        "@node\n"
        "def ask(question: str) -> Answer: ...\n"
    )
    node_type = registry.with_local(load_nodes_file(file)).get("local.ask")
    assert node_type is not None
    assert [port.name for port in node_type.outputs.ports] == ["text", "parts"]


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("x = 1\nraise ValueError('no key')", "nodes_file.raised", ["ValueError: no key", "line 2"]),
        ("x = 1\n\ndef f(:", "nodes_file.raised", ["SyntaxError", "line 3"]),
        ("import no_such_module", "nodes_file.raised", ["No module named 'no_such_module'", "line 1"]),
        ("import sys\nsys.exit(2)", "nodes_file.exited", ["sys.exit(2)", "line 2"]),
        ("raise KeyboardInterrupt", "nodes_file.raised", ["KeyboardInterrupt"]),
        ("x = '\0'", "nodes_file.raised", ["null bytes"]),
        ("", "nodes_file.empty", ["defines no node"]),
        ("from core.flowruntime.tests.registry.test_local import shout", "nodes_file.empty", []),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path: Path, source: str, code: str, said: list[str]) -> None:
    file = tmp_path / "my_nodes.py"
    file.write_text(source)
    before = set(sys.modules)
    with pytest.raises(InstallationError) as caught:
        load_nodes_file(file)
    assert caught.value.code == code
    assert caught.value.remedy
    for words in [repr(str(file)), *said]:
        assert words in caught.value.message
    assert not any("my_nodes" in name for name in set(sys.modules) - before)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    for missing in (tmp_path / "nothing.py", tmp_path):
        with pytest.raises(InstallationError, match="There is no file") as caught:
            load_nodes_file(missing)
        assert caught.value.code == "nodes_file.missing"


def test_what_a_file_prints_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "my_nodes.py"
    file.write_text(node_source("shout", before="print('a greeting')"))
    load_nodes_file(file)
    assert capsys.readouterr() == ("", "a greeting\n")
