"""Finds the installed node types without importing their code, and imports it at the first use.

Names are loaded when they are asked for: listing node types from a warm cache imports neither a metadata
library nor `dataclasses`, which alone would cost more than the listing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowruntime.registry.building import check_catalog, packs_of, write_catalog
    from flowruntime.registry.collecting import catalog_of
    from flowruntime.registry.hook_probe import probe_hooks
    from flowruntime.registry.loading import load_nodes_file
    from flowruntime.registry.lookup import Registry, TypeRow
    from flowruntime.registry.probing import probe_pack
    from flowruntime.registry.settings import PackSettings, read_settings
    from flowruntime.registry.settings_check import check_pack_settings

__all__ = [
    "PackSettings",
    "Registry",
    "TypeRow",
    "catalog_of",
    "check_catalog",
    "check_pack_settings",
    "load_nodes_file",
    "packs_of",
    "probe_hooks",
    "probe_pack",
    "read_settings",
    "write_catalog",
]

_HOMES = {
    "PackSettings": "settings",
    "Registry": "lookup",
    "TypeRow": "lookup",
    "catalog_of": "collecting",
    "check_catalog": "building",
    "check_pack_settings": "settings_check",
    "load_nodes_file": "loading",
    "packs_of": "building",
    "probe_hooks": "hook_probe",
    "probe_pack": "probing",
    "read_settings": "settings",
    "write_catalog": "building",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
