"""Where the secrets of a runtime come from: the environment, the providers of plugins, a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flowcore.contracts import Store

from flowruntime.registry import Registry
from flowruntime.registry.places import settings_file
from flowruntime.secrets import EnvironmentSecrets, LimitedProvider, SecretProvider, Secrets

if TYPE_CHECKING:
    from flowruntime.secrets.key_places import KeyPlace

__all__ = ["find_secrets", "key_place", "plugin_secrets"]


def find_secrets(store: Store, registry: Registry) -> Secrets:
    """The secrets for what runs with this store, and the plugins that the registry has.

    A name that several places have means the one in the environment, else that of a plugin, else the stored one.
    """

    def providers() -> Iterator[SecretProvider]:
        yield EnvironmentSecrets()
        yield from plugin_secrets(registry)
        from flowruntime.secrets.stored import StoredSecrets  # brings what keys need, which few runs do

        yield StoredSecrets(store.secrets, key_place)

    return Secrets(providers)


def plugin_secrets(registry: Registry) -> list[LimitedProvider]:
    """The providers of the plugins that are installed and may load. What is none is a problem of its plugin."""
    hooks = registry.hooks
    if hooks is None:
        return []
    from flowruntime.hooks.providing import collect_providers

    return collect_providers(hooks)


def key_place() -> KeyPlace:
    """Where the keys of stored secrets are, as flow.toml and the environment say. Raises InstallationError."""
    from flowruntime.secrets.settings import choose_key_place

    settings = settings_file()
    return choose_key_place(None if settings is None else Path(settings))
