"""Guards a provider of somebody else: what it is asked has a limit of time, and one that hung is not asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from flowcore.errors import RetryableNodeError

from flowruntime.limited import QUIET, TookTooLong, run_limited
from flowruntime.secrets.providers import SecretProvider

__all__ = ["LimitedProvider"]

T = TypeVar("T")

_LIMIT_SECONDS: Final = 10.0


class LimitedProvider:
    """The provider, asked on a thread of its own. `plugin` is the distribution that brought it."""

    def __init__(self, provider: SecretProvider, plugin: str, *, limit_seconds: float = _LIMIT_SECONDS) -> None:
        self._provider = provider
        self._plugin = plugin
        self._limit_seconds = limit_seconds
        self._hangs = False
        self.name = str(provider.name)

    def get(self, name: str) -> str | None:
        """What the provider gives. Raises RetryableNodeError (`secret.provider`) when it hangs."""
        return self._limited(lambda: self._provider.get(name))

    def names(self) -> list[str]:
        """The names that the provider tells, those that are texts: another can be no secret's."""
        told: list[object] = self._limited(lambda: list(self._provider.names()))
        return [name for name in told if isinstance(name, str)]

    def _limited(self, question: Callable[[], T]) -> T:
        if not self._hangs:
            try:
                with QUIET:
                    return run_limited(question, limit_seconds=self._limit_seconds)
            except TookTooLong:
                self._hangs = True
            except (Exception, KeyboardInterrupt):  # that one is a Ctrl-C while we wait
                raise
            except BaseException as error:  # noqa: BLE001 - SystemExit, CancelledError: they end the answer alone
                msg = f"it raised {type(error).__name__}"
                raise RuntimeError(msg) from None
        raise RetryableNodeError(
            f"The place of secrets {self.name!r} of {self._plugin!r} gave no answer in {self._limit_seconds:g} s, "
            "and is not asked again.",
            code="secret.provider",
            remedy="Look whether it can be reached, and start the process again.",
        )
