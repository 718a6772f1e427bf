"""Checks `flow pack new`: what it writes works at once, and what it cannot write leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import Flow, FlowInside
from tests.architecture.source_tree import ROOT

FILES = [
    ".github/workflows/check.yml",
    ".gitignore",
    "README.md",
    "docs/hello.md",
    "examples/hello.json",
    "pyproject.toml",
    "src/flownodes_greet/__init__.py",
    "src/flownodes_greet/flownodes.json",
    "src/flownodes_greet/hello.py",
    "src/flownodes_greet/py.typed",
    "tests/test_conformance.py",
    "tests/test_hello.py",
]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=180)


def types_of(pack: Path) -> list[str]:
    (catalog,) = pack.glob("src/*/flownodes.json")
    return [entry["id"] for entry in json.loads(catalog.read_text())["types"]]


def test_a_new_pack_is_complete_and_its_checks_and_tests_pass_at_once(flow: Flow) -> None:
    ended = flow("pack", "new", "greet")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.splitlines()[1:] == [
        "  pip install -e flownodes-greet",
        "  flow run flownodes-greet/examples/hello.json",
    ]
    pack = flow.folder / "flownodes-greet"
    assert sorted(files_in(pack)) == FILES
    assert types_of(pack) == ["greet.hello"]
    assert "@@" not in "".join(content.decode() for content in files_in(pack).values())
    checked = flow("pack", "check", "flownodes-greet")
    assert (checked.code, checked.out, checked.err) == (0, "", "All 10 checks passed.\n")
    tested = python(pack, "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "13 passed" in tested.stdout


def test_what_is_written_keeps_to_the_house_style_and_has_types(flow_inside: FlowInside) -> None:
    assert flow_inside("pack", "new", "acme_words", "--node", "longest_word").code == 0
    pack = flow_inside.folder / "flownodes-acme-words"
    assert types_of(pack) == ["acme_words.longest_word"]
    config = ["--config", str(ROOT / "pyproject.toml")]
    for arguments in (["ruff", "format", "--check", *config], ["ruff", "check", *config, "--no-cache"]):
        ended = python(pack, *arguments, ".")
        assert ended.returncode == 0, ended.stdout
    ended = python(pack, "mypy", "--strict", "--no-incremental", "src", "tests")
    assert ended.returncode == 0, ended.stdout


def test_the_example_is_a_workflow_with_the_node(flow_inside: FlowInside) -> None:
    flow_inside("pack", "new", "greet")
    document = json.loads((flow_inside.folder / "flownodes-greet/examples/hello.json").read_text())
    (node,) = document["nodes"]
    assert node["node_type"] == "greet.hello"
    assert document["outputs"] == {"greeting": "${{ nodes.hello.result }}"}


def test_a_pack_can_be_written_elsewhere_and_told_as_json(flow_inside: FlowInside) -> None:
    made = flow_inside("pack", "new", "greet", "--output", "some/where", "--json").json
    assert made["folder"] == "some/where/flownodes-greet"
    assert made["type"] == "greet.hello"
    assert [Path(file).relative_to(made["folder"]).as_posix() for file in made["files"]] == FILES


# --- one more node -----------------------------------------------------------------------------------


def test_a_node_is_added_without_touching_what_is_there(flow: Flow) -> None:
    flow("pack", "new", "greet")
    pack = flow.folder / "flownodes-greet"
    before = files_in(pack)
    ended = flow("pack", "new", "greet", "--node", "good_night")
    assert ended.code == 0
    assert "flownodes-greet/src/flownodes_greet/good_night.py" in ended.err
    after = files_in(pack)
    catalog = "src/flownodes_greet/flownodes.json"
    assert set(after) - set(before) == {
        "src/flownodes_greet/good_night.py",
        "tests/test_good_night.py",
        "docs/good_night.md",
    }
    assert {name: after[name] for name in before if name != catalog} == {
        name: content for name, content in before.items() if name != catalog
    }
    assert types_of(pack) == ["greet.good_night", "greet.hello"]
    assert flow("pack", "check", "flownodes-greet").code == 0
    tested = python(pack, "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout


def test_inside_a_pack_the_node_is_all_it_takes(flow: Flow) -> None:
    flow("pack", "new", "greet")
    inside = Flow(flow.folder / "flownodes-greet" / "src", Path(flow.environment["FLOW_HOME"]))
    added = inside("pack", "new", "--node", "bye", "--json").json
    assert added == {
        "folder": "..",
        "type": "greet.bye",
        "files": ["../docs/bye.md", "../tests/test_bye.py", "flownodes_greet/bye.py"],
    }
    assert types_of(flow.folder / "flownodes-greet") == ["greet.bye", "greet.hello"]


def test_a_pack_of_another_layout_gets_a_node_too(flow: Flow) -> None:
    pack = flow.folder / "acme"
    (pack / "acme_words").mkdir(parents=True)
    (pack / "acme_words" / "__init__.py").touch()
    points = '[project]\nname = "acme-words"\n[project.entry-points.flownodes]\nwords = "acme_words"\n'
    (pack / "pyproject.toml").write_text(points)
    inside = Flow(pack, Path(flow.environment["FLOW_HOME"]))
    assert inside("pack", "new", "--node", "shout").code == 0
    assert "from acme_words.shout import shout" in (pack / "tests" / "test_shout.py").read_text()
    assert json.loads((pack / "acme_words" / "flownodes.json").read_text())["namespace"] == "words"


def test_when_the_catalog_cannot_be_built_the_pack_is_as_it_was(flow: Flow) -> None:
    flow("pack", "new", "greet")
    pack = flow.folder / "flownodes-greet"
    module = pack / "src" / "flownodes_greet" / "hello.py"
    module.write_text("import nowhere_to_be_found\n")
    before = files_in(pack)
    ended = flow("pack", "new", "greet", "--node", "bye")
    assert ended.code == 3
    assert "nowhere_to_be_found" in ended.err
    assert files_in(pack) == before


# --- what cannot be had ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["control"], "reserved"),
        (["debug"], "reserved"),
        (["local"], "reserved"),
        (["json"], "standard library"),
        (["class"], "a word of Python's own"),
        (["match"], "a word of Python's own"),
        (["my-pack"], "flow pack new my_pack"),
        (["Acme"], "flow pack new acme"),
        (["9lives"], "a letter first"),
        (["größe"], "a letter first"),
        (["a__b"], "flow pack new a_b"),
        (["../up"], "flow pack new up"),
        ([""], "a letter first"),
        (["a" * 300], "60 at most"),
        (["greet", "--node", "a" * 300], "60 at most"),
        (["flownodes-greet"], "flow pack new greet"),
        (["greet", "--node", "list"], "it would hide"),
        (["greet", "--node", "json"], "it would hide"),
        (["greet", "--node", "conformance"], "it would hide"),
        (["greet", "--node", "not-good"], "--node not_good"),
        (["greet", "--node", "def"], "a word of Python's own"),
        (["greet", "again"], "one name"),
        ([], "one name"),
        (["--node", "shout"], "There is no pack in"),
        (["greet", "--check"], "belongs to `flow pack build`"),
    ],
)
def test_a_name_that_cannot_be_had_is_told_and_nothing_is_written(
    flow_inside: FlowInside, words: list[str], said: str
) -> None:
    ended = flow_inside("pack", "new", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert list(flow_inside.folder.iterdir()) == []


def test_what_is_there_is_never_overwritten(flow: Flow) -> None:
    flow("pack", "new", "greet")
    pack = flow.folder / "flownodes-greet"
    (pack / "docs" / "bye.md").write_text("mine")
    before = files_in(flow.folder)
    for words in (["greet"], ["greet", "--node", "hello"], ["greet", "--node", "bye"]):
        ended = flow("pack", "new", *words)
        assert ended.code == 2
        assert "already" in ended.err
    assert files_in(flow.folder) == before


def test_the_namespace_of_an_installed_pack_is_taken(flow_inside: FlowInside, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = flow_inside.folder / "site"
    (installed / "other_words").mkdir(parents=True)
    (installed / "other_words" / "__init__.py").touch()
    catalog = {"catalog": 1, "namespace": "words", "types": []}
    (installed / "other_words" / "flownodes.json").write_text(json.dumps(catalog))
    metadata = installed / "other_words-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-words\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[flownodes]\nwords = other_words\n")
    monkeypatch.syspath_prepend(installed)
    ended = flow_inside("pack", "new", "words")
    assert ended.code == 2
    assert "belongs to the installed pack 'other-words'" in ended.err
    assert not (flow_inside.folder / "flownodes-words").exists()


def test_a_place_that_cannot_be_written_is_told(flow_inside: FlowInside) -> None:
    flow_inside.write("file", "")
    ended = flow_inside("pack", "new", "greet", "--output", "file")
    assert ended.code == 2
    assert "cannot be written" in ended.err
    assert [path.name for path in flow_inside.folder.iterdir()] == ["file"]
