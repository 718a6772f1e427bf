"""What the tests of the command share: a folder and a home of its own for each."""

from pathlib import Path

import pytest

from apps.flowcli.tests.flow_command import Flow, FlowInside


@pytest.fixture(scope="session")
def flow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FLOW_HOME of all tests: surveying the installed packs once is enough."""
    return tmp_path_factory.mktemp("flow_home")


@pytest.fixture
def flow(tmp_path: Path, flow_home: Path) -> Flow:
    """The command, in an empty folder."""
    return Flow(tmp_path, flow_home)


@pytest.fixture
def flow_inside(
    tmp_path: Path, flow_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> FlowInside:
    """The same, run by this process."""
    return FlowInside(tmp_path, flow_home, capsys, monkeypatch)
