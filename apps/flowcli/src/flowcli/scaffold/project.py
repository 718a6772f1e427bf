"""Finds the pack that a new node is to be added to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flowcore.errors import PackError
from flowcore.packs import CATALOG_FILE
from flowruntime.registry import packs_of

from flowcli.scaffold.names import Names, node_name
from flowcli.usage import UsageError

__all__ = ["PackFolder", "find_pack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFolder:
    """A pack that is there: the folder of its pyproject.toml, and that of its package."""

    folder: Path
    package: Path
    namespace: str
    distribution: str

    def names_of(self, node: str) -> Names:
        """The names of a new node in it. Raises UsageError for one that cannot be had, or is there already."""
        names = Names(
            namespace=self.namespace,
            node=node_name(node),
            own_distribution=self.distribution,
            own_package=self.package.name,
        )
        catalog = self.package / CATALOG_FILE
        if catalog.is_file() and names.type in _types_in(catalog):
            raise UsageError(
                f"The pack has a node type {names.type!r} already.", code="pack.exists", remedy="Choose another name."
            )
        return names


def find_pack(folder: Path) -> PackFolder | None:
    """The pack in this folder or the nearest above it; None when there is none.

    Raises UsageError when the project there brings several packs, or one that cannot be read.
    """
    for place in (folder.absolute(), *folder.absolute().parents):
        if (place / "pyproject.toml").is_file():
            try:
                packs = list(packs_of(place))
            except PackError as error:
                if place == folder.absolute():
                    raise UsageError(error.message, code=error.code, remedy=error.remedy) from error
                return None
            if len(packs) > 1:
                listed = ", ".join(repr(pack.namespace) for pack, _ in packs)
                raise UsageError(
                    f"The project in {str(place)!r} brings several packs: {listed}.",
                    code="pack.several",
                    remedy="Write the node into one of them by hand.",
                )
            pack, package = packs[0]
            return PackFolder(folder=place, package=package, namespace=pack.namespace, distribution=pack.distribution)
    return None


def _types_in(catalog: Path) -> set[str]:
    try:
        return {entry["id"] for entry in json.loads(catalog.read_bytes())["types"]}
    except (ValueError, KeyError, TypeError):
        return set()  # what is wrong with it is told when it is written anew
