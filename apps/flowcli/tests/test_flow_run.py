"""Checks what `flow run` writes where, and how it ends."""

import contextlib
import json

import pytest
from flowcli import watching

from apps.flowcli.tests.flow_command import NODES, Flow, chain, node

GREETING = {
    "name": "Greet",
    "inputs": {"type": "object", "properties": {"name": {"type": "string", "default": "world"}}},
    "vars": {"greeting": "Hello", "marks": 1},
    "nodes": [
        {
            "id": "greet",
            "node_type": "transform.set",
            "config": {"fields": {"text": "${{ vars.greeting }}, ${{ input.name }}", "marks": "${{ vars.marks }}"}},
        },
        {"id": "log", "node_type": "debug.log"},
    ],
    "connections": [{"from_node": "greet", "from_port": "value", "to_node": "log", "to_port": "message"}],
    "outputs": {"said": "${{ nodes.greet.value.text }}", "marks": "${{ nodes.greet.value.marks }}"},
}


def test_outputs_go_to_stdout_and_what_nodes_say_to_stderr(flow: Flow) -> None:
    ended = flow("run", flow.write("greet.json", GREETING))
    assert ended.code == 0
    assert ended.out == '{\n  "said": "Hello, world",\n  "marks": 1\n}\n'
    assert ended.err == 'log: DEBUG: {"text":"Hello, world","marks":1}\n'


def test_inputs_are_taken_as_json_from_a_file_and_from_stdin(flow_inside: Flow) -> None:
    file = flow_inside.write("greet.json", GREETING)
    flow_inside.write("inputs.json", {"name": "Grace"})
    assert flow_inside("run", file, "--input", '{"name": "Ada"}').json["said"] == "Hello, Ada"
    assert flow_inside("run", file, "--input", "@inputs.json").json["said"] == "Hello, Grace"
    assert flow_inside("run", file, "--input", "@-", stdin='{"name": "Edsger"}').json["said"] == "Hello, Edsger"


def test_tagged_inputs_mean_their_plain_value(flow_inside: Flow) -> None:
    file = flow_inside.write("greet.json", GREETING)
    given = {"name": {"type": "String", "value": "Ada"}}
    assert flow_inside("run", file, "--input", json.dumps(given)).json["said"] == "Hello, Ada"


def test_a_workflow_is_read_from_stdin_and_from_a_pipe(flow: Flow) -> None:
    assert flow("run", "-", stdin=json.dumps(GREETING)).json["said"] == "Hello, world"
    assert flow("run", "/dev/stdin", stdin=json.dumps(GREETING)).json["said"] == "Hello, world"


def test_a_var_is_changed_to_json_or_else_to_a_text(flow_inside: Flow) -> None:
    file = flow_inside.write("greet.json", GREETING)
    assert flow_inside("run", file, "--var", "greeting=Good=day", "--var", "marks=[1,2]").json == {
        "said": "Good=day, world",
        "marks": [1, 2],
    }
    assert flow_inside("run", file, "--var", "marks=NaN").json["marks"] == "NaN"


def test_an_unknown_var_an_unreadable_value_and_none_are_wrong_usage(flow_inside: Flow) -> None:
    file = flow_inside.write("greet.json", GREETING)
    unknown = flow_inside("run", file, "--var", "greting=Hi")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no var 'greting'" in unknown.err
    assert "Did you mean 'greeting'?" in unknown.err
    assert "does not fit into 64 bit" in flow_inside("run", file, "--var", "marks=18446744073709551616").err
    assert "gives no value" in flow_inside("run", file, "--var", "marks").err


def test_json_is_the_whole_result_alone(flow_inside: Flow) -> None:
    ended = flow_inside("run", flow_inside.write("greet.json", GREETING), "--json")
    assert set(ended.json) == {
        *("execution_id", "workflow_id", "status", "outputs", "node_outputs", "completed_nodes", "skipped_nodes"),
        *("failed_nodes", "total_nodes", "error", "started_at", "duration_ms"),
    }
    assert ended.json["status"] == "succeeded"
    assert ended.json["completed_nodes"] == ["greet", "log"]
    assert "log: DEBUG" in ended.err


