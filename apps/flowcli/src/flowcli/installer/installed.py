"""Says what is installed in this environment: which distributions, what each requires, which of them are packs."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowruntime.permits import normalized

__all__ = ["CORE", "Distribution", "installed_distributions", "is_foreign", "missing_files"]

#: What `flow` itself is made of: no pack may move it.
CORE: Final = ("flowcore", "flowruntime", "flowcli", "flownodes")

_GROUP: Final = re.compile(r"flownodes(\.\w+)?")
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)([^;]*)(;.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution."""

    name: str
    version: str
    #: The normalised names of what it requires, whatever the extras.
    requires: frozenset[str]
    #: Whether it has an entry point in one of our groups: node types, hooks, stores, commands.
    is_pack: bool
    #: The groups of its entry points that are ours.
    groups: tuple[str, ...]
    #: Where it comes from: `index`, or `editable` or `file` with the path, or `url` with the URL.
    origin: str

    @property
    def is_core(self) -> bool:
        """Whether it is a part of `flow` itself."""
        return normalized(self.name) in CORE

    @property
    def pin(self) -> str:
        """The requirement that only this version fulfils."""
        return f"{self.name}=={self.version}"


def installed_distributions(search_path: Iterable[str] | None = None) -> dict[str, Distribution]:
    """The distributions on the search path (`sys.path` by default) by normalised name.

    Of two with one name the first counts; what has broken metadata is left out.
    """
    found: dict[str, Distribution] = {}
    path = list(sys.path if search_path is None else search_path)
    for distribution in importlib.metadata.distributions(path=path):
        try:
            read = _read(distribution)
        except Exception:  # noqa: BLE001, S112 - broken metadata: the registry tells of it
            continue
        found.setdefault(normalized(read.name), read)
    return found


def missing_files(name: str) -> list[str]:
    """The files that an installed distribution says it has, and that are not there: its installation was cut off."""
    try:
        distribution = importlib.metadata.distribution(name)
        record = [row[0] for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()) if row]
        # Bytecode is cleaned away by whoever likes to, and a program that is gone (`../../../bin/…`) breaks no pack.
        files = [file for file in record if not file.endswith(".pyc") and not file.startswith("..")]
        return [file for file in files if not Path(str(distribution.locate_file(file))).exists()]
    except Exception:  # noqa: BLE001 - broken metadata: the registry tells of it
        return []


def is_foreign(distribution: Distribution) -> bool:
    """Whether a pack has releases of its own: those of Flownodes are updated with it."""
    return distribution.is_pack and not distribution.is_core and not distribution.origin.startswith("editable")


def _read(distribution: importlib.metadata.Distribution) -> Distribution:
    groups = {point.group for point in distribution.entry_points if _GROUP.fullmatch(point.group)}
    matches = (_REQUIREMENT.match(line) for line in distribution.requires or ())
    requires = {normalized(match[1]) for match in matches if match and "extra" not in (match[3] or "")}
    return Distribution(
        name=distribution.metadata["Name"],
        version=distribution.version,
        requires=frozenset(requires),
        is_pack=bool(groups),
        groups=tuple(sorted(groups)),
        origin=_origin(json.loads(distribution.read_text("direct_url.json") or "{}")),
    )


def _origin(direct: Any) -> str:
    url = direct.get("url")
    if not url:
        return "index"
    if not url.startswith("file://"):
        version_control = direct.get("vcs_info", {}).get("vcs")
        return f"url {version_control}+{url}" if version_control else f"url {url}"
    place = url.removeprefix("file://")
    is_editable = direct.get("dir_info", {}).get("editable", False)
    return f"{'editable' if is_editable else 'file'} {_short(place)}"


def _short(place: str) -> str:
    """The path with the home folder as `~`."""
    home = str(Path.home())
    return f"~{place.removeprefix(home)}" if place.startswith(f"{home}/") else place
