"""Checks what the documents say: code blocks run, JSON is valid, links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flowcore.documents import read_workflow
from flowruntime import Runtime

from tests.architecture.source_tree import ROOT
from tests.docs.documents import Block, anchors_of, blocks_of, documents, links_of

README = ROOT / "README.md"
# Has a test of its own, which knows what its blocks build on.
TESTED_ELSEWHERE = {ROOT / "docs" / "writing-nodes.md"}

BLOCKS = [block for document in documents() if document not in TESTED_ELSEWHERE for block in blocks_of(document)]
PYTHON = [block for block in BLOCKS if block.language == "python" and block.is_run]
JSON = [block for block in BLOCKS if block.language == "json"]
# At the outermost level: a loop has the nodes of its body further inside.
WORKFLOWS = [block for block in JSON if '\n  "nodes": [' in block.text]


def place(block: Block) -> str:
    return block.place


def test_there_is_something_to_check() -> None:
    assert len(PYTHON) >= 6
    assert len(WORKFLOWS) >= 4


@pytest.mark.parametrize("block", PYTHON, ids=place)
def test_a_python_block_runs_and_prints_what_the_document_says(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "block.py"
    file.write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-W", "error", str(file)]
    environment = {**os.environ, "FLOW_HOME": str(tmp_path / "home")}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, block.prints), ended.stderr


@pytest.mark.parametrize("block", JSON, ids=place)
def test_a_json_block_is_json(block: Block) -> None:
    assert isinstance(json.loads(block.text), dict)


@pytest.mark.parametrize("block", WORKFLOWS, ids=place)
def test_a_workflow_in_a_document_is_valid_without_a_warning(block: Block) -> None:
    assert [str(problem) for problem in Runtime().check(block.text).problems] == []
    assert read_workflow(block.text).workflow is not None


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    lost = []
    for link in links_of(document):
        path, _, fragment = link.partition("#")
        if ":" in path:
            continue
        target = document if not path else (document.parent / path).resolve()
        if not target.exists() or (fragment and fragment not in anchors_of(target)):
            lost.append(link)
    assert lost == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [README]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        found = ((document.parent / link.partition("#")[0]).resolve() for link in links_of(document) if ":" not in link)
        waiting += {path for path in found if path.suffix == ".md" and path.exists() and path not in reached}
    assert [str(path.relative_to(ROOT)) for path in documents() if path not in reached] == []


def test_no_document_names_a_folder_of_somebodys_machine() -> None:
    folder = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|work)/")
    assert [path.name for path in documents() if folder.search(path.read_text(encoding="utf-8"))] == []


# --- the README --------------------------------------------------------------------------------------


def test_the_node_in_the_readme_is_the_one_of_the_examples() -> None:
    first = next(block for block in blocks_of(README) if block.language == "python")
    assert first.text == (ROOT / "examples" / "my_nodes.py").read_text(encoding="utf-8")


def test_the_readme_embeds_the_runtime_in_ten_lines() -> None:
    _, embedding = (block for block in blocks_of(README) if block.language == "python")
    assert len([line for line in embedding.text.splitlines() if line]) <= 10


def test_the_steps_that_the_readme_shows_are_as_in_an_example() -> None:
    text = (ROOT / "examples" / "earthquakes.json").read_text(encoding="utf-8")
    shown = [json.loads(block.text) for block in blocks_of(README) if block.language == "json"]
    node, connection = shown
    example = json.loads(text)
    assert connection in example["connections"]
    assert (node["id"], node["node_type"]) in {(other["id"], other["node_type"]) for other in example["nodes"]}


def test_the_files_that_shell_blocks_run_are_there() -> None:
    words = [word for block in BLOCKS if block.language == "sh" for word in block.text.split()]
    files = {word for word in words if word.startswith(("examples/", "docs/"))}
    assert files
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


# --- the checks themselves ---------------------------------------------------------------------------


def test_what_a_block_prints_stands_right_below_it(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("```python\n1\n```\n\n```text\na\n```\n\n```python\n2\n```\n\nWords.\n\n```text\nb\n```\n")
    assert [(block.text, block.prints) for block in blocks_of(document) if block.language == "python"] == [
        ("1\n", "a\n"),
        ("2\n", ""),
    ]


def test_links_in_code_are_no_links_and_headings_give_anchors(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("# What's new, now\n\n[a](b.md#c) `[d](e)`\n\n```\n[f](g)\n# no heading\n```\n")
    assert list(links_of(document)) == ["b.md#c"]
    assert anchors_of(document) == {"whats-new-now"}


def test_a_block_can_be_left_out(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("<!-- not run -->\n\n```python\nnever()\n```\n\n```python\nrun()\n```\n")
    assert [block.is_run for block in blocks_of(document)] == [False, True]
