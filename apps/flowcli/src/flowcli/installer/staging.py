"""Looks at distributions before they are kept: are they packs, and would one take a namespace from another?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flowcore.errors import InstallationError
from flowruntime.permits import normalized
from flowruntime.registry import Registry
from flowruntime.registry.discovery import find_packs

from flowcli.installer.installed import Distribution, installed_distributions
from flowcli.installer.planning import Plan
from flowcli.installer.tools import Tool
from flowcli.installer.wanted import Wanted

__all__ = ["check_before_keeping"]


def check_before_keeping(tool: Tool, plan: Plan, wanted: Sequence[Wanted], registry: Registry) -> None:
    """Unpack what was asked for in a temporary folder and look at it there; none of its code is imported.

    Raises InstallationError for a distribution that is no pack (`install.no_pack`), and for one whose namespace a
    pack of the registry has, which both would then lose (`install.namespace`). Raises ToolFailed when it cannot be had.
    """
    changed = {normalized(change.name): change for change in plan.changes}
    looked_at = [one for one in wanted if one.key in changed]
    if not looked_at:
        return
    requirements = tuple(
        one.requirement if one.is_direct else f"{one.name}=={changed[one.key].after}" for one in looked_at
    )
    with tempfile.TemporaryDirectory(prefix="flow-install-") as folder:
        tool.stage(replace(plan.agreed, requirements=requirements, editables=(), guards=(), upgrade=()), Path(folder))
        staged = installed_distributions([folder])
        _refuse_what_is_no_pack(staged)
        _refuse_takeovers(folder, staged, registry)


def _refuse_what_is_no_pack(staged: Mapping[str, Distribution]) -> None:
    for distribution in staged.values():
        if not distribution.is_pack:
            raise InstallationError(
                f"{distribution.name} {distribution.version} is no pack: it has no entry point in 'flownodes'.",
                code="install.no_pack",
                remedy=f"Nothing was installed. As a library it can be had by: pip install {distribution.name}",
            )


def _refuse_takeovers(folder: str, staged: Mapping[str, Distribution], registry: Registry) -> None:
    """Of the namespaces that others have, the settings must say whose they are: else nobody has them any more."""
    claims = {pack.namespace: pack for pack in find_packs([folder])[0]}
    shared = [
        pack for pack in registry.packs if pack.namespace in claims and normalized(pack.distribution) not in staged
    ]
    if not shared:
        return
    future = Registry.discover(search_path=[folder, *sys.path], cache_dir=None)
    stays = {pack.namespace for pack in future.packs}
    for pack in shared:
        if pack.namespace not in stays:
            newcomer = claims[pack.namespace].distribution
            raise InstallationError(
                f"{newcomer} claims the namespace {pack.namespace!r}, which {pack.distribution} {pack.version} has:"
                " with both installed, neither would load.",
                code="install.namespace",
                remedy=f"Remove the other first: flow pack remove {pack.distribution}; or say in flow.toml, under"
                f' [packs], which counts: prefer = {{{pack.namespace} = "{pack.distribution}"}}',
            )
