"""`flow workflows`: the library of a database, and `flow run NAME`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.flowcli.tests.flow_command import NODES, Flow, chain, node
from apps.flowcli.tests.screen import run_on_terminal

DB = ("--db", "sqlite:///flow.db")
GREET: dict[str, Any] = {
    "id": "greet",
    "name": "Greet",
    "description": "Says hello.",
    "vars": {"word": "Hello"},
    "inputs": {"type": "object", "properties": {"name": {"type": "string", "default": "you"}}},
    "nodes": [
        {
            "id": "text",
            "node_type": "transform.set",
            "config": {"fields": {"all": "${{ vars.word }}, ${{ input.name }}!"}},
        }
    ],
    "outputs": {"greeting": "${{ nodes.text.value.all }}"},
}
BROKEN = {"name": "Broken", "nodes": [{"id": "a", "node_type": "debug.lug"}]}


def calling(workflow: Any, **fields: Any) -> dict[str, Any]:
    return {"name": "Calling", "nodes": [node("call", "control.subflow", workflow=workflow)], **fields}


def add(flow: Flow, document: dict[str, Any], *words: str) -> dict[str, Any]:
    """What `add --json` says of one document."""
    ended = flow("workflows", "add", flow.write("given.json", document), *words, "--json", *DB)
    assert ended.code == 0, ended.err
    (row,) = ended.json["workflows"]
    assert isinstance(row, dict)
    return row


# --- add ------------------------------------------------------------------------------------------


def test_what_was_added_is_listed_and_shown_as_it_was(flow_inside: Flow) -> None:
    flow_inside.write("greet.json", GREET)
    ended = flow_inside("workflows", "add", "greet.json", *DB)
    assert (ended.code, ended.out, ended.err) == (0, "greet: version 1, added\n", "")
    head, line = flow_inside("workflows", "list", *DB).out.splitlines()
    assert head.split() == ["id", "version", "updated", "active", "name"]
    assert (line.split()[:2], line.split()[3:]) == (["greet", "1"], ["Greet"])
    assert flow_inside("workflows", "show", "greet", *DB).json == GREET
    assert flow_inside("workflows", "show", "Greet", *DB).json == GREET


def test_the_same_file_again_changes_nothing_and_another_content_is_a_version(flow_inside: Flow) -> None:
    assert (add(flow_inside, GREET)["version"], add(flow_inside, GREET)["version"]) == (1, 1)
    assert flow_inside("workflows", "add", "given.json", *DB).out == "greet: version 1, unchanged\n"
    row = add(flow_inside, {**GREET, "name": "Hello"})
    assert (row["version"], row["changed"], row["name"]) == (2, True, "Hello")
    shown = flow_inside("workflows", "show", "greet", "--version", "1", "--json", *DB).json
    assert (shown["version"], shown["name"], shown["workflow"]) == (1, "Greet", GREET)
    listed = flow_inside("workflows", "show", "greet", "--versions", "--json", *DB).json["versions"]
    assert [(version["version"], version["name"]) for version in listed] == [(2, "Hello"), (1, "Greet")]
    assert "workflow" not in listed[0]
    table = flow_inside("workflows", "show", "greet", "--versions", *DB).out.splitlines()
    assert [line.split()[0] for line in table] == ["version", "2", "1"]


def test_files_in_the_document_are_stored_with_it(flow_inside: Flow) -> None:
    (flow_inside.folder / "parts").mkdir()
    flow_inside.write("parts/greet.json", GREET)
    add(flow_inside, calling({"file": "parts/greet.json"}))
    (flow_inside.folder / "parts" / "greet.json").unlink()
    stored = flow_inside("workflows", "show", "calling", *DB).json
    assert stored["nodes"][0]["config"]["workflow"] == GREET
    assert flow_inside("run", "calling", *DB).json == {"call": {"greeting": "Hello, you!"}}


def test_what_is_not_valid_is_told_with_its_file_and_nothing_is_added(flow_inside: Flow) -> None:
    flow_inside.write("good.json", GREET)
    flow_inside.write("bad.json", BROKEN)
    flow_inside.write("file.json", calling({"file": "gone.json"}, name="File"))
    ended = flow_inside("workflows", "add", "good.json", "bad.json", "file.json", *DB)
    assert (ended.code, ended.out) == (2, "")
    assert "bad.json:/nodes/0/node_type: " in ended.err
    assert "file.json:/nodes/0/config/workflow: There is no file 'gone.json'." in ended.err
    assert "Nothing was added. Not valid: 2 of 3 files." in ended.err
    ended = flow_inside("workflows", "add", "good.json", "bad.json", "--json", *DB)
    assert ended.code == 2
    error = ended.json["error"]
    assert (error["code"], [file["valid"] for file in error["files"]]) == ("workflow.invalid", [True, False])
    assert error["files"][1]["problems"][0]["code"] == "node_type.unknown"
    assert flow_inside("workflows", "list", "--json", *DB).json == {"workflows": [], "next": None}


def test_workflows_that_name_each_other_are_added_together(flow_inside: Flow) -> None:
    flow_inside.write("a.json", calling("b", name="a"))
    flow_inside.write("b.json", calling("a", name="b"))
    assert flow_inside("workflows", "add", "a.json", *DB).code == 2
    assert flow_inside("workflows", "add", "a.json", "b.json", *DB).code == 0
    assert flow_inside("workflows", "add", "a.json", *DB).code == 0


def test_two_files_of_one_workflow_are_refused(flow_inside: Flow) -> None:
    flow_inside.write("one.json", GREET)
    flow_inside.write("two.json", {**GREET, "name": "Other"})
    ended = flow_inside("workflows", "add", "one.json", "two.json", "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "workflow.twice")


def test_a_draft_may_have_errors_and_does_not_run(flow_inside: Flow) -> None:
    row = add(flow_inside, BROKEN, "--draft")
    assert (row["id"], row["draft"]) == ("broken", True)
    assert [problem["code"] for problem in row["problems"]] == ["node_type.unknown"]
    assert flow_inside("workflows", "list", *DB).out.splitlines()[1].split()[:3] == ["broken", "1", "draft"]
    for name in ("broken", "Broken"):
        assert flow_inside("workflows", "show", name, *DB).json["name"] == "Broken"
        ended = flow_inside("run", name, *DB)
        assert ended.code == 2
        assert "[workflow.draft]" in ended.err
    assert flow_inside("workflows", "activate", "broken", "--json", *DB).json["error"]["code"] == "workflow.draft"
    assert not add(flow_inside, {**BROKEN, "nodes": [node("a", "debug.noop")]}, "--draft")["draft"]
    assert flow_inside("run", "broken", *DB).code == 0


def test_of_a_draft_nothing_may_get_lost(flow_inside: Flow) -> None:
    flow_inside.write("lost.json", {**GREET, "colour": "red"})
    ended = flow_inside("workflows", "add", "lost.json", "--draft", *DB)
    assert (ended.code, ended.out) == (2, "")
    assert "lost.json:/colour: " in ended.err


def test_stdin_and_local_node_types_can_be_added(flow_inside: Flow) -> None:
    document = json.dumps({"name": "Local", "nodes": [node("a", "local.noisy")]})
    refused = flow_inside("workflows", "add", "-", *DB, stdin=document)
    assert refused.code == 2
    ended = flow_inside("workflows", "add", "-", "--nodes", NODES, *DB, stdin=document)
    assert (ended.code, ended.out) == (0, "local: version 1, added\n")


# --- ids and names --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b/ü", "%41", "x'; DROP TABLE workflows; --", "\U0001f600", ".", "sqlite:///x"])
def test_any_text_is_an_id(flow_inside: Flow, name: str) -> None:
    add(flow_inside, {**GREET, "id": name})
    assert flow_inside("workflows", "show", name, *DB).json["id"] == name
    assert flow_inside("run", name, *DB).json == {"greeting": "Hello, you!"}
    assert flow_inside("workflows", "remove", name, *DB).out == f"{name}: removed, with all its versions\n"
    assert flow_inside("workflows", "list", "--json", *DB).json["workflows"] == []


def test_control_characters_do_not_steer_the_terminal(flow_inside: Flow) -> None:
    add(flow_inside, {**GREET, "id": "\x1b[31m", "name": "a\nb\x07"})
    out = flow_inside("workflows", "list", *DB).out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert len(out.splitlines()) == 2


def test_an_unknown_name_is_told_with_what_is_near(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    for task in ("show", "remove", "activate", "deactivate", "diff"):
        ended = flow_inside("workflows", task, "gret", "--json", *DB)
        assert (ended.code, ended.json["error"]["code"]) == (2, "workflow.unknown")
        assert "'greet'" in ended.json["error"]["remedy"]
    ended = flow_inside("workflows", "show", "greet", "--version", "2", "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "workflow.unknown_version")


# --- list, remove, activate -----------------------------------------------------------------------


def test_a_list_goes_on_where_the_page_before_ended(flow_inside: Flow) -> None:
    names = [f"w{number}" for number in range(3)]
    for name in names:
        flow_inside.write(f"{name}.json", {**GREET, "id": name})
    flow_inside("workflows", "add", *(f"{name}.json" for name in names), *DB)
    page = flow_inside("workflows", "list", "--limit", "2", "--json", *DB).json
    assert ([row["id"] for row in page["workflows"]], page["next"]) == (["w0", "w1"], "w1")
    page = flow_inside("workflows", "list", "--after", "w1", "--json", *DB).json
    assert ([row["id"] for row in page["workflows"]], page["next"]) == (["w2"], None)
    assert "--after 'w1'" in flow_inside("workflows", "list", "--limit", "2", *DB).err


def test_triggers_are_turned_on_and_off(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    assert flow_inside("workflows", "activate", "Greet", *DB).out == "greet: triggers are on\n"
    assert flow_inside("workflows", "list", "--json", *DB).json["workflows"][0]["active"] is True
    assert flow_inside("workflows", "list", *DB).out.splitlines()[1].split()[3] == "yes"
    ended = flow_inside("workflows", "deactivate", "greet", "--json", *DB)
    assert ended.json == {"id": "greet", "active": False}
    assert flow_inside("workflows", "show", "greet", "--json", *DB).json["active"] is False


def test_removing_leaves_the_executions(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    execution_id = flow_inside("run", "greet", "--json", *DB).json["execution_id"]
    assert flow_inside("workflows", "remove", "greet", "--json", *DB).json == {"id": "greet", "removed": True}
    assert flow_inside("executions", "show", execution_id, "--json", *DB).json["workflow_id"] == "greet"
    assert flow_inside("workflows", "remove", "greet", *DB).code == 2


def test_a_library_that_nobody_has_made_yet_is_empty(flow_inside: Flow) -> None:
    home = str(flow_inside.folder / "home")
    listed = flow_inside("workflows", "list", FLOW_HOME=home)
    assert (listed.code, listed.out) == (0, "")
    assert "flow workflows add" in listed.err
    assert flow_inside("workflows", "show", "x", FLOW_HOME=home).code == 2
    assert flow_inside("run", "x", "--json", FLOW_HOME=home).json["error"]["code"] == "file.missing"
    assert flow_inside("workflows", "list", *DB).code == 3
    assert not (flow_inside.folder / "home").exists()
    assert not (flow_inside.folder / "flow.db").exists()


def test_without_a_database_named_the_default_one_has_the_library(flow_inside: Flow) -> None:
    home = str(flow_inside.folder / "home")
    flow_inside.write("greet.json", GREET)
    assert flow_inside("workflows", "add", "greet.json", FLOW_HOME=home).code == 0
    assert flow_inside("run", "greet", FLOW_HOME=home).json == {"greeting": "Hello, you!"}
    assert len(flow_inside("executions", "list", "--json", FLOW_HOME=home).json["executions"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("add",),
        ("list", "x"),
        ("show",),
        ("show", "a", "b"),
        ("diff",),
        ("diff", "a", "b", "c"),
        ("diff", "a", "b", "--from", "1"),
        ("list", "--draft"),
        ("remove", "a", "--version", "1"),
        ("show", "a", "--version", "1", "--versions"),
        ("list", "--limit", "0"),
        ("frob",),
    ],
)
def test_wrong_words_are_wrong_usage_and_touch_no_database(flow_inside: Flow, words: tuple[str, ...]) -> None:
    ended = flow_inside("workflows", *words, "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "usage.wrong")
    assert not (flow_inside.folder / "flow.db").exists()


# --- diff -----------------------------------------------------------------------------------------

CHANGED = {
    **GREET,
    "description": "Says hello, and notes it.",
    "nodes": [{**GREET["nodes"][0], "timeout_ms": 50}, {"id": "log", "node_type": "debug.log"}],
    "connections": [{"from_node": "text", "from_port": "value", "to_node": "log", "to_port": "message"}],
}


def test_a_diff_shows_what_came_and_changed_and_where(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    add(flow_inside, CHANGED)
    ended = flow_inside("workflows", "diff", "greet", *DB)
    assert (ended.code, ended.err) == (1, "greet version 1 → greet version 2\n")
    assert ended.out.splitlines() == [
        "~ the workflow itself",
        '    ~ /description: "Says hello." → "Says hello, and notes it."',
        "~ node 'text'",
        "    + /nodes/0/timeout_ms: 50",
        "+ node 'log' (debug.log)",
        "+ connection text.value → log.message",
    ]
    back = flow_inside("workflows", "diff", "greet", "--from", "2", "--to", "1", *DB).out.splitlines()
    assert "- node 'log' (debug.log)" in back
    assert "    - /nodes/0/timeout_ms: 50" in back


def test_a_first_version_has_nothing_to_be_compared_with(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    ended = flow_inside("workflows", "diff", "greet", *DB)
    assert (ended.code, ended.out, ended.err) == (0, "", "There is no version of 'greet' before version 1.\n")
    assert flow_inside("workflows", "diff", "greet", "--json", *DB).json["differences"] == []


def test_a_diff_has_colours_on_a_terminal_unless_they_are_not_wanted(flow: Flow) -> None:
    add(flow, GREET)
    add(flow, CHANGED)
    command = flow.command("workflows", "diff", "greet", *DB)
    environment = {**flow.environment, "TERM": "xterm"}
    shown = run_on_terminal(command, folder=flow.folder, environment=environment)
    assert shown.colours == {"32", "33"}
    assert "+ node 'log' (debug.log)" in shown.screen
    plain = run_on_terminal(command, folder=flow.folder, environment={**environment, "NO_COLOR": "1"})
    assert plain.colours == set()


def test_a_run_by_name_is_shown_live_on_a_terminal(flow: Flow) -> None:
    add(flow, GREET)
    environment = {**flow.environment, "TERM": "xterm"}
    shown = run_on_terminal(flow.command("run", "Greet", *DB), folder=flow.folder, environment=environment)
    assert shown.code == 0
    assert any("text" in line for line in shown.screen)
    assert '"greeting": "Hello, you!"' in shown.text


def test_a_diff_as_json_has_values_and_pointers(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    add(flow_inside, {**GREET, "vars": {"word": "Good day"}})
    ended = flow_inside("workflows", "diff", "greet", "--json", *DB)
    assert ended.code == 1
    assert ended.json == {
        "before": "greet version 1",
        "after": "greet version 2",
        "differences": [
            {
                "kind": "changed",
                "part": "workflow",
                "name": "",
                "pointer": "/vars/word",
                "before": "Hello",
                "after": "Good day",
            }
        ],
    }


def test_files_are_compared_with_the_library_and_with_each_other(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    flow_inside.write("same.json", json.dumps({**GREET, "settings": {}}, indent=4))
    flow_inside.write("other.json", {**GREET, "connections": [], "name": "Other"})
    assert flow_inside("workflows", "diff", "same.json", "greet", *DB).code == 0
    assert flow_inside("workflows", "diff", "greet", "other.json", *DB).code == 1
    ended = flow_inside("workflows", "diff", "same.json", "other.json", "--db", "sqlite:///none.db")
    assert ended.out.splitlines() == ["~ the workflow itself", '    ~ /name: "Greet" → "Other"']


def test_the_order_of_connections_is_a_difference(flow_inside: Flow) -> None:
    document = chain(node("a", "debug.noop"), node("b", "debug.noop"), node("c", "debug.noop"))
    flow_inside.write("one.json", document)
    flow_inside.write("two.json", {**document, "connections": document["connections"][::-1]})
    ended = flow_inside("workflows", "diff", "one.json", "two.json")
    assert (ended.code, ended.out) == (1, "~ the order of connections\n")


def test_files_in_a_file_are_read_before_it_is_compared(flow_inside: Flow) -> None:
    flow_inside.write("inner.json", GREET)
    name = flow_inside.write("outer.json", calling({"file": "inner.json"}))
    flow_inside("workflows", "add", name, *DB)
    assert flow_inside("workflows", "diff", name, "calling", *DB).code == 0


# --- flow run NAME --------------------------------------------------------------------------------


def test_a_workflow_runs_by_its_name_and_its_events_have_its_version(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    add(flow_inside, {**GREET, "vars": {"word": "Good day"}})
    ended = flow_inside("run", "Greet", "--input", '{"name": "Ada"}', "--events", *DB)
    assert ended.code == 0
    assert (ended.events[0]["workflow_id"], ended.events[0]["workflow_version"]) == ("greet", 2)
    assert ended.events[-1]["outputs"] == {"greeting": "Good day, Ada!"}


def test_vars_can_be_changed_for_a_run_by_name(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    assert flow_inside("run", "greet", "--var", "word=Hi", *DB).json == {"greeting": "Hi, you!"}
    ended = flow_inside("run", "greet", "--var", "word=Hi", "--events", *DB)
    assert ended.events[0]["workflow_version"] is None
    assert flow_inside("run", "greet", "--var", "wrd=Hi", *DB).code == 2


def test_a_file_comes_before_a_name(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    (flow_inside.folder / "greet").mkdir()
    assert flow_inside("run", "greet", *DB).json == {"greeting": "Hello, you!"}
    (flow_inside.folder / "greet").rmdir()
    flow_inside.write("greet", {"name": "File", "nodes": [node("a", "debug.noop")]})
    assert flow_inside("run", "greet", "--json", *DB).json["workflow_id"] == "file"


def test_a_file_finds_the_workflows_that_it_names_in_the_database(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    name = flow_inside.write("calling.json", calling("Greet"))
    assert flow_inside("run", name, *DB).json == {"call": {"greeting": "Hello, you!"}}
    assert flow_inside("run", name, "--db", "memory:").code == 2


def test_what_is_neither_a_file_nor_a_name_is_told(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    ended = flow_inside("run", "gret", "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "file.missing")
    assert "'greet'" in ended.json["error"]["remedy"]


def test_inputs_that_do_not_fit_are_told_for_a_name_too(flow_inside: Flow) -> None:
    add(flow_inside, GREET)
    ended = flow_inside("run", "greet", "--input", '{"name": 1}', "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "inputs.invalid")
    assert flow_inside("run", "greet", "--trigger", "t", "--json", *DB).json["error"]["code"] == "trigger.unknown"


def test_two_processes_add_versions_at_the_same_time_and_none_is_lost(flow: Flow) -> None:
    names = [flow.write(f"{number}.json", {**GREET, "vars": {"word": f"{number}"}}) for number in range(4)]
    processes = [flow.start("workflows", "add", name, "--json", *DB) for name in names]
    versions = sorted(
        json.loads(process.communicate(timeout=180)[0])["workflows"][0]["version"] for process in processes
    )
    assert versions == [1, 2, 3, 4]
