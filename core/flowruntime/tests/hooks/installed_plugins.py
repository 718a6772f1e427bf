"""Makes folders that look to Python like site-packages with plugins installed."""

import sys
from collections.abc import Iterable
from pathlib import Path

from flowruntime import Runtime
from flowruntime.hooks import Hooks, load_hooks
from flowruntime.registry import PackSettings, Registry

__all__ = ["GIVEN_UP_SECONDS", "Plugins", "codes"]

#: A limit for plugins of which one hangs. The others must keep it, also while the machine is busy with other things.
GIVEN_UP_SECONDS = 3.0

HEAD = """
import asyncio, contextlib, contextvars, threading
from flowruntime.authoring import Context, Node, node
from flowruntime.hooks import ExpressionFunction, hookimpl
"""


class Plugins:
    """A folder of a search path with distributions that bring plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, distribution: str, source: str, *, point: str = "hooks", packs: str = "") -> None:
        """Install a distribution whose only module is a plugin. `packs` are lines of its entry points `flownodes`."""
        module = f"plugin_{distribution.replace('-', '_')}_{self.folder.parent.name.replace('-', '_')}"
        (self.folder / f"{module}.py").write_text(HEAD + source)
        info = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[flownodes.hooks]\n{point} = {module}\n[flownodes]\n{packs}\n")

    def load(self, *, limit_seconds: float = 10.0) -> Hooks:
        """The plugins of this folder."""
        return load_hooks([str(self.folder)], limit_seconds=limit_seconds)

    def registry(self, settings: PackSettings | None = None) -> Registry:
        """The node types of this folder."""
        settings = settings or PackSettings()
        return Registry.discover(search_path=[str(self.folder)], settings=settings, cache_dir=None)

    def beside_others(self) -> Registry:
        """The node types of this folder and of all packs that are installed."""
        return Registry.discover(search_path=[str(self.folder), *sys.path], settings=PackSettings(), cache_dir=None)

    def runtime(self, nodes: Iterable[object] = (), *, db: str = "memory:") -> Runtime:
        """A runtime with what is in this folder."""
        return Runtime(db, nodes=nodes, registry=self.registry())


def codes(runtime: Runtime | Registry | Hooks) -> list[tuple[str, str]]:
    """Pack and code of all problems."""
    told = runtime.registry if isinstance(runtime, Runtime) else runtime
    return sorted((problem.pack, problem.code) for problem in told.problems)
