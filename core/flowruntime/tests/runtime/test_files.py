"""Files that stand in documents for documents: read from real folders, and refused with the place and the path."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from flowcore.values import MAX_DOCUMENT_BYTES
from flowruntime.plan import SchemaCache, check_workflow
from flowruntime.runtime import Embedded, embed_files

from core.flowruntime.tests.plan.planning import Types, document

STEP = {"nodes": [{"id": "step", "node_type": "t.noop"}]}


def holding(file: Any, **fields: Any) -> dict[str, Any]:
    """A document with a node whose body is in a file."""
    return document({"l": {"node_type": "t.loop", "config": {"body": {"file": file}}}}, **fields)


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def embed(source: Any, folder: Path) -> Embedded:
    return embed_files(source, folder, Types())


def body_of(made: Any) -> Any:
    return made["nodes"][0]["config"]["body"]


def refusal(source: Any, folder: Path) -> tuple[str, str, str]:
    made = embed(source, folder)
    (problem,) = made.problems
    assert problem.remedy
    # The check afterwards does not tell it a second time.
    found = check_workflow(made.document, Types(), SchemaCache()).problems
    assert [other.code for other in made.with_problems(found)] == [problem.code]
    return problem.code, problem.pointer, problem.message


def test_the_document_in_a_file_takes_the_place_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "each.json", STEP)
    made = embed(holding("each.json"), tmp_path)
    assert made.problems == ()
    assert body_of(made.document) == STEP
    assert check_workflow(made.document, Types(), SchemaCache()).plan is not None


@pytest.mark.parametrize("form", [json.dumps, lambda source: json.dumps(source).encode()])
def test_the_source_may_be_a_text(tmp_path: Path, form: Any) -> None:
    write(tmp_path / "each.json", STEP)
    assert body_of(embed(form(holding("each.json")), tmp_path).document) == STEP


def test_a_source_in_which_no_file_stands_stays_as_it_is(tmp_path: Path) -> None:
    source = json.dumps(document({"a": "t.noop", "l": {"node_type": "t.loop", "config": {"body": STEP}}}))
    assert embed(source, tmp_path).document is source


def test_the_given_document_is_not_changed(tmp_path: Path) -> None:
    write(tmp_path / "each.json", STEP)
    source = holding("each.json")
    embed(source, tmp_path)
    assert source == holding("each.json")


def test_paths_are_relative_to_the_file_that_they_stand_in(tmp_path: Path) -> None:
    write(tmp_path / "flows" / "outer.json", holding("parts/inner.json"))
    write(tmp_path / "flows" / "parts" / "inner.json", holding("../last.json"))
    write(tmp_path / "flows" / "last.json", STEP)
    made = embed(holding("flows/outer.json"), tmp_path)
    assert made.problems == ()
    assert body_of(body_of(body_of(made.document))) == STEP


def test_an_absolute_path_stays_one(tmp_path: Path) -> None:
    file = write(tmp_path / "a" / "each.json", STEP)
    assert body_of(embed(holding(str(file)), tmp_path / "b").document) == STEP


def test_files_are_read_in_documents_inside_and_in_arrays(tmp_path: Path) -> None:
    write(tmp_path / "each.json", STEP)
    branches = {"branches": [{"flow": {"nodes": holding("each.json")["nodes"]}}, {"flow": {"file": "each.json"}}]}
    made: Any = embed(document({"b": {"node_type": "t.branches", "config": branches}}), tmp_path).document
    first, second = made["nodes"][0]["config"]["branches"]
    assert (body_of(first["flow"]), second["flow"]) == (STEP, STEP)


def test_a_tagged_file_is_read_too(tmp_path: Path) -> None:
    write(tmp_path / "each.json", STEP)
    tagged = {"type": "Json", "value": {"file": "each.json"}}
    source = document({"l": {"node_type": "t.loop", "config": {"body": tagged}}})
    assert body_of(embed(source, tmp_path).document) == STEP


def test_only_fields_for_documents_name_files(tmp_path: Path) -> None:
    config = {"headers": {"file": "gone.json"}}
    source = document({"h": {"node_type": "t.http", "config": config}, "u": {"node_type": "t.nop", "config": config}})
    made = embed(source, tmp_path)
    assert made.document is source
    assert made.problems == ()


def test_a_missing_file_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "each.json", STEP)
    code, pointer, message = refusal(holding("eahc.json"), tmp_path)
    assert (code, pointer) == ("file.missing", "/nodes/0/config/body")
    assert str(tmp_path / "eahc.json") in message
    assert embed(holding("eahc.json"), tmp_path).problems[0].remedy == "Did you mean 'each.json'?"


def test_a_missing_file_in_a_file_is_told_at_its_place_in_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "outer.json", holding("gone.json"))
    code, pointer, message = refusal(holding("sub/outer.json"), tmp_path)
    assert (code, pointer) == ("file.missing", "/nodes/0/config/body/nodes/0/config/body")
    assert str(tmp_path / "sub" / "gone.json") in message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "json.syntax"),
        ("", "json.syntax"),
        ('{"a": 1, "a": 2}', "json.duplicate_key"),
        ("[]", "workflow.form"),
        ("5", "workflow.form"),
        ('"text"', "workflow.form"),
    ],
)
def test_a_file_with_no_document_in_it_is_told_by_its_path(tmp_path: Path, content: str, code: str) -> None:
    file = write(tmp_path / "each.json", content)
    found, pointer, message = refusal(holding("each.json"), tmp_path)
    assert (found, pointer) == (code, "/nodes/0/config/body")
    assert str(file) in message


def test_what_is_wrong_in_the_document_of_a_file_is_told_by_the_check(tmp_path: Path) -> None:
    write(tmp_path / "each.json", {"nodes": [{"id": "x", "node_type": "t.nop"}]})
    made = embed(holding("each.json"), tmp_path)
    (problem,) = made.with_problems(check_workflow(made.document, Types(), SchemaCache()).problems)
    assert problem.pointer == "/nodes/0/config/body/nodes/0/node_type"


def test_files_that_hold_each_other_are_told_as_a_circle(tmp_path: Path) -> None:
    write(tmp_path / "a.json", holding("b.json"))
    write(tmp_path / "b.json", holding("./a.json"))
    code, _, message = refusal(holding("a.json"), tmp_path)
    assert code == "file.cycle"
    assert message.index("a.json") < message.index("b.json") < message.rindex("a.json")


def test_a_circle_through_a_link_is_found(tmp_path: Path) -> None:
    write(tmp_path / "a.json", holding("link.json"))
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    assert refusal(holding("a.json"), tmp_path)[0] == "file.cycle"


def test_the_same_file_may_stand_in_two_places(tmp_path: Path) -> None:
    write(tmp_path / "each.json", STEP)
    config = {"body": {"file": "each.json"}}
    loop = {"node_type": "t.loop", "config": config}
    assert embed(document({"a": loop, "b": loop}), tmp_path).problems == ()


def test_more_than_sixteen_files_in_each_other_are_refused_with_the_limit(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / f"{number}.json", holding(f"{number + 1}.json"))
    made = embed(holding("0.json"), tmp_path)
    (problem,) = made.problems
    assert problem.code == "file.depth"
    assert "16.json" in problem.message
    assert "16" in problem.message.split("limit")[1]


def test_small_files_that_multiply_are_stopped_at_the_size_of_a_document(tmp_path: Path) -> None:
    last = write(tmp_path / "10.json", {**STEP, "description": "x" * 10_000})
    for number in range(10):
        twice = {"node_type": "t.loop", "config": {"body": {"file": f"{number + 1}.json"}}}
        write(tmp_path / f"{number}.json", document({"a": twice, "b": twice}))
    assert last.stat().st_size * 2**10 > MAX_DOCUMENT_BYTES
    problems = embed(holding("0.json"), tmp_path).problems
    assert {problem.code for problem in problems} == {"file.too_large"}


def test_a_file_larger_than_a_document_may_be_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(MAX_DOCUMENT_BYTES + 1)
    assert refusal(holding("big.json"), tmp_path)[0] == "file.too_large"


@pytest.mark.parametrize("name", ["", ".", "folder", "pipe"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert refusal(holding(name), tmp_path)[0] == "file.irregular"


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000, "file.json/inner.json", "loop.json"])
def test_a_path_that_the_system_refuses_is_told(tmp_path: Path, name: str) -> None:
    write(tmp_path / "file.json", STEP)
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert refusal(holding(name), tmp_path)[0] == "file.unreadable"


@pytest.mark.parametrize(
    "source",
    ["{", [], None, 5, {}, {"nodes": 5}, {"nodes": [5, {}, {"config": 5}, {"node_type": 5, "config": {}}]}],
    ids=str,
)
def test_a_source_that_is_no_document_is_left_to_the_check(tmp_path: Path, source: Any) -> None:
    made = embed(source, tmp_path)
    assert made.document is source
    assert made.problems == ()


def test_a_faulty_tagged_value_is_left_to_the_check(tmp_path: Path) -> None:
    config = {"body": {"file": "gone.json"}, "until": {"type": "Number", "value": "x"}}
    source = document({"l": {"node_type": "t.loop", "config": config}})
    made = embed(source, tmp_path)
    assert made.document is source
    codes = {problem.code for problem in check_workflow(made.document, Types(), SchemaCache()).problems}
    assert "value.tagged" in codes
