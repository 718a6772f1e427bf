"""The secret providers of plugins, each under a guard."""

from __future__ import annotations

import functools
from typing import Final

from flowruntime.hooks.plugins import Hooks
from flowruntime.secrets import LimitedProvider, SecretProvider

__all__ = ["collect_providers"]

_HOOK: Final = "secret_providers"


def collect_providers(hooks: Hooks) -> list[LimitedProvider]:
    """The providers that plugins give, in order. Never raises: what is no provider is a record.

    Nor does a record show the text of an exception: whoever signs in to a vault has something to hide.
    """
    found: list[LimitedProvider] = []
    for name, given in hooks.each(_HOOK, is_private=True):
        limited = functools.partial(_limited, given, name, hooks.limit_seconds)
        provider = hooks.guarded(name, f"A provider of its hook {_HOOK!r}", limited, is_private=True)
        if isinstance(provider, LimitedProvider):
            found.append(provider)
        elif provider is not None:
            cause = f"Its hook {_HOOK!r} gives a {type(given).__name__} for a provider of secrets."
            hooks.record(name, "provider", cause, "Its author must return objects with name, get and names.")
    return found


def _limited(given: object, plugin: str, limit_seconds: float) -> LimitedProvider | bool:
    """The provider under its guard, False for what is none. Raises what its attributes raise."""
    if not isinstance(given, SecretProvider):
        return False
    return LimitedProvider(given, plugin, limit_seconds=limit_seconds)
