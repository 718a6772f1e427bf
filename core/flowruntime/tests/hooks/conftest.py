"""What the tests of hooks share: a folder of installed plugins that this process imports from."""

from pathlib import Path

import pytest

from core.flowruntime.tests.hooks.installed_plugins import Plugins


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return Plugins(folder)
