"""Checks what `flow validate` finds, and how it tells it."""

import pytest

from apps.flowcli.tests.flow_command import NODES, Flow, chain, node

FINE = chain(node("one", "transform.set", fields={"n": 1}))
WARNED = chain(node("one", "transform.set", fields={"n": 1}, cache={"ttl_ms": None}))
BAD = {"name": "Bad", "nodes": [node("one", "debug.lgo"), node("two", "debug.log", lable="x")]}


@pytest.fixture
def flow(flow_inside: Flow) -> Flow:
    """All of this can be seen from inside of one process."""
    return flow_inside


def test_valid_files_are_said_to_be_valid(flow: Flow) -> None:
    ended = flow("validate", flow.write("a.json", FINE), flow.write("b.json", FINE))
    assert (ended.code, ended.out, ended.err) == (0, "a.json: valid\nb.json: valid\n", "")


def test_all_problems_of_all_files_come_with_file_place_and_code(flow: Flow) -> None:
    ended = flow("validate", flow.write("bad.json", BAD), "gone.json", flow.write("a.json", FINE))
    assert ended.code == 2
    lines = ended.out.splitlines()
    assert lines[0].startswith("bad.json:/nodes/0/node_type: ")
    assert "Did you mean 'debug.log'" in lines[0]
    assert lines[0].endswith("[node_type.unknown]")
    assert lines[1].startswith("bad.json:/nodes/1/config/lable: ")
    assert lines[-2].startswith("gone.json: There is no file 'gone.json'.")
    assert lines[-1] == "a.json: valid"
    assert ended.err == "Not valid: 2 of 3 files.\n"


def test_options_may_stand_between_files(flow: Flow) -> None:
    ended = flow("validate", flow.write("a.json", FINE), "--strict", flow.write("b.json", FINE))
    assert ended.out == "a.json: valid\nb.json: valid\n"


def test_warnings_make_a_file_invalid_only_when_strict(flow: Flow) -> None:
    file = flow.write("warned.json", WARNED)
    ended = flow("validate", file)
    assert ended.code == 0
    assert ended.out.startswith("warned.json:/nodes/0/cache: warning: ")
    assert flow("validate", file, "--strict").code == 2


def test_json_says_for_each_file_whether_it_is_valid_and_why_not(flow: Flow) -> None:
    files = [flow.write("a.json", FINE), flow.write("bad.json", BAD), flow.write("warned.json", WARNED)]
    ended = flow("validate", *files, "--json")
    assert (ended.code, ended.err) == (2, "")
    listed = ended.json["files"]
    assert [(entry["file"], entry["valid"]) for entry in listed] == [
        ("a.json", True),
        ("bad.json", False),
        ("warned.json", True),
    ]
    assert listed[1]["problems"][0]["pointer"] == "/nodes/0/node_type"
    assert [problem["severity"] for problem in listed[2]["problems"]] == ["warning"]
    strict = flow("validate", *files, "--json", "--strict").json["files"]
    assert [entry["valid"] for entry in strict] == [True, False, False]


def test_stdin_is_validated_and_local_types_are_known(flow: Flow) -> None:
    document = '{"name": "Loud", "nodes": [{"id": "s", "node_type": "local.shout", "inputs": {"text": "hey"}}]}'
    assert flow("validate", "-", stdin=document).code == 2
    assert flow("validate", "-", "--nodes", NODES, stdin=document).out == "-: valid\n"


def test_nothing_runs(flow: Flow) -> None:
    assert flow("validate", flow.write("wait.json", chain(node("w", "time.delay", delay_ms=3_600_000)))).code == 0
