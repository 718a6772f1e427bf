"""Checks the command line as such: help, wrong usage, faults of our own, and what is not imported."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flowcli.commands import init
from flowcli.main import main

from apps.flowcli.tests.flow_command import Flow
from apps.flowcli.tests.screen import run_on_terminal

DEAR = ["asyncio", "anyio", "rich", "jsonschema_rs", "msgspec", "jmespath", "importlib.metadata", "importlib_metadata"]
PACKS = [f"flownodes_{name}" for name in ("control", "debug", "files", "http", "time", "transform")]


def imported(flow: Flow, *words: str) -> set[str]:
    """The modules that are loaded when the command has ended."""
    code = "import sys; from flowcli.main import main; code = main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code, *words]
    ended = subprocess.run(command, cwd=flow.folder, env=flow.environment, capture_output=True, text=True, check=True)
    return set(ended.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("nodes",), ("nodes", "log"), ("nodes", "--json")])
def test_help_and_the_list_of_node_types_import_nothing_dear(flow: Flow, words: tuple[str, ...]) -> None:
    imported(flow, *words)  # the survey of the installed packs is kept
    modules = imported(flow, *words)
    assert "flowcli.main" in modules
    assert modules.isdisjoint([*DEAR, *PACKS])


def test_what_is_dear_is_noticed(flow: Flow) -> None:
    flow("init")
    modules = imported(flow, "run", "workflow.json")
    assert {"asyncio", "anyio", "flownodes_debug.log"} <= modules
    assert "rich" not in modules


def test_help_names_every_command_and_each_has_its_own(flow: Flow) -> None:
    ended = flow("--help")
    assert ended.code == 0
    for name in ("run", "validate", "nodes", "init", "pack"):
        assert f"\n  {name} " in ended.out
        own = flow(name, "--help")
        assert (own.code, own.err) == (0, "")
        assert own.out.startswith(f"usage: flow {name} ")


@pytest.mark.parametrize("name", ["run", "executions", "pack", "workflows"])
def test_the_ways_to_write_a_command_fit_the_terminal_and_keep_options_whole(flow: Flow, name: str) -> None:
    environment = {**flow.environment, "TERM": "dumb"}
    shown = run_on_terminal(flow.command(name, "--help"), folder=flow.folder, environment=environment, columns=80)
    assert max(map(len, shown.text.splitlines())) <= 80
    assert all(line.count("[") == line.count("]") for line in shown.screen if line.startswith("       "))


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "flow 0.1.0\n"


def test_without_a_command_the_help_is_shown_and_it_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "commands:" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rnu"], "There is no command 'rnu'.\n  Did you mean 'run'?"),
        (["zzz"], "The commands are: run, validate, "),
        (["--jsno"], "`flow` does not take '--jsno'."),
        (["run"], "the following arguments are required: FILE"),
        (["run", "a.json", "--jsn"], "`flow run` does not take '--jsn'.\n  Did you mean '--json'?"),
        (["run", "a.json", "b.json"], "does not take 'b.json'"),
        (["run", "a.json", "--input"], "expected one argument"),
        (["run", "a.json", "--json", "--events"], "not allowed with argument"),
        (["validate"], "the following arguments are required: FILE"),
        (["pack"], "the following arguments are required: TASK.\n"),
        (["secrets"], "the following arguments are required: TASK.\n"),
        (["workflows"], "the following arguments are required: TASK.\n"),
        (["executions"], "the following arguments are required: TASK.\n"),
        (["pack", "bulid"], "invalid choice: 'bulid'"),
    ],
)
def test_wrong_usage_is_told_with_what_to_write(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert told in err
    assert ("usage.wrong" in out) == ("--json" in words)


def test_options_are_never_guessed_from_their_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes", "--js"]) == 2
    assert "does not take '--js'" in capsys.readouterr().err


def test_a_fault_of_our_own_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: Any) -> int:
        raise LookupError("nobody expected this")

    monkeypatch.setattr(init, "run", broken)
    monkeypatch.delenv("FLOW_DEBUG", raising=False)
    assert main(["init"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: Flownodes itself failed: LookupError: nobody expected this\n")
    assert "Traceback" not in err
    monkeypatch.setenv("FLOW_DEBUG", "1")
    assert main(["init"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "changes", "code"),
    [
        (["doctor", "--db", "sqlite:///flow.db"], {}, 3),
        (["executions", "list", "--db", "sqlite:///flow.db"], {}, 3),
        (["executions", "list"], {"FLOW_HOME": "home"}, 2),
        (["init"], {}, 2),
        (["init", "--output", "-"], {}, 0),
    ],
)
def test_a_working_directory_that_was_removed_is_no_fault_of_our_own(
    words: list[str], changes: dict[str, str], code: int, flow: Flow, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *flow.command(*words)]
    environment = {**flow.environment, **changes}
    ended = subprocess.run(command, cwd=gone, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, "Flownodes itself failed" in ended.stdout + ended.stderr) == (code, False)


def test_ctrl_c_before_anything_runs_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))
    assert main(["run", "-"]) == 130
    assert capsys.readouterr() == ("", "Interrupted.\n")


def test_a_closed_stdin_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["run", "-"]) == 2
    assert "stdin, which is closed" in capsys.readouterr().err
