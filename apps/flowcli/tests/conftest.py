"""What the tests of the command share: a folder and a home of its own for each."""

from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import Flow


@pytest.fixture(scope="session")
def flow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FLOW_HOME of all tests: surveying the installed packs once is enough."""
    return tmp_path_factory.mktemp("flow_home")


@pytest.fixture
def flow(tmp_path: Path, flow_home: Path) -> Flow:
    """The command, in an empty folder."""
    return Flow(tmp_path, flow_home)


@pytest.fixture
def _here(tmp_path: Path, flow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes this process what `flow` would be: in an empty folder, with that home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOW_HOME", str(flow_home))
