"""Puts an ear to a node: what its code raises is kept as it is, before the engine makes an error object of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from flowruntime.authoring import Context, Definition, Handler, InstanceContext, Node, make_handler
from flowruntime.testing.clock import inside_a_node

__all__ = ["Record", "recorded"]


@dataclass(slots=True)
class Record:
    """What the node's code raised last: in `create`, in `initialize` or in an attempt. None after a call that ended."""

    raised: Exception | None = None
    #: The instance made last, None for a function.
    instance: Node | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what is raised meanwhile, and let it go on its way."""
        self.raised = None
        try:
            yield
        except Exception as error:
            self.raised = error
            raise


def recorded(definition: Definition, record: Record) -> Definition:
    """The same node type, called in the same way, whose failures `record` gets to know."""
    target = _Thread if _is_called_plainly(definition) else _Coroutine
    made = type(target.__name__, (target,), {"definition": definition, "record": record})
    return replace(definition, target=made)


def _is_called_plainly(definition: Definition) -> bool:
    target = definition.target
    execute = target.execute if isinstance(target, type) and issubclass(target, Node) else target
    return not inspect.iscoroutinefunction(execute)


class _Recorded(Node):
    """A node that hands every call on to the one of the author."""

    definition: Definition
    record: Record

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    @classmethod
    def create(cls, config: Mapping[str, Any]) -> Self:
        """Make the author's node with it."""
        with cls.record.listening():
            handler = make_handler(cls.definition, config)
        cls.record.instance = handler.instance
        return cls(handler)

    async def initialize(self, ctx: InstanceContext) -> None:
        """As the author's; a function has none."""
        if self.handler.instance is not None:
            with self.record.listening(), inside_a_node():
                await self.handler.instance.initialize(ctx)

    async def shutdown(self) -> None:
        """As the author's."""
        if self.handler.instance is not None:
            await self.handler.instance.shutdown()


class _Coroutine(_Recorded):
    async def execute(self, ctx: Context) -> Any:
        with self.record.listening(), inside_a_node():
            return await self.handler.call(ctx)


class _Thread(_Recorded):
    def execute(self, ctx: Context) -> Any:
        with self.record.listening():
            return self.handler.call(ctx)
