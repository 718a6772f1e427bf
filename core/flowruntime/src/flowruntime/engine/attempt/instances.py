"""Node instances of a compiled workflow: made at the first attempt, shared by all executions, shut down at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from flowcore.errors import FatalNodeError, FlowError
from flowcore.nodes import NodeType

from flowruntime.authoring import Definition, Handler, InstanceContext, Secret, make_handler
from flowruntime.engine.attempt.secret_texts import SecretTexts
from flowruntime.plan.model import Plan, PlannedNode

if TYPE_CHECKING:
    from flowruntime.hooks.wrapping import AttemptWrappers

__all__ = ["Instances", "Loader"]

_SHUTDOWN_SECONDS = 10


class Loader(Protocol):
    """Gives the code of a node type; the registry does."""

    def load(self, node_type: NodeType) -> Definition:
        """The definition; imports it when needed. Raises PackError."""
        ...


class Instances:
    """Handlers by node number, None until the first attempt; `configs` are static configs as the nodes get them.

    `wrappers` are what plugins put around attempts, None for nothing.
    """

    def __init__(
        self, plan: Plan, loader: Loader, secrets: Mapping[str, Secret], wrappers: AttemptWrappers | None = None
    ) -> None:
        self._plan = plan
        self._loader = loader
        self._secrets = secrets
        self.wrappers = wrappers
        self._children: dict[int, Instances] = {}
        self._locks: dict[int, anyio.Lock] = {}
        self._to_shut_down: list[tuple[str, Handler]] = []
        self.handlers: list[Handler | None] = [None] * len(plan.nodes)
        self.configs: list[Any] = [None] * len(plan.nodes)

    def of_child(self, plan: Plan) -> Instances:
        """The instances of a document that containers of this one run: one for all its executions and iterations."""
        child = self._children.get(id(plan))
        if child is None:
            child = self._children[id(plan)] = Instances(plan, self._loader, self._secrets, self.wrappers)
        return child

    async def prepare(self, index: int) -> Handler:
        """The handler of a node, made and initialized once however many attempts ask at the same time.

        After a failure the next attempt tries again. Raises what the author's code raises.
        """
        async with self._locks.setdefault(index, anyio.Lock()):
            ready = self.handlers[index]
            if ready is not None:
                return ready
            node = self._plan.nodes[index]
            if node.node_type.trigger:
                handler = self.handlers[index] = self._wrapped(_fire(node.output_ports))
                return handler
            definition = self._loader.load(node.node_type)
            handler = _create(definition, node.written_config, node.type_id)
            if node.static_config is not None:
                read = handler.read_config
                self.configs[index] = node.static_config if read is None else read(node.static_config)
            if handler.instance is not None:
                await self._initialize(handler, node)
                self._to_shut_down.append((node.id, handler))
            handler = self.handlers[index] = self._wrapped(handler)
            return handler

    def _wrapped(self, handler: Handler) -> Handler:
        if self.wrappers is None or handler.mode == "wrapped":
            return handler
        return replace(handler, mode="wrapped", wrapped=handler.mode, plain=None)

    async def _initialize(self, handler: Handler, node: PlannedNode) -> None:
        assert handler.instance is not None  # noqa: S101 - the caller looked
        roots = {"vars": self._plan.workflow.vars, "secrets": SecretTexts(self._secrets)}
        config = {} if node.static_fields is None else node.static_fields.resolve(roots)
        try:
            await handler.instance.initialize(InstanceContext(node_id=node.id, config=config, secrets=self._secrets))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await _shut_down(handler)
            raise

    async def shut_down(self) -> list[str]:
        """Shut down all instances, each with its ten seconds; the ids of nodes whose shutdown failed."""
        failed: list[str] = []
        instances, self._to_shut_down = self._to_shut_down, []
        children, self._children = self._children, {}
        self.handlers = [None] * len(self._plan.nodes)

        async def one(node_id: str, handler: Handler) -> None:
            if not await _shut_down(handler):
                failed.append(node_id)

        async def of_document(child: Instances) -> None:
            failed.extend(await child.shut_down())

        async with anyio.create_task_group() as tasks:
            for node_id, handler in instances:
                tasks.start_soon(one, node_id, handler)
            for child in children.values():
                tasks.start_soon(of_document, child)
        return failed


def _fire(ports: frozenset[str] | None) -> Handler:
    """A trigger that fired completes with the execution's inputs as its ports; its own code is not called."""
    return Handler(
        mode="inline",
        call=lambda ctx: {port: value for port, value in ctx.inputs.items() if ports is None or port in ports},
    )


def _create(definition: Definition, config: Mapping[str, Any], type_id: str) -> Handler:
    try:
        return make_handler(definition, config)
    except FlowError:
        raise
    except Exception as error:
        raise FatalNodeError(
            f"{type_id!r} could not be created: {type(error).__name__}: {error}.",
            code="node.create",
            remedy="Check the node's config; `create` must accept every config that its schema does.",
        ) from error


async def _shut_down(handler: Handler) -> bool:
    assert handler.instance is not None  # noqa: S101 - only instances are kept
    task = asyncio.current_task()
    cancels = 0 if task is None else task.cancelling()
    try:
        with anyio.fail_after(_SHUTDOWN_SECONDS):
            await handler.instance.shutdown()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # one node's shutdown must not keep the others from theirs: SystemExit too
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > cancels:
            raise
        return False
    return True
