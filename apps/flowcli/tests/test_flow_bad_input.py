"""Checks that whatever is wrong with what `flow run` is given is told in words, with the right exit code."""

import json
import os
from typing import Any

import pytest

from apps.flowcli.tests.flow_command import Ended, Flow, chain, node
from tests.http_server import serving

FINE = chain(node("one", "transform.set", fields={"n": 1}))


@pytest.fixture
def flow(flow_inside: Flow) -> Flow:
    """All of this can be seen from inside of one process."""
    return flow_inside


def assert_told(ended: Ended, code: int, *words: str) -> None:
    """It ended with this code, wrote nothing to stdout, and these words, but no traceback, to stderr."""
    assert (ended.code, ended.out) == (code, "")
    assert "Traceback" not in ended.err
    assert ended.err.startswith("error: ")
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("Not JSON",)),
        (b"hello", ("Not JSON", "line 1, column 1", "[json.syntax]")),
        (b'{"name": "cut', ("Not JSON", "[json.syntax]")),
        (json.dumps(FINE).encode("utf-16"), ("not UTF-8", "[json.encoding]")),
        ('{"name": "Größe", "nodes": []}'.encode("latin-1"), ("not UTF-8", "[json.encoding]")),
        (b'{"name": "a", "name": "b", "nodes": []}', ("'name' more than once", "[json.duplicate_key]")),
        (b'{"name": "a", "vars": {"x": NaN}, "nodes": []}', ("/vars/x: NaN is not JSON", "[json.not_a_number]")),
        (b'{"vars": {"x": 18446744073709551616}}', ("/vars/x: ", "64 bit", "[json.integer_range]")),
        (b"[" * 100_000 + b"]" * 100_000, ("nested deeper than 64", "[json.too_deep]")),
        (b'{"a":' * 100_000, ("nested deeper than 64", "[json.too_deep]")),
        (b"[]", ("must be an object, not an array",)),
        (b"{}", ("'name'", "'nodes'")),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_a_file_that_is_no_document_is_refused(flow: Flow, content: bytes, words: tuple[str, ...]) -> None:
    assert_told(flow("run", flow.write("bad.json", content)), 2, "'bad.json' is no valid workflow", *words)


