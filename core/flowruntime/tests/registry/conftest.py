"""What the tests of the registry share: a folder of installed packs that is theirs alone."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.flowruntime.tests.registry.installed_packs import Site


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own cache and settings."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("FLOW_HOME", str(home))
    monkeypatch.chdir(home)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder to install packs in; `search_path=site.path` finds them and nothing else."""
    return Site(tmp_path / "site")


@pytest.fixture
def importable(site: Site) -> Iterator[Site]:
    """The same folder, from which this process imports; what it has imported is forgotten afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(site.folder))
    importlib.invalidate_caches()
    yield site
    sys.path.remove(str(site.folder))
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin is not None and Path(origin).is_relative_to(site.folder):
            del sys.modules[name]
