"""Checks `flow init` and `flow pack build`."""

import json
from pathlib import Path

import pytest
from flowcli.commands.init import STARTER

from apps.flowcli.tests.flow_command import Flow

PACK = """
[project]
name = "acme-words"
version = "1.0"
[project.entry-points.flownodes]
words = "acme_words"
"""
CODE = """
from flowruntime.authoring import node

@node("words.shout", effects="pure")
def shout(text: str) -> str:
    '''Say it louder.'''
    return text.upper()
"""


@pytest.fixture
def pack(flow: Flow) -> Path:
    """The project of a pack, without a catalog."""
    folder = flow.folder / "acme"
    (folder / "acme_words").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PACK)
    (folder / "acme_words" / "__init__.py").write_text(CODE)
    return folder


def test_what_init_writes_is_valid_runs_and_takes_both_ways(flow: Flow) -> None:
    written = flow("init")
    assert (written.code, written.out) == (0, "")
    assert "flow run workflow.json" in written.err
    assert flow("validate", "workflow.json", "--strict").code == 0
    named = flow("run", "workflow.json", "--input", '{"name": "Ada"}', "--json").json
    assert named["outputs"] == {"greeting": "Hello, Ada!"}
    assert named["skipped_nodes"] == ["ask"]
    unnamed = flow("run", "workflow.json", "--json").json
    assert unnamed["outputs"] == {"greeting": "Hello, world!"}
    assert unnamed["skipped_nodes"] == ["say"]


def test_the_next_step_that_init_proposes_works(flow: Flow) -> None:
    proposed = flow("init", "--output", "my flow.json").err.splitlines()[-1].strip()
    assert proposed == "flow run 'my flow.json' --input '{\"name\": \"Ada\"}'"


def test_init_never_overwrites(flow: Flow) -> None:
    flow.write("workflow.json", "mine")
    ended = flow("init")
    assert (ended.code, ended.out) == (2, "")
    assert "'workflow.json'" in ended.err
    assert (flow.folder / "workflow.json").read_text() == "mine"


def test_init_writes_where_it_is_told_and_says_when_it_cannot(flow: Flow) -> None:
    assert flow("init", "--output", "other.json").code == 0
    assert json.loads((flow.folder / "other.json").read_text()) == STARTER
    assert flow("init", "--output", "-").json == STARTER
    nowhere = flow("init", "--output", "nowhere/a.json")
    assert nowhere.code == 2
    assert "No such file or directory" in nowhere.err


def test_pack_build_writes_the_catalog_and_names_it(flow: Flow, pack: Path) -> None:
    ended = flow("pack", "build", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "acme/acme_words/flownodes.json\n"
    catalog = json.loads((pack / "acme_words" / "flownodes.json").read_text())
    assert [entry["id"] for entry in catalog["types"]] == ["words.shout"]
    assert flow("pack", "build", "acme", "--json").json == {"files": ["acme/acme_words/flownodes.json"]}


def test_pack_build_check_shows_the_difference_and_fails(flow: Flow, pack: Path) -> None:
    flow("pack", "build", "acme")
    assert flow("pack", "build", "--check", "acme") == (0, "", "")
    module = pack / "acme_words" / "__init__.py"
    module.write_text(module.read_text().replace("louder", "twice"))
    stale = flow("pack", "build", "--check", "acme")
    assert stale.code == 1
    assert '-      "description": "Say it louder.",' in stale.out.splitlines()
    assert '+      "description": "Say it twice.",' in stale.out.splitlines()
    assert "flow pack build" in stale.err
    in_json = flow("pack", "build", "--check", "acme", "--json")
    assert in_json.code == 1
    assert in_json.json["fresh"] is False
    assert in_json.json["diff"]
    assert "louder" in (pack / "acme_words" / "flownodes.json").read_text()


def test_pack_build_of_no_project_is_wrong_usage(flow: Flow) -> None:
    ended = flow("pack", "build")
    assert (ended.code, ended.out) == (2, "")
    assert "pyproject.toml" in ended.err


def test_a_pack_that_cannot_be_imported_is_told(flow: Flow, pack: Path) -> None:
    (pack / "acme_words" / "__init__.py").write_text("import nowhere_to_be_found")
    ended = flow("pack", "build", "acme")
    assert (ended.code, ended.out) == (3, "")
    assert "nowhere_to_be_found" in ended.err
    assert "Traceback" not in ended.err