def test_a_var_for_a_file_that_is_no_document_tells_what_is_wrong_with_the_file(flow: Flow) -> None:
    for content in (b"{", b"[]", b'{"vars": 1}'):
        assert_told(flow("run", flow.write("bad.json", content), "--var", "a=1"), 2, "'bad.json' is no valid workflow")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nmae": 1}, ("/nmae: ", "Did you mean 'name'?")),
        ({"name": 3}, ("/name: ",)),
        ({"nodes": [node("one", "debug.lgo")]}, ("/nodes/0/node_type: ", "Did you mean 'debug.log'")),
        ({"nodes": [node("one", "acme.call")]}, ("pip install flownodes-acme",)),
        ({"nodes": [node("one", "local.mine")]}, ("--nodes FILE",)),
        (
            {"nodes": [node("one", "transform.set", fields={"n": 1}), node("one", "debug.log")]},
            ("'one'", "/nodes/1/id: "),
        ),
        ({"nodes": [node("one", "debug.log", lable="x")]}, ("/nodes/0/config/lable: ", "Did you mean 'label'?")),
        ({"nodes": [node("one", "time.delay", delay_ms="soon")]}, ("/nodes/0/config/delay_ms: ",)),
        ({"nodes": [node("one", "debug.log", label="${{ vars. }}")]}, ("/nodes/0/config/label: ",)),
        ({"nodes": [node("one", "debug.log", label="${{ nodes.* }}")]}, ("/nodes/0/config/label: ", "nodes")),
        (
            {"connections": [{"from_node": "one", "from_port": "vlaue", "to_node": "two", "to_port": "value"}]},
            ("/connections/0/to_node: ", "'two'"),
        ),
    ],
)
def test_a_document_with_a_fault_is_refused_with_its_place(
    flow: Flow, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    assert_told(flow("run", flow.write("bad.json", {**FINE, **change})), 2, *words)


def test_a_cycle_is_refused_and_named(flow: Flow) -> None:
    document = chain(node("one", "debug.noop"), node("two", "debug.noop"))
    document["connections"].append({"from_node": "two", "from_port": "done", "to_node": "one", "to_port": "after"})
    assert_told(flow("run", flow.write("cycle.json", document)), 2, "circle: 'one' → 'two' → 'one'")


def test_a_required_port_that_nothing_fills_is_refused(flow: Flow) -> None:
    file = flow.write("empty.json", {"name": "Empty", "nodes": [node("one", "debug.log")]})
    assert_told(flow("run", file), 2, "'one'", "'message'")


def test_all_problems_come_at_once(flow: Flow) -> None:
    nodes = [node("one", "debug.lgo"), node("two", "debug.log", lable="x"), node("two", "debug.noop")]
    ended = flow("run", flow.write("bad.json", {"name": "Bad", "nodes": nodes, "nope": 1}))
    assert_told(ended, 2, "/nodes/0/node_type: ", "/nodes/1/config/lable: ", "/nodes/2/id: ", "/nope: ")


def test_problems_in_json_come_on_stdout(flow: Flow) -> None:
    ended = flow("run", flow.write("bad.json", {"name": "Bad", "nodes": [node("one", "debug.lgo")]}), "--json")
    assert ended.code == 2
    error = ended.json["error"]
    assert error["code"] == "workflow.invalid"
    assert [problem["pointer"] for problem in error["problems"]] == ["/nodes/0/node_type"]
    assert ended.err.startswith("error: ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", ("Not JSON", "[json.syntax]")),
        ("[1]", ("must be an object, not an array",)),
        ('{"n": 1e999}', ("/n: ",)),
        ('{"n": "many"}', ("/n: ",)),
        ("@nope.json", ("no file 'nope.json'",)),
        ("@.", ("is a directory",)),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(flow: Flow, given: str, words: tuple[str, ...]) -> None:
    document = {**FINE, "inputs": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    assert_told(flow("run", flow.write("one.json", document), "--input", given), 2, *words)


def test_missing_inputs_are_named(flow: Flow) -> None:
    document = {**FINE, "inputs": {"type": "object", "properties": {"n": {}}, "required": ["n"]}}
    ended = flow("run", flow.write("one.json", document), "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "inputs.invalid"
    assert "n" in ended.json["error"]["problems"][0]["message"]


def test_a_missing_file_is_told_with_near_names(flow: Flow) -> None:
    flow.write("pipeline.json", FINE)
    assert_told(flow("run", "pipelin.json"), 2, "There is no file 'pipelin.json'.", "Did you mean 'pipeline.json'?")
    assert_told(flow("run", "zzz"), 2, "There is no file 'zzz'.", "There are: pipeline.json")
    assert_told(flow("run", "nowhere/a.json"), 2, "There is no folder 'nowhere'")


def test_a_missing_nodes_file_is_told_with_near_names(flow: Flow) -> None:
    flow.write("my_nodes.py", "")
    ended = flow("run", flow.write("one.json", FINE), "--nodes", "my_node.py")
    assert_told(ended, 2, "There is no file 'my_node.py'.", "Did you mean 'my_nodes.py'?")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:", ("SyntaxError", "line 1")),
        ("import nowhere_to_be_found", ("nowhere_to_be_found",)),
        ("1 / 0", ("ZeroDivisionError", "line 1")),
        ("import sys; sys.exit(0)", ("sys.exit",)),
        ("x = 1", ("defines no node",)),
    ],
)
def test_a_nodes_file_that_cannot_be_used_is_told(flow: Flow, source: str, words: tuple[str, ...]) -> None:
    flow.write("my_nodes.py", source)
    assert_told(flow("run", flow.write("one.json", FINE), "--nodes", "my_nodes.py"), 3, "my_nodes.py", *words)


def test_a_file_of_10_mb_is_refused_with_its_size(flow: Flow) -> None:
    flow.write("large.json", b'{"name": "' + b"x" * 10_000_000 + b'"}')
    assert_told(flow("run", "large.json"), 2, "'large.json' has 9.5 MiB", "8 MiB")
    content = (flow.folder / "large.json").read_bytes()
    assert_told(flow("run", "-", stdin=content), 2, "'stdin' has more than 8 MiB")
    assert_told(flow("run", "/dev/zero"), 2, "'/dev/zero' has more than 8 MiB")


def test_a_directory_and_an_unreadable_file_are_told(flow: Flow) -> None:
    assert_told(flow("run", "."), 2, "'.' is a directory, not a file.")
    assert_told(flow("run", "/proc/self/mem"), 2, "'/proc/self/mem' cannot be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_told(flow: Flow) -> None:
    flow.write("mine.json", FINE)
    (flow.folder / "mine.json").chmod(0)
    assert_told(flow("run", "mine.json"), 2, "'mine.json' cannot be read: Permission denied.")


def test_a_pipe_that_nobody_writes_to_does_not_hang(flow: Flow) -> None:
    os.mkfifo(flow.folder / "pipe")
    assert_told(flow("run", "pipe"), 2, "Nothing is written to the pipe 'pipe'.")


def test_a_host_that_cannot_be_reached_fails_the_run(flow: Flow) -> None:
    fetch = node("fetch", "http.request", inputs={"url": "http://127.0.0.1:9/"}, retry_policy={"max_attempts": 1})
    ended = flow("run", flow.write("fetch.json", chain(fetch)), "--events")
    assert ended.code == 1
    assert ended.events[-1]["error"]["node_id"] == "fetch"
    assert ended.err.startswith("error: Node 'fetch' failed: ")
    assert "127.0.0.1:9" in ended.err
    assert "Traceback" not in ended.err


def test_an_answer_that_is_not_json_fails_the_run(flow: Flow) -> None:
    def page(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<html>"]

    document = {
        "name": "Page",
        "nodes": [node("fetch", "http.request"), node("parse", "transform.json_parse")],
        "connections": [{"from_node": "fetch", "from_port": "body", "to_node": "parse", "to_port": "json"}],
    }
    with serving(page) as url:
        ended = flow("run", flow.write("page.json", document), "--input", json.dumps({"url": url}))
    assert (ended.code, ended.out) == (1, "")
    assert "error: Node 'parse' failed: Not JSON" in ended.err
    assert "Traceback" not in ended.err


def test_a_node_that_does_not_keep_its_word_fails_the_run(flow: Flow) -> None:
    source = (
        "from typing import Any, TypedDict\n"
        "from flowruntime.authoring import Port, node\n"
        "@node(effects='pure', outputs=[Port(name='right')])\n"
        "async def wrong_port() -> Any:\n"
        "    return {'wrong': 1}\n"
        "@node(effects='pure')\n"
        "async def no_value() -> Any:\n"
        "    return {1, 2}\n"
        "@node(effects='pure')\n"
        "async def leaves() -> Any:\n"
        "    raise SystemExit(7)\n"
    )
    flow.write("bad_nodes.py", source)
    for name, words in (("wrong_port", "'wrong'"), ("no_value", "set"), ("leaves", "SystemExit")):
        file = flow.write("bad.json", chain(node("bad", f"local.{name}")))
        ended = flow("run", file, "--nodes", "bad_nodes.py")
        assert_told(ended, 1, "Node 'bad' failed: ", words)


def test_both_from_stdin_is_wrong_usage(flow: Flow) -> None:
    assert_told(flow("run", "-", "--input", "@-", stdin="{}"), 2, "cannot both come from stdin")
