"""`Secrets`: what nodes look secrets up in, wherever those come from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from flowcore.errors import FatalNodeError, FlowError, RetryableNodeError, StoreError

from flowruntime.secrets.providers import SecretProvider, is_secret_name
from flowruntime.secrets.redaction import Net
from flowruntime.secrets.secret import Secret

__all__ = ["SecretMissing", "Secrets"]


class SecretMissing(FatalNodeError, KeyError):  # noqa: N818 - it says what is wrong
    """There is no such secret."""

    default_code = "secret.missing"

    # KeyError would show the message with quotes around it.
    __str__ = FatalNodeError.__str__


class Secrets(Mapping[str, Secret]):
    """The secrets of some providers, by name; the first that has one gives it.

    Nothing is kept: each time a node asks, so do we, and a changed secret is seen by the next attempt. What is
    revealed gets into the `net`. `providers` is called at the first question.

    >>> class Vault:
    ...     name = "vault"
    ...
    ...     def get(self, name):
    ...         return {"TOKEN": "s3cret"}.get(name)
    ...
    ...     def names(self):
    ...         return ["TOKEN"]
    >>> secrets = Secrets(lambda: [Vault()])
    >>> secrets["TOKEN"].reveal(), "OTHER" in secrets, list(secrets)
    ('s3cret', False, ['TOKEN'])
    """

    def __init__(self, providers: Callable[[], Iterable[SecretProvider]]) -> None:
        self._providers = providers
        #: The places that are known by now, and what gives the others.
        self._known: list[SecretProvider] = []
        self._coming: Iterator[SecretProvider] | None = None
        self._lock = threading.Lock()
        self.net = Net()

    def __getitem__(self, name: str) -> Secret:
        """The secret of that name. Safe from any thread.

        Raises SecretMissing, a KeyError, when there is none; RetryableNodeError when a place cannot be asked
        (`secret.provider`), and what a place says is wrong with its keys.
        """
        for provider in self.providers():
            text = _ask(provider, partial(provider.get, name))
            if text is not None:
                if not isinstance(text, str):
                    raise _failed(provider, f"gave {type(text).__name__} instead of a text")
                return Secret(text, on_reveal=self.net.add)
        remedy = f"Run `flow secrets set {name}` for this database, or set FLOW_SECRET_{name} in the environment."
        if not is_secret_name(name):
            remedy = (
                "Name it with letters, digits and _ only: no other name can be set, unless a plugin brings the secret."
            )
        raise SecretMissing(f"There is no secret {name!r}.", remedy=remedy)

    def __iter__(self) -> Iterator[str]:
        return iter({name: None for provider in self.providers() for name in _ask(provider, provider.names)})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def providers(self) -> Iterator[SecretProvider]:
        """The places that are asked, in this order; each is made when it is reached for the first time."""
        number = 0
        while (provider := self._provider(number)) is not None:
            yield provider
            number += 1

    def _provider(self, number: int) -> SecretProvider | None:
        with self._lock:
            if self._coming is None:
                self._coming = iter(self._providers())
            if number == len(self._known):
                self._known.extend(islice(self._coming, 1))
            return self._known[number] if number < len(self._known) else None


def _ask(provider: SecretProvider, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except StoreError as error:
        raise _failed(provider, f"cannot be asked: {error.message}") from error
    except FlowError:
        raise
    except Exception as error:  # noqa: BLE001 - a provider is foreign code
        # Not chained: its text may hold what nobody may see.
        raise _failed(provider, f"raised {type(error).__name__}") from None


def _failed(provider: SecretProvider, cause: str) -> RetryableNodeError:
    return RetryableNodeError(
        f"The place of secrets {provider.name!r} {cause.rstrip('.')}.",
        code="secret.provider",
        remedy="Look whether it can be reached, and what it is set up with.",
    )
