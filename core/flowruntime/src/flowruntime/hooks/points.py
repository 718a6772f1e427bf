"""Where plugins are: the entry points in the group `flownodes.hooks`, read without importing anything of theirs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from flowruntime.permits import normalized

__all__ = ["ENTRY_POINT_GROUP", "PluginPoint", "find_points"]

ENTRY_POINT_GROUP: Final = "flownodes.hooks"


class PluginPoint(NamedTuple):
    """An entry point that names a plugin."""

    distribution: str
    name: str
    #: `module` or `module:attribute`.
    value: str
    #: The folder that its distribution is installed in.
    folder: str
    #: Where its node types may lie; the registry knows, which sees who else claims them.
    namespaces: tuple[str, ...] = ()


def find_points(search_path: Iterable[str], permits: Callable[[str], bool]) -> list[PluginPoint]:
    """The plugins of the distributions on the search path that may load, sorted by distribution. Never raises.

    Of two installations of one distribution the first on the path counts. Broken metadata has no plugins: the registry
    tells of it.
    """
    import importlib_metadata

    found: list[PluginPoint] = []
    seen: set[str] = set()
    for distribution in importlib_metadata.distributions(path=list(search_path)):
        try:
            # Most distributions have no plugins; of those no more is read and parsed.
            text = distribution.read_text("entry_points.txt") or ""
            if ENTRY_POINT_GROUP not in text:
                continue
            name: str = distribution.metadata["Name"]
            points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
            folder = str(distribution.locate_file(""))
        except Exception:  # noqa: BLE001, S112 - broken metadata may raise anything
            continue
        if not points or not name or normalized(name) in seen or not permits(name):
            continue
        seen.add(normalized(name))
        found += [PluginPoint(name, point.name, _without_extras(point.value), folder) for point in points]
    return sorted(found, key=lambda point: (normalized(point.distribution), point.name))


def _without_extras(value: str) -> str:
    return re.sub(r"\s*\[.*\]\s*$", "", value).strip()
