"""Where secrets come from: the protocol of a provider, and the one that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, runtime_checkable

__all__ = ["ENVIRONMENT_PREFIX", "EnvironmentSecrets", "SecretProvider", "is_secret_name"]

#: `FLOW_SECRET_TOKEN=…` gives the secret `TOKEN`.
ENVIRONMENT_PREFIX: Final = "FLOW_SECRET_"

#: What a name may be: what stands after `secrets.` without quotes, and in a variable of the environment.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def is_secret_name(name: str) -> bool:
    """Whether a secret may have this name.

    >>> is_secret_name("API_TOKEN"), is_secret_name("api-token")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


@runtime_checkable
class SecretProvider(Protocol):
    """Gives secrets from one place: a vault, a file, the environment.

    Both methods are called whenever a node asks, on the thread that runs the nodes: a provider behind a network keeps
    its answers for a while. What they raise ends the attempt, which may be made again; the text of the exception is
    not shown, because it may hold what nobody may see.
    """

    @property
    def name(self) -> str:
        """What people call the place, in lists and errors."""
        ...

    def get(self, name: str) -> str | None:
        """The text of the secret with that name; None when there is none here."""
        ...

    def names(self) -> Iterable[str]:
        """The names of the secrets that are here, for the operator's list; a provider that cannot tell gives none."""
        ...


class EnvironmentSecrets:
    """The secrets that the process's environment holds."""

    name: Final = "environment"

    def get(self, name: str) -> str | None:
        """The text of the variable."""
        return os.environ.get(ENVIRONMENT_PREFIX + name)

    def names(self) -> Iterator[str]:
        """The names of all variables with the prefix."""
        return (name.removeprefix(ENVIRONMENT_PREFIX) for name in os.environ if name.startswith(ENVIRONMENT_PREFIX))
