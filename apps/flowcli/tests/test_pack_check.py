"""Checks `flow pack check`: what fails is a table or JSON, and the exit code says whether anything does."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import Flow


@pytest.fixture
def module(flow: Flow) -> Path:
    """The module of the node of a new pack."""
    assert flow("pack", "new", "greet").code == 0
    return flow.folder / "flownodes-greet" / "src" / "flownodes_greet" / "hello.py"


def change(module: Path, old: str, new: str) -> None:
    text = module.read_text()
    assert old in text
    module.write_text(text.replace(old, new))


def test_what_fails_is_a_table_with_a_row_a_finding(flow: Flow, module: Path) -> None:
    change(module, '    title="Hello",\n', "")
    change(module, '"Good morning, Ada!"', '"Good day, Ada!"')
    flow("pack", "build", "flownodes-greet")
    ended = flow("pack", "check", "flownodes-greet")
    assert ended.code == 1
    head, *rows = ended.out.splitlines()
    assert head.split()[:3] == ["check", "type", "place"]
    assert [row.split()[:2] for row in rows] == [["descriptions", "greet.hello"], ["examples", "greet.hello"]]
    assert 'It has no title. Write title="…" in @node.' in rows[0]
    assert '"Good morning, Ada!"' in rows[1]
    assert ended.err == "2 of 10 checks failed.\n"


def test_a_stale_catalog_shows_its_difference(flow: Flow, module: Path) -> None:
    change(module, "Who is greeted.", "Who shall be greeted.")
    ended = flow("pack", "check", "flownodes-greet")
    assert ended.code == 1
    lines = [line.strip() for line in ended.out.splitlines()]
    assert '-            "description": "Who is greeted.",' in lines
    assert '+            "description": "Who shall be greeted.",' in lines
    assert lines[-1] == "Run `flow pack build` and commit it."


def test_as_json_findings_and_what_passed_are_listed(flow: Flow, module: Path) -> None:
    assert flow("pack", "check", "flownodes-greet", "--json").json["findings"] == []
    change(module, '    """Greets somebody by name."""\n', '    print("noise")\n')
    flow("pack", "build", "flownodes-greet")
    ended = flow("pack", "check", "flownodes-greet", "--json")
    assert ended.code == 1
    (finding,) = ended.json["findings"]
    assert (finding["check"], finding["type"], finding["place"]) == ("descriptions", "greet.hello", "@node")
    assert finding.keys() == {"check", "type", "place", "message", "remedy"}
    assert "examples: greet.hello" in ended.json["passed"]
    assert "noise" in ended.err


def test_a_pack_that_cannot_be_imported_is_a_finding(flow: Flow, module: Path) -> None:
    module.write_text("import os\nos._exit(0)\n")
    ended = flow("pack", "check", "flownodes-greet")
    assert ended.code == 1
    assert "loads" in ended.out
    assert "exit status 0" in ended.out
    assert ended.err == "The check failed, and the others need it.\n"


def test_a_folder_without_a_project_is_wrong_usage(flow: Flow) -> None:
    ended = flow("pack", "check")
    assert (ended.code, ended.out) == (2, "")
    assert "pyproject.toml" in ended.err
    assert flow("pack", "check", "one", "two").code == 2


@pytest.mark.parametrize("status", [0, 7])
def test_a_node_that_ends_the_process_is_a_finding(flow: Flow, module: Path, status: int) -> None:
    change(module, "    if not name.strip():", f"    import os; os._exit({status})\n    if not name.strip():")
    flow("pack", "build", "flownodes-greet")
    ended = flow("pack", "check", "flownodes-greet", "--json")
    assert ended.code == 1
    (finding,) = ended.json["findings"]
    assert (finding["check"], finding["type"]) == ("examples", "greet.hello")
    assert f"exit status {status}" in finding["message"]
    assert "schemas: greet.hello" in ended.json["passed"]


def test_a_node_that_raises_keyboard_interrupt_is_a_finding_and_no_ctrl_c(flow: Flow, module: Path) -> None:
    change(module, "    if not name.strip():", "    raise KeyboardInterrupt\n    if not name.strip():")
    ended = flow("pack", "check", "flownodes-greet", "--json")
    assert ended.code == 1
    assert ("examples", "greet.hello") in [(one["check"], one["type"]) for one in ended.json["findings"]]


def test_a_ctrl_c_at_the_terminal_ends_the_check(flow: Flow, module: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    waits = f"    import threading; open({str(begun)!r}, 'w').close(); threading.Event().wait(60)\n"
    change(module, "    if not name.strip():", f"{waits}    if not name.strip():")
    process = subprocess.Popen(
        flow.command("pack", "check", "flownodes-greet"),
        cwd=flow.folder,
        env=flow.environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    begun.read_bytes()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (130, "Interrupted.\n")


def test_a_settings_file_that_cannot_be_read_is_told_as_everywhere(flow: Flow, module: Path) -> None:
    assert module.exists()
    flow.write("flow.toml", "[packs\n")
    ended = flow("pack", "check", "flownodes-greet")
    assert (ended.code, "settings.malformed" in ended.err) == (3, True)
