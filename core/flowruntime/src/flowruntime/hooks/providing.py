"""Secret providers of plugins, each question to one under a guard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from flowcore.errors import RetryableNodeError

from flowruntime.hooks.plugins import Hooks
from flowruntime.limited import Limited, TookTooLong
from flowruntime.secrets import SecretProvider

__all__ = ["collect_providers"]

T = TypeVar("T")

_HOOK = "secret_providers"


def collect_providers(hooks: Hooks) -> list[SecretProvider]:
    """The providers that plugins give, in order. Never raises: what is no provider is a record.

    Each raises RetryableNodeError, with the code `secret.provider`, for whatever the plugin's own does wrong, after
    ten seconds at most; nothing of its text is shown.
    """
    found: list[SecretProvider] = []
    for name, given in hooks.each(_HOOK):
        label = hooks.guarded(name, f"A provider of its hook {_HOOK!r}", lambda given=given: _label(given))
        if isinstance(label, str):
            found.append(_Guarded(hooks, name, label, given))
        elif label is not None:
            cause = f"Its hook {_HOOK!r} gives a {type(given).__name__} for a provider of secrets."
            hooks.record(name, "provider", cause, "Its author must return objects with name, get and names.")
    return found


def _label(given: object) -> object:
    """What the provider is called; False for what is none."""
    return isinstance(given, SecretProvider) and given.name


class _Guarded:
    """A provider that answers in time, or raises what a node may be tried again for."""

    def __init__(self, hooks: Hooks, plugin: str, name: str, provider: SecretProvider) -> None:
        self.name = name
        self._hooks = hooks
        self._plugin = plugin
        self._provider = provider
        self._lock = threading.Lock()
        #: A question that was given up, and may still be answered.
        self._given_up: Limited[object] | None = None

    def get(self, name: str) -> str | None:
        """The text of the secret with that name."""
        return self._ask(lambda: self._provider.get(name))

    def names(self) -> Iterable[str]:
        """The names of its secrets."""
        return self._ask(lambda: list(self._provider.names()))

    def _ask(self, question: Callable[[], T]) -> T:
        with self._lock:
            if self._given_up is not None and self._given_up.is_running:
                raise self._failed("still hangs")
        asked = Limited(question)
        try:
            return asked.result(self._hooks.limit_seconds)
        except KeyboardInterrupt:
            raise
        except TookTooLong as error:
            self._given_up = asked
            message = f"Its provider of secrets {self.name!r} hangs: {error}."
            self._hooks.report(self._plugin, "hung", message, about=self.name)
            raise self._failed("hangs") from None
        except BaseException as error:  # noqa: BLE001 - the guard: foreign code may raise anything, SystemExit too
            message = f"Its provider of secrets {self.name!r} raised {type(error).__name__}."
            self._hooks.report(self._plugin, "call", message, about=self.name)
            # Not chained: its text may hold what nobody may see.
            raise self._failed(f"raised {type(error).__name__}") from None

    def _failed(self, cause: str) -> RetryableNodeError:
        return RetryableNodeError(
            f"The provider of secrets {self.name!r} {cause}.",
            code="secret.provider",
            remedy="Look whether it can be reached, and what it is set up with.",
        )
