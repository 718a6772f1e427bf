"""Finds the plugins of installed distributions, and in which namespaces each may make node types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flowcore.packs import Pack, namespace_fault

from flowruntime.hooks import PluginPoint, find_points
from flowruntime.registry.settings import PackSettings, normalized

__all__ = ["find_plugins"]


def find_plugins(
    search_path: Sequence[str], settings: PackSettings, packs: Iterable[Pack], chosen: Sequence[Pack]
) -> list[list[Any]]:
    """The plugins on the search path that may load, none imported, as rows of a snapshot.

    `packs` are all that were found, `chosen` those that load. A plugin may make node types in the namespaces of the
    packs of its own distribution, and in the one that its entry point is named by. That one is claimed as a pack's is:
    of several claimants nobody has it until the settings prefer one.
    """
    points = find_points(search_path, settings.permits)
    claims = {(pack.namespace, normalized(pack.distribution)) for pack in packs if settings.permits(pack.distribution)}
    claims |= {(point.name, normalized(point.distribution)) for point in points}

    def namespaces_of(point: PluginPoint) -> Iterator[str]:
        own = normalized(point.distribution)
        yield from (pack.namespace for pack in chosen if normalized(pack.distribution) == own)
        if namespace_fault(point.name, own) is None:
            claimants = {distribution for namespace, distribution in claims if namespace == point.name}
            if claimants == {own} or normalized(settings.prefer.get(point.name, "")) == own:
                yield point.name

    return [[*point[:-1], sorted(set(namespaces_of(point)))] for point in points]
