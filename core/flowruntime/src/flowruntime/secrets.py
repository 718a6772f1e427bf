"""Secrets: named values that appear in no event, log or error; read from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

__all__ = ["ENVIRONMENT_PREFIX", "EnvironmentSecrets", "Secret"]

#: `FLOW_SECRET_TOKEN=…` gives the secret `TOKEN`.
ENVIRONMENT_PREFIX = "FLOW_SECRET_"


class Secret:
    """A text that does not show itself.

    >>> Secret("hunter2")
    Secret('***')
    >>> Secret("hunter2").reveal()
    'hunter2'
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself; keep it out of outputs, events and errors."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


class EnvironmentSecrets(Mapping[str, Secret]):
    """The secrets that the process's environment holds."""

    def __getitem__(self, name: str) -> Secret:
        text = os.environ.get(ENVIRONMENT_PREFIX + name)
        if text is None:
            raise KeyError(name)
        return Secret(text)

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(ENVIRONMENT_PREFIX) for name in os.environ if name.startswith(ENVIRONMENT_PREFIX))

    def __len__(self) -> int:
        return sum(1 for _ in self)
