"""`flow run --db` keeps executions, and `flow executions` shows what is kept."""

import json
import sqlite3
from typing import Any

from apps.flowcli.tests.flow_command import Flow, chain, node
from apps.flowcli.tests.kept_executions import SOON_SECONDS, killed
from apps.flowcli.tests.screen import run_on_terminal

DB = ("--db", "sqlite:///flow.db")
GOOD = chain(node("one", "debug.log"), node("two", "debug.noop"), id="good", name="Good")
BAD = {
    "id": "bad",
    "name": "Bad",
    "nodes": [{"id": "parse", "node_type": "transform.json_parse", "inputs": {"json": "{"}}],
}


def keep(flow: Flow, document: dict[str, Any], *, code: int = 0) -> str:
    """The id of an execution that was run and kept."""
    name = flow.write(f"{document['id']}.json", document)
    ended = flow("run", name, "--input", '{"message": "hello"}', "--json", *DB)
    assert ended.code == code, ended.err
    return str(ended.json["execution_id"])


def test_what_was_run_is_listed_newest_first(flow_inside: Flow) -> None:
    good = keep(flow_inside, GOOD)
    bad = keep(flow_inside, BAD, code=1)
    listed = flow_inside("executions", "list", "--json", *DB).json
    assert listed["next"] is None
    assert [(one["execution_id"], one["workflow_id"], one["status"]) for one in listed["executions"]] == [
        (bad, "bad", "failed"),
        (good, "good", "succeeded"),
    ]
    lines = flow_inside("executions", "list", *DB).out.splitlines()
    assert [line.split()[:2] for line in lines] == [[bad, "failed"], [good, "succeeded"]]
    assert flow_inside("executions", "list", "--status", "failed", *DB).out.splitlines() == lines[:1]


def test_a_list_goes_on_where_the_page_before_ended(flow_inside: Flow) -> None:
    ids = [keep(flow_inside, GOOD) for _ in range(3)]
    page = flow_inside("executions", "list", "--limit", "2", "--json", *DB).json
    assert [one["execution_id"] for one in page["executions"]] == [ids[2], ids[1]]
    assert page["next"] == ids[1]
    rest = flow_inside("executions", "list", "--before", page["next"], "--json", *DB).json
    assert [one["execution_id"] for one in rest["executions"]] == [ids[0]]
    ended = flow_inside("executions", "list", "--limit", "2", *DB)
    assert f"--before {ids[1]}" in ended.err


def test_show_tells_what_an_execution_came_to(flow_inside: Flow) -> None:
    good = keep(flow_inside, GOOD)
    bad = keep(flow_inside, BAD, code=1)
    shown = flow_inside("executions", "show", good, "--json", *DB).json
    assert (shown["status"], shown["completed_nodes"], shown["total_nodes"]) == ("succeeded", ["one", "two"], 2)
    assert [view["status"] for view in shown["nodes"]] == ["completed", "completed"]
    text = flow_inside("executions", "show", bad, *DB).out
    assert "failed" in text
    assert "parse" in text


def test_events_are_the_same_as_those_of_the_run(flow_inside: Flow) -> None:
    name = flow_inside.write("good.json", GOOD)
    told = flow_inside("run", name, "--input", '{"message": "hello"}', "--events", *DB).events
    execution_id = told[0]["execution_id"]
    assert flow_inside("executions", "events", execution_id, "--json", *DB).events == told
    assert flow_inside("executions", "events", execution_id, "--after", "3", "--json", *DB).events == told[3:]
    lines = flow_inside("executions", "events", execution_id, *DB).out.splitlines()
    assert len(lines) == len(told)
    assert "hello" in "\n".join(lines)


def test_without_db_a_run_is_kept_in_the_default_database_and_in_memory_it_is_not(flow: Flow) -> None:
    name = flow.write("good.json", GOOD)
    home = str(flow.folder / "home")
    assert flow("run", name, "--input", '{"message": "hello"}', "--db", "memory:", FLOW_HOME=home).code == 0
    assert flow("executions", "list", "--json", FLOW_HOME=home).json == {"executions": [], "next": None}
    assert not (flow.folder / "home" / "flow.db").exists()
    ended = flow("run", name, "--input", '{"message": "hello"}', FLOW_HOME=home)
    assert (ended.code, ended.err) == (0, "one: DEBUG: hello\n")
    listed = flow("executions", "list", "--json", FLOW_HOME=home).json["executions"]
    assert [(one["status"], one["owner"], one["interrupted"]) for one in listed] == [("succeeded", None, False)]