def test_events_are_a_gapless_sequence_of_lines_alone(flow: Flow) -> None:
    ended = flow("run", flow.write("greet.json", GREETING), "--events")
    assert [event["seq"] for event in ended.events] == list(range(1, len(ended.events) + 1))
    assert ended.events[0]["type"] == "WorkflowStarted"
    assert ended.events[-1]["type"] == "WorkflowCompleted"
    assert ended.events[-1]["outputs"] == {"said": "Hello, world", "marks": 1}
    assert [event["message"] for event in ended.events if event["type"] == "NodeEvent"]
    assert ended.err == ""


def test_every_event_of_a_large_run_is_written(flow_inside: Flow) -> None:
    nodes = [node(f"n{number}", "debug.noop") for number in range(2000)]
    ended = flow_inside("run", flow_inside.write("wide.json", {"name": "Wide", "nodes": nodes}), "--events")
    assert ended.code == 0
    assert [event["seq"] for event in ended.events] == list(range(1, 4003))


def test_what_nodes_print_never_gets_between_the_data(flow: Flow) -> None:
    file = flow.write("noisy.json", chain(node("noisy", "local.noisy")))
    for form in ("--json", "--events"):
        ended = flow("run", file, "--nodes", NODES, form)
        assert ended.code == 0
        assert ended.events if form == "--events" else ended.json
        assert "noise on stdout" in ended.err


def test_nodes_of_a_file_run_without_a_package(flow_inside: Flow) -> None:
    document = {"name": "Loud", "nodes": [node("shout", "local.shout", inputs={"text": "hey"}, times=2)]}
    ended = flow_inside("run", flow_inside.write("loud.json", document), "--nodes", NODES)
    assert ended.json == {"shout": {"result": "HEY!!"}}


def test_a_blob_is_written_as_its_reference(flow_inside: Flow) -> None:
    source = (
        "from flowruntime.authoring import Blob, node\n"
        "@node(effects='pure')\n"
        "def picture() -> Blob:\n"
        "    return Blob.from_bytes(b'GIF89a', media_type='image/gif')\n"
    )
    flow_inside.write("picture_nodes.py", source)
    file = flow_inside.write("picture.json", {"name": "Picture", "nodes": [node("picture", "local.picture")]})
    ended = flow_inside("run", file, "--nodes", "picture_nodes.py")
    reference = ended.json["picture"]["result"]["$blob"]
    assert (reference["media_type"], reference["size"]) == ("image/gif", 6)


def test_a_failure_is_told_with_node_cause_and_remedy(flow: Flow) -> None:
    file = flow.write("door.json", chain(node("open", "local.refuse"), node("enter", "debug.noop")))
    ended = flow("run", file, "--nodes", NODES)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "error: Node 'open' failed: The door is locked.\n  Bring the key. [door.locked]\n"


def test_a_failure_in_json_is_the_whole_result(flow_inside: Flow) -> None:
    file = flow_inside.write("door.json", chain(node("open", "local.refuse"), node("enter", "debug.noop")))
    ended = flow_inside("run", file, "--nodes", NODES, "--json")
    assert ended.code == 1
    assert ended.json["status"] == "failed"
    assert ended.json["error"]["node_id"] == "open"
    assert ended.json["failed_nodes"] == ["open"]


def test_an_exception_of_a_node_is_told_with_its_place_and_without_a_traceback(flow_inside: Flow) -> None:
    ended = flow_inside("run", flow_inside.write("stumble.json", chain(node("s", "local.stumble"))), "--nodes", NODES)
    assert (ended.code, ended.out) == (1, "")
    assert "Node 's' failed: division by nothing" in ended.err
    assert "cli_nodes.py:" in ended.err
    assert "in stumble" in ended.err
    assert "Traceback" not in ended.err


def test_attempts_that_failed_are_told_as_they_come(flow_inside: Flow) -> None:
    ended = flow_inside(
        "run", flow_inside.write("flaky.json", chain(node("call", "local.flaky", failures=2))), "--nodes", NODES
    )
    assert ended.json == {"call": {"result": 3}}
    first, second = ended.err.splitlines()
    assert first.startswith("call: warning: attempt 1 failed, the next comes in 1.0 ms: The line was dropped")
    assert second.startswith("call: warning: attempt 2 failed, the next comes in 2.0 ms: ")


def test_a_failure_after_all_attempts_tells_their_number(flow_inside: Flow) -> None:
    ended = flow_inside(
        "run", flow_inside.write("flaky.json", chain(node("call", "local.flaky", failures=9))), "--nodes", NODES
    )
    assert ended.code == 1
    assert "error: Node 'call' failed after 3 attempts: The line was dropped at attempt 3." in ended.err


