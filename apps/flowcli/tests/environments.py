"""Makes virtual environments with Flownodes in them, and wheels to install there, all without asking a network."""

import base64
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flowcore.packs import Catalog
from flowcore.values import write_json
from flowruntime.authoring import definition_of
from flowruntime.permits import normalized
from uv import find_uv_bin

from apps.flowcli.tests.flow_command import Flow

__all__ = ["Environment", "make_environment", "make_pack", "make_wheel"]


class Environment(Flow):
    """The command of a virtual environment."""

    def __init__(self, root: Path, folder: Path, home: Path) -> None:
        super().__init__(folder, home)
        self.root = root
        self.python = root / "bin" / "python"
        hidden = {"PYTHONPATH", "VIRTUAL_ENV", "UV_INDEX_URL", "PIP_INDEX_URL"}
        self.environment = {name: value for name, value in self.environment.items() if name not in hidden}
        self.environment["UV_CACHE_DIR"] = str(root / "uv-cache")  # nobody else's wheels of these names
        self.environment["PATH"] = os.pathsep.join([str(Path(find_uv_bin()).parent), self.environment["PATH"]])

    def command(self, *words: str) -> list[str]:
        return [str(self.python), "-m", "flowcli", *words]

    def installed(self) -> dict[str, str]:
        """The version of each distribution."""
        code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
        found: dict[str, str] = json.loads(
            subprocess.run([self.python, "-c", code], capture_output=True, check=True).stdout
        )
        return found


def make_environment(root: Path) -> Path:
    """A virtual environment with `flownodes` and all that it requires, as it is in this one."""
    command = [find_uv_bin(), "venv", "--quiet", "--offline", "--python", sys.executable, str(root)]
    subprocess.run(command, check=True, capture_output=True)
    (packages,) = (root / "lib").glob("python*/site-packages")
    for distribution in _closure("flownodes"):
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    return root


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: Iterable[str] = (),
    entry_points: str = "",
    files: Mapping[str, str] | None = None,
) -> Path:
    """A wheel with these files; by default one empty package."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    content = dict(files if files is not None else {f"{stem}/__init__.py": ""})
    content[f"{info}/METADATA"] = "".join(
        [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", *(f"Requires-Dist: {one}\n" for one in requires)]
    )
    content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if entry_points:
        content[f"{info}/entry_points.txt"] = entry_points
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{stem}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return wheel


def make_pack(
    folder: Path,
    namespace: str,
    *names: str,
    distribution: str | None = None,
    version: str = "1.0",
    requires: Iterable[str] = ("flowcore",),
    source: str | None = None,
    catalog: Any = None,
) -> Path:
    """The wheel of a pack with these node types, which by default is in order."""
    distribution = distribution or f"flownodes-{namespace}"
    package = distribution.replace("-", "_")
    good = _source(namespace, names)
    written = _catalog(namespace, package, good) if catalog is None else catalog
    return make_wheel(
        folder,
        distribution,
        version,
        requires=requires,
        entry_points=f"[flownodes]\n{namespace} = {package}\n",
        files={
            f"{package}/__init__.py": good if source is None else source,
            f"{package}/flownodes.json": write_json(written, indent=2),
        },
    )


def _source(namespace: str, names: Iterable[str]) -> str:
    functions = [
        f"\n\n@node('{namespace}.{name}', effects='pure')\ndef {name}(text: str) -> str:\n    return text\n"
        for name in names
    ]
    return "".join(["from flowruntime.authoring import node\n", *functions])


def _catalog(namespace: str, package: str, source: str) -> dict[str, Any]:
    """What the code says."""
    scope: dict[str, Any] = {"__name__": package}
    exec(source, scope)  # noqa: S102 - it was written above
    definitions = {name: found for name, value in scope.items() if (found := definition_of(value)) is not None}
    types = [
        definition.node_type(type_id=definition.id, implementation=f"{package}:{name}")
        for name, definition in definitions.items()
    ]
    return Catalog(namespace=namespace, types=tuple(types)).to_json()


def _closure(name: str) -> list[importlib.metadata.Distribution]:
    """The distribution of this name and all that it requires; of ours with the extras that are installed."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        key = normalized(waiting.pop())
        if key in found:
            continue
        try:
            found[key] = importlib.metadata.distribution(key)
        except importlib.metadata.PackageNotFoundError:  # of an extra, or of another system
            continue
        lines = [line for line in found[key].requires or () if key.startswith("flow") or "extra ==" not in line]
        waiting += [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]
    return list(found.values())


def _digest(text: str) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()}"