def test_a_database_that_is_named_must_be_there_to_be_read(flow_inside: Flow) -> None:
    for words in (["list"], ["resume"], ["cancel", "someone"]):
        ended = flow_inside("executions", *words, "--json", *DB)
        assert (ended.code, ended.json["error"]["code"]) == (3, "store.missing")
    assert not (flow_inside.folder / "flow.db").exists()


def test_the_beginning_of_an_id_means_the_only_one_that_begins_so(flow_inside: Flow) -> None:
    good, other = keep(flow_inside, GOOD), keep(flow_inside, GOOD)
    assert flow_inside("executions", "show", good[:-1], "--json", *DB).json["execution_id"] == good
    ended = flow_inside("executions", "events", good[:8], "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (2, "execution.ambiguous")
    assert good in ended.json["error"]["remedy"]
    assert other in ended.json["error"]["remedy"]
    assert (
        flow_inside("executions", "list", "--before", other[:-1], "--json", *DB).json["executions"][0]["execution_id"]
        == good
    )


def test_on_a_narrow_terminal_each_execution_has_one_line_and_an_id_that_is_taken(flow: Flow) -> None:
    ids = [keep(flow, GOOD) for _ in range(3)]

    def listed(columns: int) -> list[str]:
        words = flow.command("executions", "list", *DB)
        return run_on_terminal(words, folder=flow.folder, environment=flow.environment, columns=columns).screen

    assert [line.split()[0] for line in listed(120)] == ids[::-1]
    for columns in (80, 40):
        lines = listed(columns)
        assert len(lines) == 3
        assert all(len(line) <= columns for line in lines)
        short = [line.split()[0] for line in lines]
        assert [flow("executions", "show", one, "--json", *DB).json["execution_id"] for one in short] == ids[::-1]


def test_numbers_that_no_database_has_are_no_faults(flow_inside: Flow) -> None:
    execution_id = keep(flow_inside, GOOD)
    large = str(10**30)
    assert len(flow_inside("executions", "list", "--limit", large, "--json", *DB).json["executions"]) == 1
    assert flow_inside("executions", "events", execution_id, "--after", large, *DB) == (0, "", "")
    assert flow_inside("workflows", "list", "--limit", large, "--json", *DB).json == {"workflows": [], "next": None}
    for seconds in ("nan", "-1"):
        assert flow_inside("executions", "cancel", execution_id, "--timeout", seconds, *DB).code == 2


def test_following_ends_when_nobody_reads_any_more(flow: Flow) -> None:
    waiting = chain(node("wait", "control.wait", signal="go"))
    execution_id = killed(flow, "run", flow.write("wait.json", waiting), at="NodeWaiting")
    process = flow.start("executions", "events", execution_id, "--follow", *DB)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=SOON_SECONDS) == 0  # though no event will come
    process.communicate()


def test_an_unknown_execution_is_wrong_usage(flow_inside: Flow) -> None:
    keep(flow_inside, GOOD)
    for words in (["show", "nobody"], ["events", "nobody"], ["list", "--before", "nobody"]):
        ended = flow_inside("executions", *words, "--json", *DB)
        assert (ended.code, ended.json["error"]["code"]) == (2, "execution.unknown")


def test_wrong_words_are_told(flow_inside: Flow) -> None:
    for words in (["show"], ["events"], ["list", "id"], ["list", "--limit", "0"], ["wrong"], []):
        assert flow_inside("executions", *words).code == 2


def test_an_execution_that_is_damaged_ends_with_3(flow_inside: Flow) -> None:
    execution_id = keep(flow_inside, GOOD)
    connection = sqlite3.connect(flow_inside.folder / "flow.db")
    connection.execute("UPDATE events SET checksum = checksum + 1")
    connection.commit()
    connection.close()
    ended = flow_inside("executions", "show", execution_id, "--json", *DB)
    assert (ended.code, ended.json["error"]["code"]) == (3, "store.corrupt")
    assert json.loads(flow_inside("executions", "list", "--json", *DB).out)["executions"]
