"""Checks `flow upgrade`, and what `flow schema` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from apps.flowcli.tests.flow_command import Flow, node

NODES = str(Path(__file__).parent / "fixtures" / "versioned_nodes.py")
OUTDATED = """{"name": "Old", "nodes": [
  {"id": "a", "node_type": "local.say", "type_version": 1, "config": {"shout": true}, "inputs": {"text": "h\\u0069"}}
], "outputs": {"x": "${{ nodes.a.out }}"}}
"""
UPGRADED = (
    OUTDATED.replace('"type_version": 1', '"type_version": 2').replace("shout", "loud").replace("a.out", "a.said")
)


@pytest.fixture
def flow(flow_inside: Flow) -> Flow:
    """All of this can be seen from inside of one process."""
    return flow_inside


@pytest.fixture
def outdated(flow: Flow) -> Path:
    file = flow.folder / "old.json"
    file.write_text(OUTDATED, encoding="utf-8")
    return file


V1 = {"type_version": 1}


def broken(flow: Flow) -> str:
    return flow.write("broken.json", {"name": "B", "nodes": [node("a", "local.broken", inputs={"text": ""}) | V1]})


def test_check_fails_when_something_would_change_and_writes_nothing(flow: Flow, outdated: Path) -> None:
    ended = flow("upgrade", "old.json", "--check", "--nodes", NODES)
    assert ended.code == 1
    assert ended.out == "old.json:/nodes/0: a: local.say v1 → local.say v2\n"
    assert ended.err.splitlines()[-1] == "To be upgraded: 1 of 1 file."
    assert outdated.read_text(encoding="utf-8") == OUTDATED


def test_write_changes_what_is_old_and_no_other_byte(flow: Flow, outdated: Path) -> None:
    outdated.chmod(0o640)
    ended = flow("upgrade", "old.json", "--write", "--nodes", NODES)
    assert (ended.code, ended.err.splitlines()[-1]) == (0, "Upgraded: 1 of 1 file.")
    assert outdated.read_text(encoding="utf-8") == UPGRADED
    assert outdated.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in flow.folder.iterdir()] == ["old.json"]
    ended = flow("upgrade", "old.json", "--check", "--nodes", NODES)
    assert (ended.code, ended.out, ended.err) == (0, "old.json: up to date\n", "")


def test_an_up_to_date_file_is_not_touched(flow: Flow, outdated: Path) -> None:
    outdated.write_text(UPGRADED, encoding="utf-8")
    os.utime(outdated, (1, 1))
    assert flow("upgrade", "old.json", "--write", "--nodes", NODES).code == 0
    assert outdated.stat().st_mtime == 1


def test_a_link_stays_a_link(flow: Flow, outdated: Path) -> None:
    link = flow.folder / "link.json"
    link.symlink_to(outdated)
    flow("upgrade", "link.json", "--write", "--nodes", NODES)
    assert link.is_symlink()
    assert outdated.read_text(encoding="utf-8") == UPGRADED


def test_a_file_that_somebody_edits_meanwhile_keeps_what_they_wrote(flow: Flow, outdated: Path) -> None:
    edited = OUTDATED.replace("Old", "Edited")
    nodes = flow.folder / "edited_nodes.py"
    nodes.write_text(
        Path(NODES)
        .read_text(encoding="utf-8")
        .replace('print("migrating")', f"__import__('pathlib').Path({str(outdated)!r}).write_text({edited!r})"),
        encoding="utf-8",
    )
    ended = flow("upgrade", "old.json", "--write", "--nodes", str(nodes))
    assert ended.code == 2
    assert "'old.json' was changed by somebody else while it was upgraded" in ended.err
    assert outdated.read_text(encoding="utf-8") == edited
    assert {file.name for file in flow.folder.iterdir()} - {"__pycache__"} == {"edited_nodes.py", "old.json"}


def test_what_is_half_written_can_be_read_by_nobody_else(
    flow: Flow, outdated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outdated.chmod(0o600)
    modes: list[int] = []

    def fsync(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o777)

    monkeypatch.setattr(os, "fsync", fsync)
    assert flow("upgrade", "old.json", "--write", "--nodes", NODES).code == 0
    assert modes == [0o600]
    assert outdated.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace('"Old"', '"O\U0001f600\\u00e9\u2028"'),
        lambda text: text.replace("{", "{\t ", 1).rstrip("\n"),
        lambda text: text.replace('"name"', '"x-note": 1.50, "vars": {"big": 9007199254740993, "e": 1E2}, "name"'),
    ],
    ids=["byte order mark", "line ends of Windows", "other letters", "odd spaces", "numbers"],
)
def test_odd_bytes_are_kept(flow: Flow, outdated: Path, change: Callable[[str], str]) -> None:
    outdated.write_bytes(change(OUTDATED).encode())
    assert flow("upgrade", "old.json", "--write", "--nodes", NODES).code == 0
    assert outdated.read_bytes() == change(UPGRADED).encode()


def test_a_file_that_cannot_be_upgraded_stays_and_the_others_are_upgraded(flow: Flow, outdated: Path) -> None:
    file = broken(flow)
    before = (flow.folder / file).read_bytes()
    ended = flow("upgrade", file, "old.json", "--write", "--nodes", NODES)
    assert ended.code == 1
    assert "broken.json:/nodes/0/config: The config of node 'a' cannot be migrated: " in ended.out
    assert "ValueError: No idea what this was" in ended.out
    assert "[migrate.raised]" in ended.out
    assert ended.err.splitlines()[-1].startswith("Not to be upgraded as they are: 1 of 2 files")
    assert (flow.folder / file).read_bytes() == before
    assert outdated.read_text(encoding="utf-8") == UPGRADED


def test_json_says_what_became_of_each_file(flow: Flow, outdated: Path) -> None:
    ended = flow("upgrade", broken(flow), "old.json", "--write", "--json", "--nodes", NODES)
    first, second = ended.json["files"]
    assert (first["written"], first["up_to_date"], first["problems"][0]["code"]) == (False, False, "migrate.raised")
    assert (second["written"], second["problems"], len(second["changes"])) == (True, [], 1)


def test_pin_writes_down_the_versions_that_are_not_there(flow: Flow) -> None:
    file = flow.write("w.json", {"name": "W", "nodes": [{"id": "a", "node_type": "debug.noop"}]})
    assert flow("upgrade", file, "--check").code == 0
    assert flow("upgrade", file, "--check", "--pin").out == "w.json:/nodes/0: a: debug.noop → debug.noop v1\n"


@pytest.mark.parametrize("text", ["", "[]", '{"name": "W"}', "{"])
def test_what_is_no_workflow_is_told(flow: Flow, text: str) -> None:
    (flow.folder / "bad.json").write_text(text, encoding="utf-8")
    ended = flow("upgrade", "bad.json", "gone.json", "--write")
    assert ended.code == 2
    assert ended.out.startswith("bad.json:")
    assert "gone.json: There is no file 'gone.json'." in ended.out
    assert (flow.folder / "bad.json").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("words", [["old.json"], ["old.json", "--check", "--write"], ["-", "--write"], ["--check"]])
def test_wrong_usage_is_refused(flow: Flow, outdated: Path, words: list[str]) -> None:
    assert flow("upgrade", *words).code == 2


def test_a_deprecated_type_is_a_warning_of_validate(flow: Flow) -> None:
    file = flow.write("w.json", {"name": "W", "nodes": [node("a", "local.old", inputs={"text": "x"})]})
    ended = flow("validate", file, "--nodes", NODES)
    assert ended.code == 0
    assert "is deprecated since 1.2 and goes with 2.0. Use 'local.say' instead. [node_type.deprecated]" in ended.out


def test_a_version_newer_than_the_installed_one_names_the_pack_to_update(flow: Flow) -> None:
    file = flow.write("w.json", {"name": "W", "nodes": [{"id": "a", "node_type": "debug.log", "type_version": 9}]})
    ended = flow("validate", file)
    assert ended.code == 2
    assert "Update the pack 'debug'" in ended.out


# --- flow schema ---------------------------------------------------------------------------------------


def test_the_schema_on_stdout_and_in_a_file_is_the_same_and_holds_for_the_starter(flow: Flow) -> None:
    ended = flow("schema")
    assert (ended.code, ended.err) == (0, "")
    written = flow("schema", "--output", "schema.json")
    assert (written.code, written.out, written.err) == (0, "", "Written: schema.json\n")
    assert (flow.folder / "schema.json").read_text(encoding="utf-8") == ended.out
    starter: Any = json.loads(flow("init", "--output", "-").out)
    validator = jsonschema_rs.Draft202012Validator(ended.json)
    validator.validate(starter)
    assert not validator.is_valid({**starter, "nodez": []})


def test_a_schema_that_cannot_be_written_is_told(flow: Flow) -> None:
    ended = flow("schema", "--output", "no/folder/schema.json")
    assert ended.code == 2
    assert "cannot be written" in ended.err
