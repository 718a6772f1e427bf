"""Plans an installation so that core and installed packs stay as they are, or says who stands against it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from flowcore.errors import InstallationError
from flowruntime.permits import normalized

from flowcli.installer.installed import CORE, Distribution
from flowcli.installer.reasons import explain, reason_of
from flowcli.installer.tools import Change, Request, Tool, ToolFailed
from flowcli.installer.wanted import Wanted

__all__ = ["Plan", "held_back", "plan_installation"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would change, and the request that does it."""

    changes: tuple[Change, ...]
    request: Request

    @property
    def agreed(self) -> Request:
        """The request with the versions of the plan."""
        agreed = [change for change in self.changes if change.after is not None and "://" not in change.after]
        pins = tuple(f"{change.name}=={change.after}" for change in agreed)
        return dataclasses.replace(self.request, pins=pins)


def plan_installation(
    tool: Tool, wanted: Sequence[Wanted], request: Request, installed: Mapping[str, Distribution]
) -> Plan:
    """The plan with core and installed packs as guards: they stay, with all that they require.

    Raises InstallationError: `install.core` when the core would have to move, `install.breaks` when a pack would no
    longer get what it requires, both naming the two; else what the tool says.
    """
    names = {one.key for one in wanted}
    guards = [one for one in _guards(installed) if normalized(one.name) not in names]
    guarded = dataclasses.replace(request, guards=tuple(guard.pin for guard in guards))
    try:
        return Plan(changes=tool.plan(guarded), request=guarded)
    except ToolFailed as error:
        failed = error
        # A pack that misses something already must not keep others out, and could not be mended else.
        sound = guards if _fits(tool, request, guards) else [one for one in guards if _fits(tool, request, [one])]
        if len(sound) < len(guards):
            guarded = dataclasses.replace(request, guards=tuple(guard.pin for guard in sound))
            try:
                return Plan(changes=tool.plan(guarded), request=guarded)
            except ToolFailed as again:
                failed = again
        raise _refusal(tool, wanted, request, sound, failed) from failed


def held_back(tool: Tool, wanted: Sequence[Wanted], plan: Plan) -> list[str]:
    """A sentence for each newer version of what is wanted that the guards of the plan keep out."""
    free = dataclasses.replace(plan.request, guards=())
    try:
        changes = tool.plan(free)
    except ToolFailed:
        return []
    names = {one.key for one in wanted}
    told = []
    for change in changes:
        if normalized(change.name) not in names or change.before is None or change.after is None:
            continue
        newer = dataclasses.replace(free, requirements=(f"{change.name}=={change.after}",), editables=())
        holders = [guard.partition("==")[0] for guard in plan.request.guards if not _fits_pins(tool, newer, guard)]
        if holders:
            told.append(f"{change.name} {change.after} is there, but {holders[0]} does not go with it.")
    return told


def _fits_pins(tool: Tool, request: Request, guard: str) -> bool:
    try:
        tool.plan(dataclasses.replace(request, guards=(guard,)))
    except ToolFailed:
        return False
    return True


def _guards(installed: Mapping[str, Distribution]) -> list[Distribution]:
    """The core, from the bottom up, then the packs; last what only bundles them, which says least about a cause."""
    core = [installed[name] for name in CORE[:-1] if name in installed]
    packs = [one for one in installed.values() if one.is_pack and not one.is_core]
    bundle = [installed[name] for name in CORE[-1:] if name in installed]
    return [*core, *sorted(packs, key=lambda pack: pack.name), *bundle]


def _fits(tool: Tool, request: Request, guards: Sequence[Distribution]) -> bool:
    """Whether these have all that they require, or could get it."""
    try:
        pins = tuple(guard.pin for guard in guards)
        tool.plan(dataclasses.replace(request, requirements=pins, editables=(), upgrade=()))
    except ToolFailed:
        return False
    return True


def _refusal(
    tool: Tool, wanted: Sequence[Wanted], request: Request, guards: Sequence[Distribution], failed: ToolFailed
) -> InstallationError:
    """The error that names whom the installation would harm, where that is the cause."""
    names = " and ".join(one.name for one in wanted)
    unguarded: ToolFailed | None = None
    try:
        tool.plan(request)
    except ToolFailed as error:
        unguarded = error
    if unguarded is not None:
        # Without anybody to harm it fails as well; the cause may still be that it needs another core.
        needs = next((one for one in guards if one.is_core and f"depend on {one.name}" in _singular(unguarded)), None)
        return (
            explain(unguarded, f"{names} cannot be installed", tool.name)
            if needs is None
            else _core(names, needs, unguarded)
        )
    for guard in guards:
        try:
            tool.plan(dataclasses.replace(request, guards=(guard.pin,)))
        except ToolFailed as error:
            if guard.is_core:
                return _core(names, guard, error)
            return InstallationError(
                f"{names} would break the installed pack {guard.name} {guard.version}: {reason_of(error)}",
                code="install.breaks",
                remedy=f"Choose another version of {names}, or remove the other first: flow pack remove {guard.name}",
            )
    return explain(failed, f"{names} cannot be installed beside what is there", tool.name)


def _singular(failed: ToolFailed) -> str:
    return " ".join(failed.output.replace("depends on", "depend on").split())


def _core(names: str, guard: Distribution, failed: ToolFailed) -> InstallationError:
    return InstallationError(
        f"{names} does not fit {guard.name} {guard.version}, which `flow` runs on: {reason_of(failed)}",
        code="install.core",
        remedy="Choose a version made for this Flownodes, or update Flownodes first: pip install --upgrade flownodes",
    )
