"""Loads plugins, once a process for all who ask."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from flowruntime.hooks.plugins import HOOK_SECONDS, Hooks
from flowruntime.hooks.points import PluginPoint, find_points
from flowruntime.permits import Permits, hold_permits, permits_held, points_held

__all__ = ["hooks_at", "installed_hooks", "load_hooks", "permit_hooks", "points_of"]

#: Of the sets of plugins that were asked for last.
_KEPT: Final = 16
#: One plugin is not imported by two threads.
_loading = threading.Lock()


def load_hooks(
    search_path: Iterable[str] | None = None,
    *,
    permits: Permits = lambda _distribution: True,
    limit_seconds: float = HOOK_SECONDS,
) -> Hooks:
    """The plugins of the distributions on the search path (`sys.path` by default) that may load. Never raises.

    The import of each, and each of its hooks, may take `limit_seconds`.
    """
    path = sys.path if search_path is None else search_path
    return Hooks(find_points(path, permits), limit_seconds=limit_seconds)


def permit_hooks(permits: Permits) -> None:
    """Say which distributions may bring hooks, as the operator's settings do; counts for what is loaded after it."""
    hold_permits(permits)


def installed_hooks() -> Hooks:
    """The hooks of the installed distributions that may load, loaded at the first call.

    Metadata is not looked at when a registry has found out before which distributions have some.
    """
    held = points_held()
    return hooks_at(_scanned(permits_held()) if held is None else points_of(held))


def points_of(rows: Iterable[Sequence[Any]]) -> tuple[PluginPoint, ...]:
    """Entry points of their rows, as a snapshot of the registry keeps them."""
    return tuple(PluginPoint._make([*row[:-1], tuple(row[-1])]) for row in rows)


def hooks_at(points: tuple[PluginPoint, ...]) -> Hooks:
    """The plugins of these entry points; the same ones for whoever asks in this process."""
    with _loading:
        return _loaded(points)


@lru_cache(maxsize=_KEPT)
def _loaded(points: tuple[PluginPoint, ...]) -> Hooks:
    return Hooks(points)


@lru_cache(maxsize=1)
def _scanned(permits: Permits) -> tuple[PluginPoint, ...]:
    return tuple(find_points(sys.path, permits))
