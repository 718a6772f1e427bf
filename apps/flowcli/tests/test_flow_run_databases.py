"""`flow run` keeps its execution, and says of a database that cannot be used what to do, and how to do without."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest
from flowcli.errors import tell_error
from flowcore.errors import StoreError

from apps.flowcli.tests.flow_command import Ended, Flow, chain, node
from apps.flowcli.tests.kept_executions import SOON_SECONDS, started


def run(flow: Flow, home: Path, *words: str) -> Ended:
    file = flow.write("one.json", chain(node("one", "debug.noop")))
    return flow("run", file, "--json", *words, FLOW_HOME=str(home))


def refused(ended: Ended) -> str:
    """The code of the error, which offers to do without a database."""
    assert ended.code == 3, ended
    error = ended.json["error"]
    assert error["remedy"].endswith("Or run without a database: --db memory:")
    assert len(error["remedy"]) > 60  # there is another remedy before it
    return str(error["code"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a database that can be used."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_a_file_of_another_program_is_left_as_it_is(flow_inside: Flow, home: Path) -> None:
    (home / "flow.db").write_bytes(b"no database at all" * 100)
    assert refused(run(flow_inside, home)) == "store.foreign"
    assert run(flow_inside, home, "--db", "memory:").code == 0
    assert (home / "flow.db").read_bytes() == b"no database at all" * 100


def test_a_newer_database_is_left_to_newer_versions(flow_inside: Flow, home: Path) -> None:
    assert run(flow_inside, home).code == 0
    connection = sqlite3.connect(home / "flow.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert refused(run(flow_inside, home)) == "store.newer"


def test_a_database_that_is_locked_for_long_is_told(flow_inside: Flow, home: Path) -> None:
    assert run(flow_inside, home).code == 0
    connection = sqlite3.connect(home / "flow.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        assert refused(run(flow_inside, home)) == "store.locked"
    finally:
        connection.close()
    assert run(flow_inside, home).code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_told(flow_inside: Flow, home: Path) -> None:
    home.chmod(0o500)
    assert refused(run(flow_inside, home)) in {"store.unopened", "store.read_only"}


def test_a_home_that_is_no_folder_is_told(flow_inside: Flow, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(run(flow_inside, tmp_path / "file" / "home")) == "store.no_folder"


def test_a_database_that_is_removed_during_the_run_is_told_and_nothing_counts_as_done(flow: Flow) -> None:
    file = flow.write("wait.json", chain(node("wait", "control.wait", signal="go")))
    process, _ = started(flow, "run", file, at="NodeWaiting")
    (flow.folder / "flow.db").unlink()
    process.send_signal(signal.SIGINT)
    told = b""
    assert process.stderr is not None
    # The end of the execution cannot be kept, so that it waits.
    while b"was removed or replaced" not in told or b"a second Ctrl-C" not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SOON_SECONDS)
    assert process.returncode == 130
    assert b"WorkflowCompleted" not in out
    assert b"Traceback" not in told + err


def test_errors_of_several_tasks_are_told_by_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = StoreError("One.", code="store.one"), StoreError("Other.", code="store.other")
    assert tell_error(ExceptionGroup("", [ExceptionGroup("", [one, other])]), as_json=False) == 3
    assert "store.one" in capsys.readouterr().err
    # Control: what is a fault of Flownodes stays one.
    tell_error(ExceptionGroup("", [one, ValueError("two")]), as_json=False)
    assert "internal" in capsys.readouterr().err
