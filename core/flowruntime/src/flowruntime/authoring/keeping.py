"""What nodes keep across executions: `ctx.store`."""

from __future__ import annotations

import json
from typing import Any, Final

from flowcore.contracts import ValueStore
from flowcore.errors import FatalNodeError
from flowcore.values import Blob, NotAValue, Value, check_value, freeze, write_json

__all__ = ["ABSENT", "BlockingNodeStore", "NodeStore"]


class _Absent:
    """Stands for a key that has no value."""

    def __repr__(self) -> str:
        return "ABSENT"


#: What `compare_and_set` takes where a key must have no value, or shall have none.
ABSENT: Final = _Absent()


class BlockingNodeStore:
    """`NodeStore` for plain functions, which run on threads of their own: the same methods, not awaited."""

    __slots__ = ("_scope", "_values")

    def __init__(self, values: ValueStore, scope: str) -> None:
        self._values = values
        self._scope = scope

    def get(self, key: str, default: Value = None) -> Value:
        """The value of a key."""
        text = self._values.get(self._scope, key)
        return default if text is None else freeze(json.loads(text))

    def put(self, key: str, value: Value) -> None:
        """Keep a value in place of what was there. Raises FatalNodeError for what is no JSON."""
        self._values.put(self._scope, key, _text(key, value))

    def delete(self, key: str) -> None:
        """Keep nothing under the key any more."""
        self._values.put(self._scope, key, None)

    def compare_and_set(self, key: str, expected: Value | _Absent, value: Value | _Absent) -> bool:
        """Keep a value if `expected` is what is there now; whether it was."""
        return self._values.compare_and_set(self._scope, key, _text(key, expected), _text(key, value))

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, in order."""
        keys: list[str] = []
        while page := self._values.keys(self._scope, prefix=prefix, after=keys[-1] if keys else ""):
            keys += page
        return keys


class NodeStore:
    """JSON values by key, kept in the runtime's database across executions; other nodes have stores of their own.

    The same node of a workflow has the same store in every execution, in every item of a loop too. Several attempts may
    use it at the same time: what depends on what is there is written with `compare_and_set`. What is written stays
    written, also when the attempt fails afterwards. With `memory:` it lasts as long as the runtime.
    """

    __slots__ = ("_is_blocking", "blocking")

    def __init__(self, values: ValueStore, scope: str, *, is_blocking: bool) -> None:
        #: The same for code on threads.
        self.blocking = BlockingNodeStore(values, scope)
        self._is_blocking = is_blocking

    async def get(self, key: str, default: Value = None) -> Value:
        """The value of a key."""
        return await self._do(self.blocking.get, key, default)

    async def put(self, key: str, value: Value) -> None:
        """Keep a value in place of what was there. Raises FatalNodeError for what is no JSON."""
        await self._do(self.blocking.put, key, value)

    async def delete(self, key: str) -> None:
        """Keep nothing under the key any more."""
        await self._do(self.blocking.delete, key)

    async def compare_and_set(self, key: str, expected: Value | _Absent, value: Value | _Absent) -> bool:
        """Keep a value if `expected` is what is there now, ABSENT for nothing; whether it was.

        ```python
        while True:
            seen = await ctx.store.get("count", ABSENT)
            if await ctx.store.compare_and_set("count", seen, 1 if seen is ABSENT else seen + 1):
                break
        ```
        """
        return bool(await self._do(self.blocking.compare_and_set, key, expected, value))

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, in order."""
        found: list[str] = await self._do(self.blocking.keys, prefix)
        return found

    async def _do(self, method: Any, *arguments: Any) -> Any:
        if not self._is_blocking:
            return method(*arguments)
        from anyio import to_thread  # loaded by then: a node runs

        return await to_thread.run_sync(method, *arguments)


def _text(key: str, value: Any) -> str | None:
    if value is ABSENT:
        return None
    why = None
    try:
        check_value(value)
    except NotAValue as error:
        why = str(error)
    if why is None and _holds_blob(value):
        why = "a Blob's content would be lost"
    if why is not None:
        raise FatalNodeError(
            f"What the node wants to keep under {key!r} is no JSON: {why}.",
            code="node.store_value",
            remedy="Keep null, booleans, numbers, strings, lists and dicts with string keys; of files their names.",
        )
    return write_json(value, sort_keys=True)


def _holds_blob(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_blob, value.values()))
    return any(map(_holds_blob, value)) if isinstance(value, list) else isinstance(value, Blob)
