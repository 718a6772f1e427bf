"""What nodes keep across executions, in memory. `flowcore.contracts.ValueStore`."""

from __future__ import annotations

from itertools import islice

__all__ = ["MemoryValues"]


class MemoryValues:
    """JSON texts by scope and key."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {}

    def get(self, scope: str, key: str) -> str | None:
        """The text of a key."""
        return self._texts.get(scope, {}).get(key)

    def put(self, scope: str, key: str, text: str | None) -> None:
        """Keep or remove a text."""
        if text is not None:
            self._texts.setdefault(scope, {})[key] = text
        elif scope in self._texts:
            self._texts[scope].pop(key, None)

    def compare_and_set(self, scope: str, key: str, expected: str | None, text: str | None) -> bool:
        """Keep or remove a text if nobody has changed it."""
        if self.get(scope, key) != expected:
            return False
        self.put(scope, key, text)
        return True

    def keys(self, scope: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """Keys in the order of their code points."""
        fitting = (
            key for key in sorted(self._texts.get(scope, ())) if key.startswith(prefix) and (key > after or not after)
        )
        return list(islice(fitting, limit))
