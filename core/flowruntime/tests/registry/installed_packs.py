"""Makes folders that look to Python like site-packages with packs installed."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flowruntime.authoring import Definition

__all__ = ["EARLIER", "LATER", "Site", "call", "catalog_json", "node_source", "set_age"]

#: Some moments, in ns: what matters is which file is newer.
EARLIER, LATER = 1_700_000_000_000_000_000, 1_700_000_001_000_000_000


def node_source(*type_ids: str, before: str = "") -> str:
    """A module that defines a node function for each id; `before` is run first."""
    functions = [
        f"@node({type_id!r}, effects='pure')\n"
        f"def {type_id.rpartition('.')[2]}(text: str) -> str:\n"
        f"    '''Gives {type_id}.'''\n"
        f"    return text\n"
        for type_id in type_ids
    ]
    return "\n\n".join([f"{before}\nfrom flowruntime.authoring import node", *functions])


def catalog_json(namespace: str, implementations: Mapping[str, str]) -> dict[str, Any]:
    """A catalog with a type for each id, implemented there."""
    types = [
        {"id": type_id, "version": 1, "implementation": implementation, "title": type_id.title()}
        for type_id, implementation in implementations.items()
    ]
    return {"catalog": 1, "namespace": namespace, "types": types}


def call(definition: Definition, *arguments: Any) -> Any:
    """What the function behind a definition returns."""
    function: Any = definition.target
    return function(*arguments)


class Site:
    """One folder of a search path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> list[str]:
        return [str(self.folder)]

    def add_distribution(
        self, name: str, entry_points: Mapping[str, str] | str, *, version: str = "1.0", direct_url: Any = None
    ) -> Path:
        """The dist-info folder of an installed distribution; entry points as a mapping or as the file's text."""
        folder = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if not isinstance(entry_points, str):
            lines = [f"{namespace} = {package}" for namespace, package in entry_points.items()]
            entry_points = "\n".join(["[flownodes]", *lines, ""])
        (folder / "entry_points.txt").write_text(entry_points)
        if direct_url is not None:
            (folder / "direct_url.json").write_text(json.dumps(direct_url))
        return folder

    def add_package(self, package: str, source: str, catalog: Any = None) -> Path:
        """A package whose only module is its `__init__.py`, with this catalog (JSON, or text as it is)."""
        folder = self.folder / package
        folder.mkdir()
        (folder / "__init__.py").write_text(source)
        if catalog is not None:
            text = catalog if isinstance(catalog, str) else json.dumps(catalog)
            (folder / "flownodes.json").write_text(text)
        return folder

    def add_pack(
        self,
        namespace: str,
        *names: str,
        distribution: str | None = None,
        package: str | None = None,
        source: str | None = None,
        editable: bool = False,
        catalog: Any = "from the names",
    ) -> Path:
        """A pack with these node types, which by default is in order; returns the package's folder."""
        distribution = distribution or f"flownodes-{namespace}"
        package = package or distribution.replace("-", "_")
        type_ids = [f"{namespace}.{name}" for name in names]
        if catalog == "from the names":
            catalog = catalog_json(namespace, {f"{namespace}.{name}": f"{package}:{name}" for name in names})
        self.add_distribution(
            distribution,
            {namespace: package},
            direct_url={"url": "file:///sources", "dir_info": {"editable": True}} if editable else None,
        )
        return self.add_package(package, node_source(*type_ids) if source is None else source, catalog)


def set_age(files: Iterable[Path], moment_ns: int) -> None:
    """Say that these files were written at that moment."""
    for file in files:
        os.utime(file, ns=(moment_ns, moment_ns))
