"""`Secret`: a text that does not show itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["Secret"]


class Secret:
    """A text that does not show itself.

    `on_reveal` is called with the text whenever somebody takes it out.

    >>> Secret("hunter2")
    Secret('***')
    >>> Secret("hunter2").reveal()
    'hunter2'
    """

    __slots__ = ("_on_reveal", "_text")

    def __init__(self, text: str, *, on_reveal: Callable[[str], None] | None = None) -> None:
        self._text = text
        self._on_reveal = on_reveal

    def reveal(self) -> str:
        """The secret itself; keep it out of outputs, events and errors. Safe from any thread."""
        if self._on_reveal is not None:
            self._on_reveal(self._text)
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: Any, /) -> NoReturn:
        raise TypeError("A Secret is not pickled: reveal() it where it is needed.")