def test_continued_and_routed_failures_are_named_and_the_run_succeeds(flow_inside: Flow) -> None:
    document = {
        "name": "Lenient",
        "nodes": [
            node("skipped", "local.refuse", on_error="continue"),
            node("handled", "local.refuse", on_error="route"),
            node("log", "debug.inspect"),
        ],
        "connections": [{"from_node": "handled", "from_port": "error", "to_node": "log", "to_port": "value"}],
    }
    file = flow_inside.write("lenient.json", document)
    for form in ([], ["--events"], ["--json"]):
        ended = flow_inside("run", file, "--nodes", NODES, *form)
        assert ended.code == 0
        told = [line for line in ended.err.splitlines() if "The door is locked." in line]
        assert len([line for line in told if "skipped" in line and "went on without it" in line]) == 1
        assert len([line for line in told if "handled" in line and "port 'error'" in line]) == 1


def test_warnings_of_the_document_are_told_before_it_runs(flow_inside: Flow) -> None:
    document = chain(node("a", "debug.noop", cache={"ttl_ms": None}))
    ended = flow_inside("run", flow_inside.write("warned.json", document))
    assert ended.code == 0
    assert "warning: /nodes/0/cache: " in ended.err


def test_control_characters_never_reach_the_terminal(flow_inside: Flow) -> None:
    text = "evil \x1b]0;title\x07\nfake: line \x9b31m"
    ended = flow_inside(
        "run", flow_inside.write("evil.json", chain(node("talk", "local.talk", text=text))), "--nodes", NODES
    )
    assert ended.err == "talk: evil \\x1b]0;title\\x07\n  fake: line \\x9b31m\n"
    assert ended.json == {"talk": {"result": text}}


def test_without_their_protections_data_and_terminal_would_suffer(
    flow_inside: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = flow_inside.write("both.json", chain(node("noisy", "local.noisy"), node("t", "local.talk", text="\x1b[2J")))
    monkeypatch.setattr(watching, "printable", str)
    monkeypatch.setattr(contextlib, "redirect_stdout", contextlib.nullcontext)
    ended = flow_inside("run", file, "--nodes", NODES, "--json")
    assert ended.out.startswith("noise on stdout\n{")
    assert "t: \x1b[2J\n" in ended.err


def test_data_is_utf8_whatever_the_locale_says(flow: Flow) -> None:
    document = {**GREETING, "vars": {"greeting": "Grüß Gott →", "marks": 1}}
    ended = flow("run", flow.write("greet.json", document), PYTHONIOENCODING="latin-1")
    assert ended.json["said"] == "Grüß Gott →, world"


def test_the_trigger_that_fires_is_chosen_by_its_id(flow_inside: Flow) -> None:
    source = (
        "from flowruntime.authoring import node\n"
        "@node(effects='pure', trigger=True)\n"
        "def knock() -> None:\n"
        "    return None\n"
    )
    flow_inside.write("trigger_nodes.py", source)
    nodes = [node("front", "local.knock"), node("back", "local.knock")]
    file = flow_inside.write("door.json", {"name": "Door", "nodes": nodes})
    result = flow_inside("run", file, "--nodes", "trigger_nodes.py", "--trigger", "back", "--json").json
    assert result["skipped_nodes"] == ["front"]
    unknown = flow_inside("run", file, "--nodes", "trigger_nodes.py", "--trigger", "side")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no trigger node 'side'" in unknown.err
    assert "'front', 'back'" in unknown.err


def test_addresses_that_are_not_public_are_refused_on_demand(flow_inside: Flow) -> None:
    fetch = node("fetch", "http.request", inputs={"url": "http://127.0.0.1:9/"}, retry_policy={"max_attempts": 1})
    ended = flow_inside("run", flow_inside.write("fetch.json", chain(fetch)), "--public-net-only", "--json")
    assert ended.code == 1
    assert ended.json["error"]["code"] == "http.address_refused"


def test_a_store_that_cannot_be_used_ends_with_3(flow_inside: Flow) -> None:
    ended = flow_inside("run", flow_inside.write("greet.json", GREETING), "--db", "sqlite:///no/flow.db")
    assert (ended.code, ended.out) == (3, "")
    assert "store.no_folder" in ended.err
    assert not (flow_inside.folder / "no").exists()
