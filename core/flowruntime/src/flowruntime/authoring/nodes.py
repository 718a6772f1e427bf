"""The class form of a node, for nodes that keep something between attempts: pools, caches, counters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from flowcore.values import Value

from flowruntime.authoring.containers import Container
from flowruntime.authoring.context import Context, InstanceContext
from flowruntime.authoring.waiting import Wait

__all__ = ["Node"]


class Node(ABC):
    """One instance serves all executions of a workflow version; `execute` is called concurrently.

    Life: `create` → `initialize` once, before the first attempt → `execute` per attempt → `shutdown` at the end, also
    after a failed `initialize`.
    """

    @classmethod
    def create(cls, config: Any) -> Self:  # noqa: ARG003 - subclasses read it
        """A new instance. `config` is the node's config as written; must be cheap and touch nothing outside."""
        return cls()

    async def initialize(self, ctx: InstanceContext) -> None:  # noqa: B027 - nothing to open is fine
        """Open what the instance keeps. An exception fails the attempt that waits for it."""

    @abstractmethod
    async def execute(self, ctx: Context) -> Mapping[str, Value] | Wait | Container | None:
        """One attempt: `{port: value}` for the ports that get a value, `Wait`, or a `Container`. Raise NodeError."""
        ...

    async def shutdown(self) -> None:  # noqa: B027 - nothing to close is fine
        """Close what the instance keeps; has ten seconds."""
