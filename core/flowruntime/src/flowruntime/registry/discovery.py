"""Finds packs among the installed distributions, by metadata alone, and chooses which of them load."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowcore.errors import PackError
from flowcore.packs import Pack, PackProblem, namespace_fault

from flowruntime.registry.settings import PackSettings, normalized

__all__ = ["ENTRY_POINT_GROUP", "Choice", "Record", "choose_packs", "find_packs", "locate_package"]

ENTRY_POINT_GROUP = "flownodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A problem, with the namespace that has no node types because of it (`""`: not known)."""

    namespace: str
    problem: PackProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which packs load, and why others don't."""

    packs: tuple[Pack, ...]
    records: tuple[Record, ...]
    #: Namespace → distribution that the settings keep from loading.
    denied: dict[str, str]


def find_packs(search_path: Sequence[str]) -> tuple[list[Pack], list[Record]]:
    """Every pack that is installed on the search path, whatever its claims are worth.

    Each distribution has its own guard. Of two installations of one distribution the first on the path
    counts, as it does for Python's imports.
    """
    import importlib_metadata

    found: list[Pack | Record] = []
    seen: set[str] = set()
    for distribution in importlib_metadata.distributions(path=list(search_path)):
        try:
            claims = list(_claims_of(distribution))
        except Exception as error:  # noqa: BLE001 - the guard: metadata may be broken in any way
            name = Path(str(distribution)).name
            cause = f"Its metadata cannot be read: {type(error).__name__}: {error}"
            claims = [_record("", name, "discover.metadata", cause, "Reinstall the distribution.")]
        names = {normalized(claim.distribution if isinstance(claim, Pack) else claim.problem.pack) for claim in claims}
        if names.isdisjoint(seen):
            found += claims
        seen |= names
    packs = [claim for claim in found if isinstance(claim, Pack)]
    return packs, [claim for claim in found if isinstance(claim, Record)]


def choose_packs(packs: Sequence[Pack], settings: PackSettings) -> Choice:
    """One pack a namespace. Of several claimants none is chosen until the settings prefer one."""
    chosen: list[Pack] = []
    records: list[Record] = []
    denied: dict[str, str] = {}
    claims: dict[str, list[Pack]] = {}
    for pack in packs:
        fault = namespace_fault(pack.namespace, normalized(pack.distribution))
        if not settings.permits(pack.distribution):
            denied[pack.namespace] = pack.distribution
        elif fault is not None:
            remedy = f"Uninstall {pack.distribution}, or install a release of it with another namespace."
            records.append(_record(pack.namespace, pack.distribution, "discover.namespace", fault, remedy))
        else:
            claims.setdefault(pack.namespace, []).append(pack)
    for namespace, claimants in claims.items():
        wanted = normalized(settings.prefer.get(namespace, ""))
        preferred = [pack for pack in claimants if normalized(pack.distribution) == wanted]
        if len(claimants) == 1 or preferred:
            chosen.append((preferred or claimants)[0])
            continue
        names = sorted(pack.distribution for pack in claimants)
        claimed = " and ".join(map(repr, names))
        cause = f"The namespace {namespace!r} is claimed by {claimed}; none of them is loaded."
        write = f'prefer = {{{namespace} = "{names[0]}"}}'
        remedy = f"Uninstall all but one, or write under [packs] in flow.toml: {write}"
        records.append(_record(namespace, ", ".join(names), "discover.conflict", cause, remedy))
    return Choice(packs=tuple(chosen), records=tuple(records), denied=denied)


def locate_package(pack: Pack, search_path: Sequence[str] | None) -> Path:
    """The folder of the pack's package, found but not imported; `search_path` None is Python's own search.

    Raises PackError when there is no such package.
    """
    cause = "is not there"
    try:
        if search_path is None:
            spec = importlib.util.find_spec(pack.package)
        else:
            spec = importlib.machinery.PathFinder.find_spec(pack.package, list(search_path))
    except Exception as error:  # noqa: BLE001 - the guard: a pack may bring finders that raise anything
        spec, cause = None, f"cannot be looked for: {type(error).__name__}: {error}"
    if spec is not None and spec.origin is not None:
        if spec.submodule_search_locations is not None:
            return Path(spec.origin).parent
        cause = "is a single module"
    # A folder that an uninstalled package has left behind is found too, without `__init__.py` and origin.
    raise PackError(
        f"Its entry point {pack.namespace!r} names the package {pack.package!r}, which {cause}.",
        pack=pack.distribution,
        code="discover.package_missing",
        remedy=f"Reinstall it: pip install --force-reinstall {pack.distribution}",
    )


def _claims_of(distribution: Any) -> Iterator[Pack | Record]:
    """What a distribution, as importlib_metadata gives it, says of packs. Raises for broken metadata."""
    # Most distributions are no packs; of those no more is read and parsed.
    if ENTRY_POINT_GROUP not in (distribution.read_text("entry_points.txt") or ""):
        return
    points = [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]
    if not points:
        return
    name, version = distribution.metadata["Name"], distribution.version
    origin: Any = json.loads(distribution.read_text("direct_url.json") or "{}")
    editable = bool(origin.get("dir_info", {}).get("editable", False))
    for namespace, count in Counter(point.name for point in points).items():
        package = next(point.value.strip() for point in points if point.name == namespace)
        if count > 1:
            cause = f"It has the entry point {namespace!r} {count} times."
            yield _record(namespace, name, "discover.duplicate", cause, "Its author must keep one.")
        elif not package.isidentifier():
            cause = f"Its entry point {namespace!r} names {package!r}, which is no top-level package."
            remedy = f'Its author must write the name of the package alone: {namespace} = "PACKAGE".'
            yield _record(namespace, name, "discover.entry_point", cause, remedy)
        else:
            yield Pack(distribution=name, version=version, namespace=namespace, package=package, editable=editable)


def _record(namespace: str, pack: str, code: str, message: str, remedy: str) -> Record:
    problem = PackProblem(pack=pack, stage="discover", code=code, message=message, remedy=remedy)
    return Record(namespace=namespace, problem=problem)
