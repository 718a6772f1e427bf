"""Says whether installed packs may be removed: not when `flow` or another pack needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowcore.errors import InstallationError
from flowcore.values import did_you_mean
from flowruntime.permits import normalized
from flowruntime.registry import Registry

from flowcli.installer.installed import Distribution
from flowcli.usage import UsageError

__all__ = ["packs_to_remove"]


def packs_to_remove(
    names: Sequence[str], installed: Mapping[str, Distribution], registry: Registry
) -> list[Distribution]:
    """The distributions of these names.

    Raises UsageError for one that is not there or no pack, and InstallationError for one that must stay, with who
    needs it.
    """
    found = [_pack_named(name, installed, registry) for name in names]
    going = {normalized(pack.name) for pack in found}
    for pack in found:
        key = normalized(pack.name)
        users = [
            other for name, other in installed.items() if name not in going and key in other.requires and key != name
        ]
        if users:
            user = min(users, key=lambda other: other.name)
            remedy = (
                f'Keep it from loading instead: deny = ["{pack.name}"] under [packs] in flow.toml.'
                if user.is_core
                else f"Remove both: flow pack remove {pack.name} {user.name}"
            )
            raise InstallationError(
                f"{user.name} {user.version} needs {pack.name}.", code="remove.needed", remedy=remedy
            )
    return found


def _pack_named(name: str, installed: Mapping[str, Distribution], registry: Registry) -> Distribution:
    found = installed.get(normalized(name))
    if found is not None and found.is_core:
        raise InstallationError(
            f"{found.name} is a part of `flow` itself.",
            code="remove.core",
            remedy="To remove Flownodes as a whole, remove its environment.",
        )
    if found is not None and found.is_pack:
        return found
    packs = [one.name for one in installed.values() if one.is_pack and not one.is_core]
    if found is not None:
        raise UsageError(
            f"{found.name} is no pack.", code="remove.no_pack", remedy=f"Use pip: pip uninstall {found.name}"
        )
    owner = next((pack.distribution for pack in registry.packs if pack.namespace == name), None)
    remedy = f"The namespace {name!r} is that of {owner}: flow pack remove {owner}" if owner else ""
    raise UsageError(
        f"The pack {name!r} is not installed.",
        code="remove.unknown",
        remedy=remedy or did_you_mean(name, packs) or "`flow packs` lists the packs.",
    )
