"""Holds which distributions may load into this process and where plugins are, before anything of theirs is imported.

The registry reads it from flow.toml and from metadata, the hooks ask for it. Part of the warm path: imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

__all__ = [
    "OWN_DISTRIBUTIONS",
    "Permits",
    "Rules",
    "hold_permits",
    "hold_points",
    "normalized",
    "permits_held",
    "points_held",
]

#: Whether a distribution may load. Two that are equal must answer alike.
Permits: TypeAlias = Callable[[str], bool]

#: What belongs to Flownodes itself, and loads in safe mode.
OWN_DISTRIBUTIONS = frozenset(
    {
        *("flowcli", "flowclient", "flowcore", "flownetwork", "flownodes", "flowobserver-otel", "flowqueue-pgqueuer"),
        *("flowqueue-rabbitmq", "flowruntime", "flowserver", "flowstore-postgres", "flowui"),
        *("flownodes-control", "flownodes-debug", "flownodes-files", "flownodes-http", "flownodes-shell"),
        *("flownodes-sql", "flownodes-time", "flownodes-transform", "flownodes-wasm"),
    }
)


class Rules:
    """Permits as flow.toml says them: names of distributions, compared in their normalised form.

    >>> Rules(allow=("flownodes-http",))("Flownodes.HTTP"), Rules(safe_mode=True)("acme")
    (True, False)
    """

    __slots__ = ("allow", "deny", "safe_mode")

    def __init__(
        self, *, allow: Iterable[str] | None = None, deny: Iterable[str] = (), safe_mode: bool = False
    ) -> None:
        #: The only ones that load; None allows all.
        self.allow = None if allow is None else tuple(allow)
        self.deny = tuple(deny)
        #: Nothing loads but what belongs to Flownodes itself.
        self.safe_mode = safe_mode

    def __call__(self, distribution: str, /) -> bool:
        """Whether the distribution may load."""
        name = normalized(distribution)
        if name in map(normalized, self.deny) or (self.safe_mode and name not in OWN_DISTRIBUTIONS):
            return False
        return self.allow is None or name in map(normalized, self.allow)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and self.plain() == other.plain()

    def __hash__(self) -> int:
        return hash((self.allow, self.deny, self.safe_mode))

    def plain(self) -> list[Any]:
        """Allow, deny and safe mode, as plain JSON data."""
        return [None if self.allow is None else list(self.allow), list(self.deny), self.safe_mode]


def normalized(distribution: str) -> str:
    """The name in the form in which names of distributions are compared (PEP 503).

    >>> normalized("Flownodes_HTTP")
    'flownodes-http'
    """
    import re  # dear, and not needed for every list

    return re.sub(r"[-_.]+", "-", distribution).lower()


_held: list[Permits] = [Rules()]
_points: list[Sequence[Sequence[Any]]] = []


def hold_permits(permits: Permits) -> None:
    """Say which distributions may load into this process; counts for what is loaded after it."""
    _held[:] = [permits]
    _points.clear()


def hold_points(points: Sequence[Sequence[Any]]) -> None:
    """Say which plugins there are, of those that may load: rows of `flowruntime.hooks.PluginPoint`."""
    _points[:] = [points]


def permits_held() -> Permits:
    """The permits that were said last; at first everything may load."""
    return _held[0]


def points_held() -> Sequence[Sequence[Any]] | None:
    """The plugins that were said last; None when nobody has looked."""
    return _points[0] if _points else None
