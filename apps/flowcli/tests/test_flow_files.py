"""Checks that `flow run` and `flow validate` read the files that stand in documents for other documents."""

from __future__ import annotations

from typing import Any

import pytest

from apps.flowcli.tests.flow_command import Flow, chain, node

GREET = {
    "name": "Greet",
    "vars": {"word": "Hello"},
    "inputs": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "nodes": [node("set", "transform.set", fields={"text": "${{ vars.word }}, ${{ input.name }}!"})],
    "outputs": {"text": "${{ nodes.set.value.text }}"},
}


@pytest.fixture
def flow(flow_inside: Flow) -> Flow:
    """All of this can be seen from inside of one process."""
    return flow_inside


def calling(workflow: Any, **inputs: Any) -> dict[str, Any]:
    return chain(node("call", "control.subflow", workflow=workflow, inputs=inputs))


def test_a_run_reads_the_files_of_its_workflow_relative_to_it(flow: Flow) -> None:
    (flow.folder / "flows").mkdir()
    flow.write("flows/greet.json", GREET)
    flow.write("flows/main.json", calling({"file": "greet.json"}, name="Ada"))
    ended = flow("run", "flows/main.json")
    assert (ended.code, ended.json) == (0, {"call": {"text": "Hello, Ada!"}})


def test_files_of_a_workflow_from_stdin_are_relative_to_the_working_directory(flow: Flow) -> None:
    flow.write("greet.json", GREET)
    source = flow.write("main.json", calling({"file": "greet.json"}, name="Ada"))
    text = (flow.folder / source).read_text()
    assert flow("run", "-", stdin=text).json == {"call": {"text": "Hello, Ada!"}}
    assert flow("validate", "-", stdin=text).out == "-: valid\n"


def test_changed_vars_reach_a_workflow_whose_files_are_read_too(flow: Flow) -> None:
    flow.write("greet.json", {**GREET, "vars": {}})
    main = flow.write("main.json", {**calling({"file": "greet.json"}, name="Ada"), "vars": {"word": "Hello"}})
    assert flow("run", main, "--var", "word=Hi").json == {"call": {"text": "Hi, Ada!"}}


def test_what_is_wrong_with_files_comes_with_all_other_problems(flow: Flow) -> None:
    flow.write("greet.json", {**GREET, "nodes": [node("set", "transform.sett")]})
    bad = calling({"file": "greet.json"}, name="Ada")
    bad["nodes"] += [node("gone", "control.subflow", workflow={"file": "great.json"}), node("x", "debug.lgo")]
    ended = flow("validate", flow.write("main.json", bad))
    assert ended.code == 2
    places = [line.split(": ", 1)[0] for line in ended.out.splitlines()]
    assert places == [
        "main.json:/nodes/0/config/workflow/nodes/0/node_type",
        "main.json:/nodes/1/config/workflow",
        "main.json:/nodes/2/node_type",
    ]
    assert "Did you mean 'greet.json'" in ended.out
    ended = flow("run", "main.json")
    assert ended.code == 2
    assert "Did you mean 'greet.json'" in ended.err


def test_a_workflow_that_holds_itself_is_told_as_a_circle(flow: Flow) -> None:
    main = flow.write("main.json", calling({"file": "main.json"}, name="Ada"))
    ended = flow("run", main)
    assert ended.code == 2
    assert "[file.cycle]" in ended.err


def test_a_name_is_told_to_be_written_as_a_file(flow: Flow) -> None:
    ended = flow("validate", flow.write("main.json", calling("Greet", name="Ada")))
    assert ended.code == 2
    assert "[workflow.unknown]" in ended.out
    assert '{"file": ' in ended.out
