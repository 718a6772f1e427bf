"""Compares what the documents list with what there is: commands, exit codes, events, node types."""

import argparse
import re
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from flowcli import exit_codes
from flowcli.main import _COMMANDS
from flowcli.parser import Parser
from flowcore.events import EVENT_TYPES
from flowruntime import Runtime
from flowruntime.registry import Registry

from docs import build_nodes
from tests.architecture.source_tree import ROOT
from tests.docs.documents import section_of

DOCS = ROOT / "docs"
COMMAND_LINE = DOCS / "command-line.md"
EVENTS = DOCS / "events.md"

# Every setting that a document can hold, each with a value that is not its default.
EVERYTHING = {
    "name": "Everything",
    "nodes": [
        {
            "id": "a",
            "node_type": "debug.noop",
            "retry_policy": {"max_attempts": 2},
            "timeout_ms": 1,
            "on_error": "continue",
            "effects": "read",
            "delivery": "at_most_once",
            "placement": "gpu",
            "cache": {"ttl_ms": 1},
        }
    ],
    "settings": {
        "max_execution_time_ms": 1,
        "max_parallel_nodes": 1,
        "on_error": {"RetryWorkflow": {"max_attempts": 2}},
        "on_error_workflow": "b",
        "concurrency": 1,
        "priority": 1,
        "placement": "gpu",
    },
}


def parser_of(command: str) -> Parser:
    parser = Parser(prog=f"flow {command}")
    import_module(f"flowcli.commands.{command}").add_arguments(parser)
    return parser


def wire_fields(event_type: str) -> set[str]:
    """What an event of this type has on the wire beside what all events, or all events of nodes, have."""
    named = {"retry_at_us": "retry_at", "until_us": "until"}
    fields = {named.get(name, name) for name in EVENT_TYPES[event_type]._fields}
    fields -= {"seq", "at_us", "state"}
    if event_type.startswith("Node"):
        fields -= {"path", "node_id", "attempt"}
    if "content" in fields:
        fields = (fields - {"content"}) | {"message", "percent", "line"}
    return fields | {"success"} if event_type == "WorkflowCompleted" else fields


def codes(text: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_every_command_has_a_section_that_names_all_its_options(command: str) -> None:
    section = section_of(COMMAND_LINE, f"flow {command}")
    options = {
        option
        for action in parser_of(command)._actions
        if not isinstance(action, argparse._HelpAction)
        for option in action.option_strings
    }
    assert [option for option in sorted(options) if not re.search(rf"{option}\b", section)] == []


def test_every_exit_code_is_explained() -> None:
    table = section_of(COMMAND_LINE, "Exit codes")
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert explained == {getattr(exit_codes, name) for name in exit_codes.__all__}


def test_every_event_is_listed_with_all_its_fields() -> None:
    text = section_of(EVENTS, "In a program, and over a wire")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    assert {name: codes(fields) for name, fields in rows.items()} == {name: wire_fields(name) for name in EVENT_TYPES}


def test_what_is_not_supported_yet_is_listed_and_nothing_else() -> None:
    problems = Runtime().check(EVERYTHING).problems
    pointers = {problem.pointer for problem in problems if problem.code == "document.not_supported_yet"}
    section = section_of(DOCS / "workflows.md", "Not yet")
    listed = re.findall(r"^- `([^`]+)`", section, re.MULTILINE)
    assert sorted(listed) == sorted(
        pointer.removeprefix("/nodes/0/").removeprefix("/").replace("/", ".") for pointer in pointers
    )


def test_every_node_type_of_an_installed_pack_of_ours_has_a_page() -> None:
    registry = Registry.discover()
    ours = [row.id for row in registry.rows() if row.pack.startswith("flownodes-")]
    assert ours
    assert [type_id for type_id in ours if not (DOCS / "nodes" / f"{type_id}.md").is_file()] == []


def test_the_pages_of_node_types_are_what_the_catalogs_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert build_nodes.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_is_stale_missing_or_left_over_is_noticed_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(DOCS / "nodes", tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(build_nodes, "_FOLDER", tmp_path)
    (tmp_path / "debug.log.md").write_text("stale")
    (tmp_path / "debug.noop.md").unlink()
    (tmp_path / "debug.gone.md").write_text("left over")
    assert build_nodes.main(["--check"]) == 1
    named = re.findall(r"docs/nodes/(\S+)", capsys.readouterr().out)
    assert named == ["debug.gone.md", "debug.log.md", "debug.noop.md"]
    assert build_nodes.main([]) == 0
    assert build_nodes.main(["--check"]) == 0
